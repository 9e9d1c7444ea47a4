"""Apps with their versions; their specs are in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xylem.domain.app import App
    from xylem.domain.ids import UserName
    from xylem.ports.stored import Stored


class Apps(Protocol):
    """Each read is consistent."""

    def named(self, name: str) -> Stored[App] | None: ...

    def app(self, uuid: str) -> Stored[App] | None: ...

    def all(self) -> Iterable[App]:
        """By the time when they were made, the newest first; lazily."""
        ...

    def used_by(self, user: UserName) -> frozenset[str]:
        """The ids of those that a user submitted a workflow from."""
        ...

    def note_use(self, user: UserName, uuid: str) -> None: ...

    def save(self, before: Stored[App] | None, after: App) -> None:
        """One transaction, with the name that it has from then on. Raises `Conflict` where another
        has the name, or somebody else was faster."""
        ...
