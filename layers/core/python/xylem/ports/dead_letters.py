"""What our queues gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody could answer, as it was sent. `received`: how often it was
    delivered."""

    id: str
    sent_at: datetime
    received: int
    body: str


@dataclass(frozen=True, slots=True)
class DeadQueue:
    """Where the messages of one queue end (`word`: jobs, news, timers): about how many lie there,
    and some of them."""

    word: str
    depth: int
    letters: tuple[DeadLetter, ...]


class DeadLetters(Protocol):
    def look(self, *, most: int) -> list[DeadQueue]:
        """Every queue of dead letters, with up to `most` of its messages, which all stay."""
        ...


# Operators --------------------------------------------------------------------------------------
