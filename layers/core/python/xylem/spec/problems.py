"""What is wrong with a spec: all of it at once, each with its path in the YAML, its line, the
value, the rule and what to change.

A `Problem` belongs to one of OSMO's error codes; a spec with problems of several codes is refused
under the first one's, because the body of an error has room for one. OSMO answers pydantic's own
text, which names Python classes and a web page; we keep the meaning of its sentences and write our
own, one line a problem.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from xylem.domain.errors import InvalidSpec, Problem

SHOWN = 100
"""Problems in one answer. Whoever has more has made one mistake many times, in a template."""

_VALUE_CHARS = 60

_WORDS = (
    ("a valid tuple", "a list"),
    ("a valid list", "a list"),
    ("a valid integer", "a whole number"),
    ("a valid boolean", "true or false"),
)
"""What pydantic calls Python's, in YAML's words."""

Location = tuple[int | str, ...]
Lines = Callable[[Location], int | None]


def problem(code: str, at: Location, text: str) -> Problem:
    return Problem(code=code, at=at, path=path_of(at), text=text)


def refusal(
    problems: Sequence[Problem], workflow: str | None = None, *, kept_as: str | None = None
) -> InvalidSpec:
    """The error that names them, of which there is at least one."""
    lines = [str(each) for each in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"... and {len(problems) - SHOWN} more")
    return InvalidSpec(
        "\n".join(lines),
        code=problems[0].code,
        workflow=workflow,
        problems=tuple(problems),
        kept_as=kept_as,
    )


def path_of(parts: Location) -> str:
    """`("workflow", "tasks", 0, "name")` -> `workflow.tasks[0].name`."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def problems_of(
    error: ValidationError, keys: Mapping[str, Sequence[str]], above: Location = ("workflow",)
) -> list[Problem]:
    """The problems that pydantic found in what stands at `above`. `keys`: which keys are known
    below `tasks`, `files`, ..."""
    return [
        problem(
            "USAGE",
            (*above, *_without_key_mark(detail["loc"])),
            _text(detail, (*above, *detail["loc"]), keys),
        )
        for detail in error.errors(include_url=False, include_context=False)
    ]


def _without_key_mark(location: Location) -> Location:
    """pydantic ends the path of a mapping's bad key in a mark of its own."""
    return location[:-1] if location and location[-1] == "[key]" else location


def _text(detail: ErrorDetails, location: Location, keys: Mapping[str, Sequence[str]]) -> str:
    match detail["type"]:
        case "missing":
            return f"is required, but missing. Write {location[-1]}: below it."
        case "extra_forbidden":
            return _unknown_key(location, keys)
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            return f"should be a map of keys and values{_value(detail['input'])}."
        case "fault" | "not_yet":
            return detail["msg"]
        case _:
            rule = detail["msg"].removeprefix("Input ").removesuffix(".")
            for python, yaml in _WORDS:
                rule = rule.replace(python, yaml)
            return f"{rule}{_value(detail['input'])}."


def _unknown_key(location: Location, keys: Mapping[str, Sequence[str]]) -> str:
    above = [part for part in location[:-1] if part in keys]
    known = sorted(keys[str(above[-1])])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}."
    return f"is no key of a workflow's spec: {hint}"


def _value(value: object) -> str:
    """Only what a person can recognise: a list or a map is found by its path."""
    match value:
        case None:
            return " (it is empty)"
        case str() | int() | float():
            shown = repr(value)
            cut = shown if len(shown) <= _VALUE_CHARS else shown[:_VALUE_CHARS] + "..."
            return f" (it is {cut})"
        case list():
            return " (it is a list)"
        case dict():
            return " (it is a map)"
        case _:
            return f" (it is {value})"
