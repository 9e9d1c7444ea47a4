"""Lists of workflows: one Query for each read, in which DynamoDB leaves out what is not wanted.

A filter saves no reads; it saves what rows cost that nobody wants, on the wire and in this process,
where one takes longer than all else that is done with it. Labels, tags and apps are JSON there, of
which a filter sees the text: it lets through whatever may be wanted, and the rest is done here.
"""

import json
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from xylem.domain.status import WorkflowStatus
from xylem.ports.listing import Filter, Part, Rows, Scope, is_wanted, place
from xylem_aws import rows
from xylem_aws.tables.workflows import EntryRow, list_partitions

MOST_ALTERNATIVES = 50
"""Of one kind. IN takes 100 operands, an expression 4 KB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

MOST_LABELS = 3
"""Whose values DynamoDB is asked for, with 32 alternatives each; of more than that their keys."""


def read(part: Part) -> Rows:
    """Consistent: a list right after a submission shows it."""
    wanted = part.wanted
    first = place(wanted.after, "") if wanted.after else "0"
    last = place(wanted.before, "") if wanted.before else "~"
    if part.beyond and part.newest_first:
        last = min(last, part.beyond)
    elif part.beyond:
        first = max(first, part.beyond)
    if first > last:
        return Rows((), None)
    conditions = list(_conditions(wanted))
    found = EntryRow.query(
        list_partitions(part.scope)[part.number],
        EntryRow.sk.between(first, last),
        reduce(and_, conditions) if conditions else None,
        scan_index_forward=not part.newest_first,
        consistent_read=True,
        # A condition on keys includes its ends, so the place itself is looked at once more.
        page_size=part.rows + (part.beyond is not None),
    )
    page: dict[str, Any] = next(found.page_iter)
    entries = (rows.entry_of(EntryRow.from_raw_data(item)) for item in page["Items"])
    ended = page.get("LastEvaluatedKey")
    return Rows(
        tuple(
            entry
            for entry in entries
            if is_wanted(entry, wanted) and place(entry.submitted_at, entry.id) != part.beyond
        ),
        ended["sk"]["S"] if ended else None,
    )


def unfinished(scope: Scope) -> int:
    """DynamoDB counts, and sends no row."""
    return sum(
        EntryRow.count(
            partition, filter_condition=EntryRow.ended_at.does_not_exist(), consistent_read=True
        )
        for partition in list_partitions(scope)
    )


def _conditions(wanted: Filter) -> Iterator[Condition]:
    """All of what is wanted holds them."""
    if not wanted.statuses:
        yield EntryRow.status != WorkflowStatus.FAILED_SUBMISSION
    for attribute, values in (
        (EntryRow.status, wanted.statuses),
        (EntryRow.user, wanted.users),
        (EntryRow.pool, wanted.pools),
        (EntryRow.priority, wanted.priorities),
    ):
        if _are_few(values):
            yield attribute.is_in(*values)
    if wanted.name:
        yield EntryRow.id.contains(wanted.name)
    for selector in wanted.labels[:MOST_ALTERNATIVES]:
        globs = selector.globs if len(wanted.labels) <= MOST_LABELS else ("*",)
        yield reduce(or_, (_has("labels", _labelled(selector.key, glob)) for glob in globs))
    for key in wanted.no_labels[:MOST_LABELS]:
        yield ~_has("labels", _labelled(key, "*"))
    if _are_few(wanted.tags):
        yield reduce(or_, (_has("tags", _quoted(tag)) for tag in wanted.tags))
    if wanted.app:
        yield _has("app", _quoted(wanted.app[0]))


def _are_few(values: Sequence[object]) -> bool:
    return 0 < len(values) <= MOST_ALTERNATIVES


def _has(attribute: str, text: str) -> Condition:
    condition: Condition = Path(attribute).contains(text)
    return condition


def _labelled(key: str, glob: str) -> str:
    """What is in the labels of whoever has this one."""
    begin, star, _ = glob.partition("*")
    value = _quoted(begin)
    return f"{_quoted(key)}:{value[:-1] if star else value}"


def _quoted(text: str) -> str:
    """As it stands in the JSON of a row. A quote within a value has a backslash before it, so what
    is followed by a colon is a key."""
    return json.dumps(text, ensure_ascii=False)
