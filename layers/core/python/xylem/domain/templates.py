"""Templates of Kubernetes objects, which admins name in pools: how two of them become one, and how
the variables in them get their values.

The rules are OSMO's, so that its templates make the same pods here: dictionaries are merged deeply,
lists by the `name` of what is in them, and of two other values the later one stands. Two things
differ. What is in a list twice under one name is kept twice: the two mounts of a volume are two.
And what is there already, word for word, is not added again.

A variable is `{{ NAME }}` and nothing else. OSMO renders Jinja, in a sandbox with a clock; here a
template cannot compute, so it needs neither, and what it says can be checked when it is set.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Value = str | int | float | bool | None
"""Of a variable, as admins write it."""

Template = Mapping[str, Any]
"""An object, or a part of one, as the Kubernetes API writes it."""

Filling = Value | tuple[str, ...]
"""A variable's value. None: what has only this variable as its value is left out. Several texts are
a list where the variable stands alone."""

HOLE = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")


def merged(base: Any, over: Any) -> Any:
    """`over` onto `base`, neither of which is changed."""
    match base, over:
        case Mapping(), Mapping():
            added = {
                key: merged(base[key], one) if key in base else one for key, one in over.items()
            }
            return {**base, **added}
        case ((list() | tuple()), (list() | tuple())):
            return _merged_lists(list(base), list(over))
        case _:
            return over


def _merged_lists(base: list[Any], over: list[Any]) -> list[Any]:
    places: dict[str, list[int]] = {}
    for at, item in enumerate(base):
        if name := _name(item):
            places.setdefault(name, []).append(at)
    result = list(base)
    for item in over:
        mine = places.get(_name(item) or "")
        if mine:
            at = mine.pop(0)
            result[at] = merged(result[at], item)
        elif not (isinstance(item, Mapping) and item in base):
            result.append(item)
    return result


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None


def filled(template: Any, values: Mapping[str, Filling]) -> Any:
    """With its variables' values; one that is not among them stays as it is written. A part whose
    value is None is left out."""
    match template:
        case Mapping():
            parts = {key: filled(one, values) for key, one in template.items()}
            return {key: one for key, one in parts.items() if one is not None}
        case list() | tuple():
            items = [filled(one, values) for one in template]
            return [one for one in items if one is not None]
        case str():
            return _filled_text(template, values)
        case _:
            return template


def _filled_text(text: str, values: Mapping[str, Filling]) -> str | list[str] | None:
    alone = HOLE.fullmatch(text.strip())
    if alone and alone[1] in values:
        value = values[alone[1]]
        if value is None:
            return None
        return list(value) if isinstance(value, tuple) else as_text(value)
    return HOLE.sub(lambda hole: as_text(values.get(hole[1], hole[0])), text)


def as_text(value: Filling) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def texts(template: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in it, with the path at which it stands: `spec.containers[0].image`."""
    match template:
        case Mapping():
            for key, one in template.items():
                yield from texts(one, f"{path}.{key}" if path else str(key))
        case list() | tuple():
            for at, one in enumerate(template):
                yield from texts(one, f"{path}[{at}]")
        case str():
            yield path, template


def variables(template: Any) -> dict[str, str]:
    """The variables that it names, each with the path at which it first stands."""
    found: dict[str, str] = {}
    for path, text in texts(template):
        for hole in HOLE.finditer(text):
            found.setdefault(hole[1], path)
    return found


def is_fixed(text: Any) -> bool:
    """Whether it is the same for every pod."""
    return isinstance(text, str) and HOLE.search(text) is None
