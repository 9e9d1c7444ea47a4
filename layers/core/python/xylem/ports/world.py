"""Time and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    def __call__(self) -> datetime:
        """Now, in UTC, aware."""
        ...


class Ids(Protocol):
    def __call__(self) -> str:
        """32 hex digits, never twice the same."""
        ...
