"""Counts in a dictionary."""

from collections import Counter
from datetime import datetime


class MemoryRates:
    def __init__(self) -> None:
        self.writes = 0
        self._counts: Counter[tuple[str, int]] = Counter()

    def add(self, key: str, window: int, many: int, *, until: datetime) -> int:
        self.writes += 1
        self._counts[key, window] += many
        return self._counts[key, window]
