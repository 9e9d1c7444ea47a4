"""Labels of workflows: they go onto pods, so Kubernetes' rules hold.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

import re
from collections.abc import Mapping, Sequence

from xylem.domain.errors import InvalidSpec

MOST = 16
"""OSMO's limit."""

_PREFIX = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
_WORD = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def given(assignments: Sequence[str]) -> Mapping[str, str]:
    """Labels given as `KEY=VALUE` beside the spec. Raises `InvalidSpec`."""
    labels = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals:
            raise InvalidSpec(f"Label {text} is incorrectly formatted: write KEY=VALUE.")
        if fault := fault_of(key, value):
            raise InvalidSpec(f"Label {text} is incorrectly formatted: {fault}.")
        labels[key] = value
    return labels


def fault_of(key: str, value: str) -> str | None:
    """What is wrong with a label, or None."""
    prefix, slash, name = key.rpartition("/")
    if slash and not _PREFIX.fullmatch(prefix):
        return f'the prefix "{prefix}" of its key is no DNS name in lower case'
    if not _WORD.fullmatch(name):
        return f'"{name}" is no key: {_RULE}'
    if not _WORD.fullmatch(value):
        return f'"{value}" is no value: {_RULE}'
    return None


def is_word(text: str) -> bool:
    """Whether it can be the value of a label."""
    return _WORD.fullmatch(text) is not None


_RULE = "use 1 to 63 letters, digits, -, _ and ., with a letter or digit at both ends"
