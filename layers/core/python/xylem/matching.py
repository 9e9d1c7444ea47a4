"""Which names a user's regular expression finds, when it may never end.

`(a+)+$` takes longer than the universe has for a name of sixty letters, holds Python's lock all the
while, and no signal reaches a thread that is in it. So it is tried in a child (`sandbox`), for all
names at once: half a second of CPU time is a million names of an honest expression.

Rejected: RE2, which always ends, but knows no look-around and no back references, which OSMO's
specs may have; and to refuse what looks dangerous, which `(\\w+/)*` does, too, and is not.
"""

import re
from collections.abc import Sequence

from xylem.sandbox import Exceeded, Limits, in_child


class BadPattern(Exception):
    """It does not compile, or finds no end. The message says what to change."""


def matching(regex: str, names: Sequence[str], limits: Limits | None = None) -> list[bool]:
    """For each name, whether the expression is found in it; an empty one is found in all. Raises
    `BadPattern`."""
    if not regex or not names:
        return [True] * len(names)
    try:
        pattern = re.compile(regex)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadPattern(f"regex {regex[:200]!r}: {error}.") from None

    def search() -> bytes:
        return bytes(pattern.search(name) is not None for name in names)

    try:
        found = in_child(search, limits or Limits(output_bytes=max(len(names), 1)))
    except Exceeded as error:
        raise BadPattern(
            f"regex {regex[:200]!r} takes too much {error.bound} on names like {names[0][:100]!r}: "
            "do not repeat what is repeated, as in (a+)+."
        ) from None
    return [each == 1 for each in found]
