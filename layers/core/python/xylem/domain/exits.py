"""What a task's exit code means, where the user or the pool's admin said more than "0 is success".

A rule names codes and what they come to: the task is complete, it has failed, or it is to be tried
again. The first rule that names the code counts; the task's own come before its pool's.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from xylem.domain.values import dataclass

ExitAction = Literal["complete", "fail", "reschedule"]

ACTIONS: Mapping[str, ExitAction] = MappingProxyType(
    {"COMPLETE": "complete", "FAIL": "fail", "RESCHEDULE": "reschedule"}
)
"""As specs and configs of pools write them, in any case of letters."""


@dataclass(frozen=True, slots=True)
class ExitRule:
    """`codes`: ranges, both ends included."""

    action: ExitAction
    codes: tuple[tuple[int, int], ...]

    def names(self, code: int) -> bool:
        return any(low <= code <= high for low, high in self.codes)


def action_for(code: int | None, rules: Iterable[ExitRule]) -> ExitAction | None:
    """None: no rule says anything about it, or there is no code."""
    if code is None:
        return None
    return next((rule.action for rule in rules if rule.names(code)), None)


_CODES = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})?")


def parse_codes(text: str) -> tuple[tuple[int, int], ...]:
    """`1,3000-3006` -> ranges. Raises `ValueError` with a sentence. OSMO takes `5-1`, which names
    nothing, and `1-2-3`, of which nobody knows what it names; both are refused."""
    ranges = []
    for part in text.replace(" ", "").split(","):
        if not _CODES.fullmatch(part):
            raise ValueError(f'"{text}" names no exit codes: write them as 1,3000-3006.')
        low, _, high = part.partition("-")
        if int(low) > int(high or low):
            raise ValueError(f'"{part}" names no exit code: write the lower one first.')
        ranges.append((int(low), int(high or low)))
    return tuple(ranges)
