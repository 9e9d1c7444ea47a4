"""How much was asked for lately, counted by all processes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Rates(Protocol):
    def add(self, key: str, window: int, many: int, *, until: datetime) -> int:
        """How many were added under this key in this window, these among them. `until`: nobody asks
        for it any more then."""
        ...
