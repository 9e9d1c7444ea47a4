"""Versions of clients as OSMO writes them: `6.4.0`, `6.4.0.rc1`."""

import re
from typing import NamedTuple

VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(\.[A-Za-z0-9]{1,40})?", re.ASCII)
"""OSMO's pattern, with an end to each part."""


class Version(NamedTuple):
    """Compared by its numbers; what comes after them does not count."""

    major: int
    minor: int
    revision: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.revision}"


def read_version(text: str) -> Version | None:
    """None: it is none."""
    found = VERSION.fullmatch(text)
    return Version(*map(int, found.groups()[:3])) if found else None
