"""What holds for each template of a Kubernetes object that an admin may set, whatever it is of.

It is small and flat before anything walks it, its texts are texts, and nothing in it is computed.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import to_json

from xylem.domain.errors import InvalidRequest
from xylem.domain.templates import HOLE, Template, texts

TEMPLATE_BYTES = 32 * 1024
"""All templates of a kind are one row of 400 KB; OSMO's longest documented one has two."""

DEPTH = 20
"""A pod's own fields are eleven deep."""

_OPEN = re.compile(r"\{\{|\{%|\{#")


def require_sound(
    config: Template, at: str, problems_of: Callable[[Template], Iterable[str]]
) -> None:
    """`problems_of`: what its own kind has against it, each with its path below the template.
    Raises `InvalidRequest` with all that is wrong, each with its path below `at`."""
    if not _is_flat(config):
        raise InvalidRequest(f"{at}: it is nested more than {DEPTH} deep.")
    problems = [f"{at}{problem}" for problem in (*_unreadable(config), *problems_of(config))]
    if not problems and (size := len(to_json(config))) > TEMPLATE_BYTES:
        problems = [f"{at}: it has {size} bytes; a template has {TEMPLATE_BYTES} at the most."]
    if problems:
        raise InvalidRequest("\n".join(problems))


def _unreadable(config: Template) -> Iterator[str]:
    """Half a surrogate pair; and what OSMO would have Jinja compute."""
    for path, text in texts(config):
        try:
            text.encode()
        except UnicodeEncodeError:
            yield ": a text holds half of a surrogate pair."
            return
        if _OPEN.search(HOLE.sub("", text)):
            yield (
                f".{path}: {text[:60]} is more than variables: only {{{{NAME}}}} is filled "
                f"in, nothing is computed."
            )
    for key in _keys(config):
        if _OPEN.search(key):
            yield f": the key {key[:60]} has variables, which only values may have."


def _keys(template: Any) -> Iterator[str]:
    if isinstance(template, Mapping):
        yield from map(str, template)
    for inner in _inside(template):
        yield from _keys(inner)


def _inside(template: Any) -> Collection[Any]:
    if isinstance(template, Mapping):
        return template.values()
    return template if isinstance(template, list) else ()


def says(config: Template, path: str) -> bool:
    """Whether something stands at this path of names and dots."""
    inner: Any = config
    for key in path.split("."):
        if not isinstance(inner, Mapping) or key not in inner:
            return False
        inner = inner[key]
    return True


def text_problems(part: str, config: Template, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        found = config.get(part, {}).get(key, {})
        if not isinstance(found, Mapping):
            yield f".{part}.{key}: is no dictionary."
            continue
        for name, value in found.items():
            if not isinstance(value, str):
                yield f".{part}.{key}.{name}: is {to_json(value).decode()}, but no text."


def _is_flat(template: Any) -> bool:
    """Before anything walks it."""
    level = [template]
    for _ in range(DEPTH):
        level = [inner for one in level for inner in _inside(one)]
    return not level
