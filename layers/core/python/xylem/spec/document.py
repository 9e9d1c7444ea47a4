"""From text to YAML values: the top-level keys of a spec, and a loader that nobody can blow up.

A spec has up to three top-level keys, which are found on the raw text, at column 0, before any
template is rendered: the values of the template's variables stand in the same file as the template.
What comes before the first key (a licence, comments) is not looked at, as in OSMO; each section
keeps its line numbers, so that an error names the line that the user sees.

PyYAML's C loader is the fast one, and it trusts its input: 200,000 opening brackets end the process
with a segmentation fault, forty lines of aliases grow for ever in a merge, a number written in base
60 takes hours. So a first pass over the events, which allocates little, refuses all three; then the
ordinary loader runs. A loader of our own on these events would save some milliseconds, and would be
a second opinion on what YAML means.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from xylem.domain.errors import InvalidSpec, TooLarge

SPEC_BYTES = 4 * 1024 * 1024
"""Design section 3: specs up to 4 MB. It holds before and after the template."""

KEYS = ("workflow", "default-values", "version")

_DEPTH = 100
"""A spec nests to about 8. The C loader survives some 10,000 with a stack of 8 MB."""

_VALUES = 1_000_000
"""With every alias written out. A workflow of 10,000 tasks has about 300,000."""

_NUMBER_CHARS = 64
_DIGITS = re.compile(r"[-+]?(0[xb][0-9a-fA-F_]+|[0-9_:.]+)")
_KEY_LINE = re.compile(r"^([a-zA-Z][a-zA-Z0-9_-]*):", re.MULTILINE)

_Loader = yaml.CSafeLoader
"""All wheels of PyYAML have it."""


def sections(text: str) -> Mapping[str, str]:
    """The text of each top-level key, on the lines on which it stands in the file.

    Raises `TooLarge` above `SPEC_BYTES`, `InvalidSpec` for keys that are unknown, come twice or
    are missing."""
    check_size(text, "The spec")
    found = list(_KEY_LINE.finditer(text.removeprefix("\ufeff")))
    names = [match[1] for match in found]
    for name in names:
        if name not in KEYS:
            raise InvalidSpec(
                f"Unknown top-level key {name}: known are {', '.join(KEYS)}. "
                "Everything else is indented below workflow.",
                code="USER",
            )
        if names.count(name) > 1:
            raise InvalidSpec(f"The top-level key {name} is there more than once.", code="USER")
    if "workflow" not in names:
        raise InvalidSpec("Workflow spec not found: no line begins with workflow:", code="USER")
    text = text.removeprefix("\ufeff")
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {
        match[1]: "\n" * text.count("\n", 0, match.start()) + text[match.start() : end]
        for match, end in zip(found, ends, strict=True)
    }


def check_size(text: str, what: str) -> None:
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size > SPEC_BYTES:
        raise TooLarge(f"{what} has {size} bytes; the most is {SPEC_BYTES}.")


def load(text: str) -> object:
    """The value of a YAML text. Raises `InvalidSpec`."""
    try:
        _check_bounds(text)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidSpec(f"The spec is not valid YAML: {_explained(error)}") from None
    except ValueError as error:
        raise InvalidSpec(f"The spec has a value that YAML cannot read: {error}.") from None


def mapping(text: str, key: str) -> Mapping[str, Any]:
    """The value below a top-level key, which has to be a map (or nothing: an empty one)."""
    document = load(text)
    value = document.get(key) if isinstance(document, dict) else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidSpec(f"{key}: should be a map of keys and values, not {_kind(value)}.")
    return value


def _check_bounds(text: str) -> None:
    sizes: dict[str | None, int] = {}
    """By anchor, with aliases written out. While the anchored value is still open: endless."""
    open_values: list[tuple[str | None, int]] = []
    size = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.ScalarEvent):
            size += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
            if event.implicit[0] and len(event.value) > _NUMBER_CHARS:
                _check_no_number(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_values.append((event.anchor, size))
            size += 1
            if event.anchor is not None:
                sizes[event.anchor] = _VALUES
            if len(open_values) > _DEPTH:
                raise _beyond(event, f"values are nested more than {_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_values.pop()
            if anchor is not None:
                sizes[anchor] = size - before
        elif isinstance(event, yaml.AliasEvent):
            size += sizes.get(event.anchor, 1)
        if size > _VALUES:
            raise _beyond(event, f"with its aliases written out it has more than {_VALUES} values")


def _check_no_number(event: yaml.ScalarEvent) -> None:
    if _DIGITS.fullmatch(event.value):
        raise _beyond(event, f"a number of more than {_NUMBER_CHARS} digits; put text in quotes")


def _beyond(event: yaml.Event, why: str) -> InvalidSpec:
    line = event.start_mark.line + 1 if event.start_mark else 1
    return InvalidSpec(f"The spec is too much to read: line {line}: {why}.")


def _explained(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"{error}."
    context = error.context
    if context and error.context_mark:
        context += f" (from line {error.context_mark.line + 1})"
    why = ", ".join(part for part in (context, error.problem) if part)
    if error.problem and "unhashable" in error.problem:
        why += " (a value that begins with {{ has to stand in quotes)"
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {why}." if mark else f"{why}."


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "one value"
