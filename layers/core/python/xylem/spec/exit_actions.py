"""`exitActions:`: what the exit codes of a task mean, as OSMO writes it.

    exitActions:
      COMPLETE: 3,10-19
      RESCHEDULE: "137"

The first action whose codes have the one that came counts, in the order of the file. OSMO takes
ranges that end before they begin (`5-1`) or have three ends (`12-34-5`); they name no code there,
or not the ones that their author meant, so they are refused here.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from xylem.domain.exits import ACTIONS, ExitRule
from xylem.spec.model import fault, shown

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")

ACTION_PATTERN = f"^({'|'.join(''.join(f'[{c}{c.lower()}]' for c in each) for each in ACTIONS)})$"
"""For editors, whose regular expressions cannot be told to pass over the case."""

CODES_PATTERN = r"^\s*\d+(-\d+)?\s*(,\s*\d+(-\d+)?\s*)*$"


def _action(key: object) -> object:
    if isinstance(key, str) and key.upper() in ACTIONS:
        return key
    raise fault(f"{shown(key)} is no action. Known are {', '.join(ACTIONS)}.")


def _codes(value: object) -> object:
    """The spec keeps the user's own words."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise fault(f"{_said(value)} names no exit codes. {_WRITE}")
    codes_of(str(value))
    return str(value)


def _said(value: object) -> str:
    return "an empty value" if value is None else shown(value)


def codes_of(text: str) -> tuple[tuple[int, int], ...]:
    """`3,10-19` -> `((3, 3), (10, 19))`. Raises a `fault`."""
    codes = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise fault(f"{shown(text)} names no exit codes: {shown(part)} is none. {_WRITE}")
        low, high = int(found[1]), int(found[2] or found[1])
        if high < low:
            raise fault(
                f"{shown(text)} has a range that ends before it begins: write {high}-{low}."
            )
        codes.append((low, high))
    return tuple(codes)


_WRITE = "Write codes and ranges with commas between, for example 1,10-19."

ExitActions = Mapping[
    Annotated[str, BeforeValidator(_action)],
    Annotated[str, BeforeValidator(_codes)],
]


def rules(actions: Mapping[str, Any]) -> tuple[ExitRule, ...]:
    """Of actions that passed the checks, in the order of the file."""
    return tuple(ExitRule(ACTIONS[key.upper()], codes_of(codes)) for key, codes in actions.items())
