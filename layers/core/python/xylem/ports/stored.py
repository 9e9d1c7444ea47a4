"""A row's value with its version, and a change of it."""

from __future__ import annotations

from typing import Generic, TypeVar

from xylem.domain.values import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value and the version that its row had when it was read."""

    value: T
    version: int


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A row as it was read, under `version`, and as it is to be."""

    version: int
    before: T
    after: T


# Jobs and mail ---------------------------------------------------------------------------------
