"""What is said to people and programs outside of the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


class NotReached(Exception):
    """No answer: it may be there later."""


class NotAllowed(Exception):
    """An address that nobody may be sent to."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`body`: the beginning of it."""

    status: int
    body: bytes = b""


class Outside(Protocol):
    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """No redirect is followed. Raises `NotReached`, `NotAllowed`."""
        ...


class Mailer(Protocol):
    def send(self, id: str, *, sender: str, to: str, subject: str, text: str) -> None:
        """Raises `NotReached`, `NotAllowed` for a sender or receiver that is refused for good."""
        ...
