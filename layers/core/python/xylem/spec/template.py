"""Jinja templates in specs: variables in, special tokens untouched, an end in any case.

What was valid for OSMO keeps its meaning. Beyond it: special tokens may have inner spaces (unless
the user has a variable of that name: then `{{ output }}` was the variable and stays it), and
`${#x[@]}` of a shell script is not the start of a comment. Both are put out of Jinja's sight before
it reads the text: behind NUL characters, which no YAML text may contain. Wrapping them in
`{% raw %}` would not do inside an expression or a raw block of the user's own.

A text without a mark of Jinja is not rendered at all; that saves most submissions the fork.
"""

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from xylem.domain.errors import InvalidSpec
from xylem.domain.tokens import TOKEN
from xylem.spec.document import check_size, mapping, sections
from xylem.spec.sandbox import Bound, Exceeded, Limits, in_child

Variables = Mapping[str, Any]
Renderer = Callable[[str, Variables], str]
"""Renders one template. Raises `TemplateFault`."""

_SHELL_LENGTH = "${#"
_MARKS = ("{{", "{%", "{#")
_HIDDEN = re.compile("\0([0-9]+)\0")


class TemplateFault(Exception):
    """The template cannot be rendered, in a sentence for its author."""


def render(
    text: str,
    *,
    set_variables: Sequence[str] = (),
    set_string_variables: Sequence[str] = (),
    renderer: Renderer | None = None,
) -> str:
    """The `workflow:` section of a spec, its template rendered: YAML, on the lines of the file.

    `set_variables` and `set_string_variables` are `NAME=VALUE`, and win over `default-values`.
    `renderer`: `rendered_in_child` unless told otherwise. Raises `InvalidSpec`, `TooLarge`."""
    parts = sections(text)
    variables = {
        **mapping(parts.get("default-values", ""), "default-values"),
        **dict(_assignment(each, _number_or_text) for each in set_variables),
        **dict(_assignment(each, str) for each in set_string_variables),
    }
    template, hidden = _hide(parts["workflow"], variables)
    if any(mark in template for mark in _MARKS):
        try:
            template = (renderer or rendered_in_child)(template, variables)
        except TemplateFault as fault:
            raise InvalidSpec(f"The template cannot be rendered: {fault}") from None
        check_size(template, "The rendered spec")
    return _HIDDEN.sub(lambda found: hidden.get(found[1], found[0]), template)


def rendered_in_child(template: str, variables: Variables, *, limits: Limits | None = None) -> str:
    """A `Renderer` that comes back, whatever the template does."""
    limits = limits or Limits()

    def work() -> bytes:
        try:
            return b"+" + rendered_here(template, variables).encode()
        except TemplateFault as fault:
            return b"-" + str(fault).encode(errors="replace")
        except UnicodeEncodeError:
            return b"-it makes characters that no text has (half of a surrogate pair)."

    try:
        answer = in_child(work, limits)
    except Exceeded as exceeded:
        raise TemplateFault(_bound(exceeded.bound, limits)) from None
    if not answer.startswith(b"+"):
        raise TemplateFault(answer[1:].decode())
    return answer[1:].decode()


def rendered_here(template: str, variables: Variables) -> str:
    """A `Renderer` in this process, for templates that are known to end."""
    try:
        return _ENVIRONMENT.from_string(template).render(variables)
    except MemoryError:
        raise
    except TemplateSyntaxError as error:
        raise TemplateFault(f"line {error.lineno}: {error.message}") from None
    except UndefinedError as error:
        raise TemplateFault(
            f"{_line(error)}{error.message}. Give it a value under default-values, or with --set."
        ) from None
    except TemplateError as error:
        raise TemplateFault(f"{_line(error)}{error.message}") from None
    except Exception as error:
        # The template is a program: whatever it raises is its author's to read.
        raise TemplateFault(f"{_line(error)}{type(error).__name__}: {error}") from None


_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined)


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


def _line(error: Exception) -> str:
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == "<template>"
    ]
    return f"line {lines[-1]}: " if lines else ""


def _bound(bound: Bound, limits: Limits) -> str:
    match bound:
        case Bound.TIME:
            return f"it runs longer than {limits.cpu_seconds} s. Does a loop in it never end?"
        case Bound.MEMORY:
            return f"it needs more than {limits.memory_bytes >> 20} MiB of memory."
        case Bound.OUTPUT:
            return f"it makes a text of more than {limits.output_bytes >> 20} MiB."
