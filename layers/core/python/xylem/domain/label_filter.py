"""Which workflows a list is to hold, by their labels: `team=a`, `team=exp-*`, `team=(a|b)`.

The words are OSMO's: `*` stands for any text, alternatives stand in parentheses that hold no
others, and several selectors are all to hold.
"""

import re
from itertools import product

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
    pattern, alternatives, end = "", 1, 0
    choices: list[list[str]] = []
    for part in _PART.finditer(value):
        if part.start() != end:
            break
        end = part.end()
        match part[0]:
            case "*":
                choices.append(["*"])
                pattern += "" if pattern.endswith(".*") else ".*"
            case one if one.startswith("("):
                words = part[1].split("|")
                choices.append(words)
                alternatives *= len(words)
                pattern += f"(?:{'|'.join(map(_globbed, words))})"
            case plain:
                choices.append([plain])
                pattern += re.escape(plain)
    if end != len(value) or alternatives > MOST_ALTERNATIVES:
        raise InvalidRequest(
            f"Label {text[:100]} is no selector: alternatives stand in parentheses, as in "
            f"team=(a|b), which hold no others, and are {MOST_ALTERNATIVES} at the most."
        )
    return LabelSelector(key, pattern, tuple(map("".join, product(*choices))))


def _globbed(word: str) -> str:
    return ".*".join(re.escape(part) for part in re.split(r"\*+", word))
