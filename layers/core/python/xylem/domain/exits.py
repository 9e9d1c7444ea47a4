"""What a task's exit code means, where the user or the pool's admin said more than "0 is success".

A rule names codes and what they come to: the task is complete, it has failed, or it is to be tried
again. The first rule that names the code counts; the task's own come before its pool's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ExitAction = Literal["complete", "fail", "reschedule"]


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
