"""Which workflows a list is to hold, by their labels: `team=a`, `team=exp-*`, `team=(a|b)`.

The words are OSMO's: `*` stands for any text, alternatives stand in parentheses that hold no
others, and several selectors are all to hold.
"""

import re

from xylem.domain.errors import InvalidRequest
from xylem.domain.values import dataclass

MOST_BYTES = 4_096
MOST_ALTERNATIVES = 32
"""OSMO's, both."""

_PART = re.compile(r"\(([^()]*)\)|\*|[^()*]+")


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """`pattern`: a regular expression for the whole value. `globs`: the same as alternatives, each
    with `*` alone for any text."""

    key: str
    pattern: str
    globs: tuple[str, ...]

    def selects(self, value: str | None) -> bool:
        return value is not None and re.fullmatch(self.pattern, value) is not None


def label_selector(text: str) -> LabelSelector:
    """Raises `InvalidRequest`."""
    key, equals, value = text.partition("=")
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise InvalidRequest(f"A label has {MOST_BYTES} bytes at the most.")
    if not equals or not key or not value:
        raise InvalidRequest(f"Label {text[:100]} selects nothing: write KEY=VALUE.")
    globs, end = [""], 0
    for part in _PART.finditer(value):
        if part.start() != end:
            break
        end = part.end()
        words = part[1].split("|") if part[1] is not None else [part[0]]
        if len(globs) * len(words) > MOST_ALTERNATIVES:
            break
        globs = [glob + word for glob in globs for word in words]
    else:
        if end == len(value):
            return LabelSelector(key, "|".join(map(_regex, globs)), tuple(globs))
    raise InvalidRequest(
        f"Label {text[:100]} is no selector: alternatives stand in parentheses, as in "
        f"team=(a|b), which hold no others, and are {MOST_ALTERNATIVES} at the most."
    )


def _regex(glob: str) -> str:
    """Each part is looked for behind the one before, and never again: `.*` for each star would try
    all ways to divide the value between them, which are more than can be counted."""
    first, *rest = map(re.escape, re.split(r"\*+", glob))
    if not rest:
        return first
    *inner, last = rest
    return first + "".join(f"(?>.*?{part})" for part in inner) + f".*{last}"
