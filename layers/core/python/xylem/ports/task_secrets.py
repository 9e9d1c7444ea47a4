"""The secrets that a group's pods were given, for who stores what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from xylem.domain.ids import GroupId


class TaskSecrets(Protocol):
    """Sealed, so that whoever reads the rows reads no secret, and for a while: see the rows'
    life in `docs/rows.md`."""

    def keep(
        self,
        group: GroupId,
        incarnation: int,
        ordinal: int,
        secrets: Sequence[str],
        *,
        now: datetime,
    ) -> None:
        """What the create of this number hands to the group's pods. Keeping it twice is no
        error."""
        ...

    def of(self, group: GroupId, incarnation: int) -> list[str]:
        """Of all creates so far."""
        ...
