"""What is wrong with a spec: all of it at once, each with its path in the YAML and what to change.

A `Problem` belongs to one of OSMO's error codes; a spec with problems of several codes is refused
under the first one's, because the body of an error has room for one. OSMO answers pydantic's own
text, which names Python classes and a web page; we keep the meaning of its sentences and write our
own, one line a problem.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from xylem.domain.errors import InvalidSpec

SHOWN = 20
"""Problems in one answer. Whoever has more has made one mistake many times, in a template."""

_VALUE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Problem:
    code: str
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def refusal(problems: Sequence[Problem], workflow: str | None = None) -> InvalidSpec:
    """The error that names them, of which there is at least one."""
    lines = [str(problem) for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"... and {len(problems) - SHOWN} more")
    return InvalidSpec("\n".join(lines), code=problems[0].code, workflow=workflow)


def path_of(parts: Sequence[int | str]) -> str:
    """`("workflow", "tasks", 0, "name")` -> `workflow.tasks[0].name`."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def problems_of(error: ValidationError, keys: Mapping[str, Sequence[str]]) -> list[Problem]:
    """The problems that pydantic found. `keys`: which keys are known below `tasks`, `files`, ..."""
    return [
        Problem(
            "USAGE", path_of(("workflow", *_without_key_mark(detail["loc"]))), _text(detail, keys)
        )
        for detail in error.errors(include_url=False, include_context=False)
    ]


def _without_key_mark(location: Sequence[int | str]) -> Sequence[int | str]:
    """pydantic ends the path of a mapping's bad key in a mark of its own."""
    return location[:-1] if location and location[-1] == "[key]" else location


def _text(detail: ErrorDetails, keys: Mapping[str, Sequence[str]]) -> str:
    match detail["type"]:
        case "missing":
            return "is required, but missing."
        case "extra_forbidden":
            return _unknown_key(detail["loc"], keys)
        case "fault" | "not_yet":
            return detail["msg"]
        case _:
            rule = detail["msg"].removeprefix("Input ").removesuffix(".")
            return f"{rule}{_value(detail['input'])}."


def _unknown_key(location: Sequence[int | str], keys: Mapping[str, Sequence[str]]) -> str:
    above = [part for part in ("workflow", *location[:-1]) if part in keys]
    known = sorted(keys[str(above[-1])])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}."
    return f"is no key of a workflow's spec: {hint}"


def _value(value: object) -> str:
    """Only what a person can recognise: a list or a map is found by its path."""
    if not isinstance(value, str | int | float):
        return ""
    shown = repr(value)
    return f" (it is {shown if len(shown) <= _VALUE_CHARS else shown[:_VALUE_CHARS] + '...'})"
