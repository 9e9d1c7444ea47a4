"""Jinja templates in specs: variables in, special tokens untouched, an end in any case.

What was valid for OSMO keeps its meaning. Beyond it: special tokens may have inner spaces (unless
the user has a variable of that name: then `{{ output }}` was the variable and stays it), and
`${#x[@]}` of a shell script is not the start of a comment. Both are put out of Jinja's sight before
it reads the text: behind NUL characters, which no YAML text may contain. Wrapping them in
`{% raw %}` would not do inside an expression or a raw block of the user's own.

A text without a mark of Jinja is not rendered at all; that saves most submissions the fork, and
each cold start of theirs the import of Jinja.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xylem.domain.errors import InvalidSpec
from xylem.domain.tokens import TOKEN
from xylem.spec.document import check_size, mapping, sections
from xylem.spec.rendered import Renderer, TemplateFault, Variables

_SHELL_LENGTH = "${#"
_MARKS = ("{{", "{%", "{#")
_HIDDEN = re.compile("\0([0-9]+)\0")


def render(
    text: str,
    *,
    set_variables: Sequence[str] = (),
    set_string_variables: Sequence[str] = (),
    renderer: Renderer | None = None,
) -> str:
    """The `workflow:` section of a spec, its template rendered: YAML, on the lines of the file.

    `set_variables` and `set_string_variables` are `NAME=VALUE`, and win over `default-values`.
    `renderer`: in a child unless told otherwise. Raises `InvalidSpec`, `TooLarge`."""
    parts = sections(text)
    variables = {
        **mapping(parts.get("default-values", ""), "default-values"),
        **dict(_assignment(each, _number_or_text) for each in set_variables),
        **dict(_assignment(each, str) for each in set_string_variables),
    }
    template, hidden = _hide(parts["workflow"], variables)
    if any(mark in template for mark in _MARKS):
        try:
            template = (renderer or _in_child)(template, variables)
        except TemplateFault as fault:
            raise InvalidSpec(f"The template cannot be rendered: {fault}") from None
        check_size(template, "The rendered spec")
    return _HIDDEN.sub(lambda found: hidden.get(found[1], found[0]), template)


def _in_child(template: str, variables: Variables) -> str:
    from xylem.spec.jinja import rendered_in_child  # noqa: PLC0415 - for marks alone

    return rendered_in_child(template, variables)


def _hide(text: str, variables: Variables) -> tuple[str, Mapping[str, str]]:
    """The text without what Jinja must not see, and what to put back for each number.

    Tokens come back in the form without spaces, the only one that OSMO knows."""
    hidden: dict[str, str] = {}

    def hide(original: str) -> str:
        number = str(len(hidden))
        hidden[number] = original
        return f"\0{number}\0"

    def hide_token(found: re.Match[str]) -> str:
        token = f"{{{{{found[1]}}}}}"
        if found[0] != token and found[1] in variables:
            return found[0]
        return hide(token)

    return TOKEN.sub(hide_token, text).replace(_SHELL_LENGTH, hide(_SHELL_LENGTH)), hidden


def _assignment(text: str, value_of: Callable[[str], Any]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidSpec(f"Variable {text} is incorrectly formatted: write NAME=VALUE.")
    return name, value_of(value)


def _number_or_text(text: str) -> int | float | str:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
