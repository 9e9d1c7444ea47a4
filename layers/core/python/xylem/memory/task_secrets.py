"""Secrets of groups in a dictionary, in the open."""

from collections.abc import Sequence
from datetime import datetime

from xylem.domain.ids import GroupId


class MemoryTaskSecrets:
    def __init__(self) -> None:
        self._kept: dict[tuple[GroupId, int], dict[int, Sequence[str]]] = {}
        self.reads = 0

    def keep(
        self,
        group: GroupId,
        incarnation: int,
        ordinal: int,
        secrets: Sequence[str],
        *,
        now: datetime,
    ) -> None:
        self._kept.setdefault((group, incarnation), {})[ordinal] = tuple(secrets)

    def of(self, group: GroupId, incarnation: int) -> list[str]:
        self.reads += 1
        kept = self._kept.get((group, incarnation), {})
        return [secret for ordinal in sorted(kept) for secret in kept[ordinal]]
