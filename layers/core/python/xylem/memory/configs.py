"""Configs in dictionaries."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from xylem.domain.config import ConfigKind, Revision
from xylem.domain.errors import Conflict
from xylem.usecases.config_book import ConfigBook


class MemoryConfigRows:
    def __init__(self) -> None:
        self._rows: dict[ConfigKind, dict[int, Revision]] = {}

    def current(self, kinds: Collection[ConfigKind]) -> Mapping[ConfigKind, Revision]:
        return {kind: self._rows[kind][max(self._rows[kind])] for kind in kinds if self._has(kind)}

    def add(self, new: Sequence[Revision], *, read: Mapping[ConfigKind, int]) -> None:
        for kind, number in read.items():
            if max(self._rows.get(kind, {}), default=0) != number:
                raise Conflict(f"the config {kind} was changed by somebody else")
        for revision in new:
            self._rows.setdefault(revision.kind, {})[revision.number] = revision

    def revision(self, kind: ConfigKind, number: int) -> Revision | None:
        return self._rows.get(kind, {}).get(number)

    def revisions(
        self, kind: ConfigKind, *, newest_first: bool = True, fewest: int = 20
    ) -> Iterator[Revision]:
        mine = self._rows.get(kind, {})
        return iter([mine[number] for number in sorted(mine, reverse=newest_first)])

    def note(self, revision: Revision) -> None:
        if self.revision(revision.kind, revision.number) is None:
            raise Conflict(f"revision {revision.number} of {revision.kind} is not there")
        self._rows[revision.kind][revision.number] = revision

    def _has(self, kind: ConfigKind) -> bool:
        return bool(self._rows.get(kind))


class MemoryConfigs(ConfigBook):
    def __init__(self) -> None:
        super().__init__(MemoryConfigRows())
