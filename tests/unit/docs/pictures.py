"""`docs/state-machines.md`, made of the tables of the domain: `python -m tests.unit.docs.pictures`
writes it, and a test holds it to them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from xylem.domain.status import TaskStatus
from xylem.domain.transitions import ENDED, LIVE, TABLE, Transition

PAGE = Path(__file__).parents[3] / "docs" / "state-machines.md"

_HEAD = """# What can become of a group

Made of `TABLE` in `layers/core/python/xylem/domain/transitions.py` by
`python -m tests.unit.docs.pictures`; a test holds this page to it. "An end" is COMPLETED or one of
the failures. Every arrow is labelled with the events that may lead there; an event without a row is
refused, and what has ended stays as it is.
"""


def page() -> str:
    return "\n".join([_HEAD, *_picture(), "", *_table()]) + "\n"


def _picture() -> Iterator[str]:
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event, rows in TABLE.items():
        for row in rows:
            for state in sorted(row.states & LIVE, key=lambda status: status.rank):
                for target in sorted(_shown(state, row.to)):
                    names = arrows[state, target]
                    if event.__name__ not in names:
                        names.append(event.__name__)
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    END: an end"
    for (begin, target), events in arrows.items():
        yield f"    {begin} --> {target}: {', '.join(events)}"
    yield "```"


def _shown(state: TaskStatus, targets: Iterable[TaskStatus]) -> set[str]:
    """Where it may really go: up, and all ends are one."""
    return {
        "END" if target in ENDED else str(target) for target in targets if target.rank > state.rank
    }


def _table() -> Iterator[str]:
    yield "| event | while | if | may lead to | may ask for |"
    yield "|---|---|---|---|---|"
    for event, rows in TABLE.items():
        for row in rows:
            effects = ", ".join(sorted(effect.__name__ for effect in row.effects)) or "-"
            cells = event.__name__, _while(row), _words(row), _targets(row), effects
            yield f"| {' | '.join(cells)} |"


def _while(row: Transition) -> str:
    live, ended = row.states & LIVE, bool(row.states & ENDED)
    names = [str(status) for status in sorted(live, key=lambda status: status.rank)]
    if live == LIVE:
        names = ["any live state"]
    return ", ".join([*names, *(["an end"] if ended else [])])


def _words(row: Transition) -> str:
    name = row.when.__name__.strip("_")
    return "-" if name == "always" else name.replace("_", " ")


def _targets(row: Transition) -> str:
    if row.to >= ENDED:
        return ", ".join([*sorted(row.to - ENDED, key=lambda status: status.rank), "an end"])
    return ", ".join(sorted(row.to)) or "-"


if __name__ == "__main__":
    PAGE.write_text(page())
