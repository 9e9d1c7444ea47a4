"""Whoever is outside, in this process: they hear, and answer as they are told to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from xylem.domain.errors import InvalidRequest
from xylem.domain.target import target_of
from xylem.ports.outside import NotAllowed, Reply


class Posted(NamedTuple):
    url: str
    headers: Mapping[str, str]
    body: bytes


class MemoryOutside:
    """`answer` may raise, too."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answer: Callable[[Posted], Reply] = lambda _: Reply(200)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            target_of(url)
        except InvalidRequest as error:
            raise NotAllowed(str(error)) from None
        posted = Posted(url, dict(headers), body)
        self.posted.append(posted)
        return self.answer(posted)


class Mail(NamedTuple):
    id: str
    sender: str
    to: str
    subject: str
    text: str


class MemoryMailer:
    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, id: str, *, sender: str, to: str, subject: str, text: str) -> None:
        self.sent.append(Mail(id, sender, to, subject, text))
