"""What each request to DynamoDB is billed, by table and index.

Seams. `dynamodb.handle_request` has no await between its beginning and its end, so what is in the
tables before and after it is what this one request found and left. The items of a Query or a Scan
pass `_paginate_evaluated_items` before they are filtered, which is what is billed. The arithmetic
is in `dynamodb_units`.

What a condition refuses is billed as a write of the items that were there, and a check within a
transaction as a write, too. (AWS says so of single writes; how much of a transaction that was
cancelled is billed it does not say: here it is all of it, as if it had been done.)

ministack counts units itself when it is asked to (`ReturnConsumedCapacity`), but none for
BatchGetItem nor for what a condition refused.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

from clients.local.embedded_aws.durable_items import HANDLE_REQUEST, TABLES
from clients.local.embedded_aws.dynamodb_units import (
    NO_ITEM,
    Item,
    index_entry,
    index_units,
    item_size,
    read_units,
    write_units,
)
from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.usage import Meter

DYNAMODB = "ministack.services.dynamodb"
EVALUATED = Seam(DYNAMODB, "_paginate_evaluated_items", ("items", "limit", "table", "index_name"))
KEY_VALUE = Seam(DYNAMODB, "_extract_key_val", ("attr",))
SEAMS = (EVALUATED, KEY_VALUE)

Table = Mapping[str, Any]


REFUSED = " (refused)"


class Units(NamedTuple):
    meter: Meter
    what: str
    """The table, or `table/index`; with `REFUSED` for what was tried in vain."""
    amount: float


@dataclass(frozen=True, slots=True)
class Touched:
    """A row that a request names, with what was there before."""

    table: Table
    key: tuple[str, str]
    was: Item

    @property
    def now(self) -> Item:
        return _look(self.table, self.key)


@dataclass(frozen=True, slots=True)
class Page:
    """What a Query or a Scan read, before its filter."""

    table: str
    index: str | None
    size: int


WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
# What is answered with one of these was tried, and is billed; what is malformed is not.
BILLED_REFUSALS = (b"ConditionalCheckFailedException", b"TransactionCanceledException")


def touched_by(action: str, request: Mapping[str, Any]) -> list[Touched]:
    """The rows that a request names, as they are now."""
    return [
        touched
        for table, keyed in _named(action, request)
        if (touched := _touch(table, keyed)) is not None
    ]


def _named(action: str, request: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """(table, key or whole item)"""
    match action:
        case "PutItem":
            yield request["TableName"], request["Item"]
        case "GetItem" | "UpdateItem" | "DeleteItem":
            yield request["TableName"], request["Key"]
        case "TransactWriteItems" | "TransactGetItems":
            for entry in request["TransactItems"]:
                for part in entry.values():
                    yield part["TableName"], part.get("Key") or part["Item"]
        case "BatchGetItem":
            for table, wanted in request["RequestItems"].items():
                yield from ((table, key) for key in wanted["Keys"])
        case "BatchWriteItem":
            for table, entries in request["RequestItems"].items():
                for entry in entries:
                    for part in entry.values():
                        yield table, part.get("Key") or part["Item"]


def _touch(name: str, keyed: Item) -> Touched | None:
    table = TABLES.get().get(name.rpartition("/")[2])
    if table is None:
        return None
    value = KEY_VALUE.get()
    sort = table.get("sk_name")
    key = (value(keyed.get(table["pk_name"])), value(keyed.get(sort)) if sort else "__no_sort__")
    return Touched(table, key, _look(table, key))


def _look(table: Table, key: tuple[str, str]) -> Item:
    found: Item = table["items"].get(key[0], NO_ITEM).get(key[1]) or NO_ITEM
    return found


def units_of(
    action: str, request: Mapping[str, Any], touched: Iterable[Touched], pages: Iterable[Page]
) -> Iterator[Units]:
    """What the request is billed for, after it was served."""
    transaction = action.startswith("Transact")
    if action in WRITES:
        for row in touched:
            yield from _written(row, transaction=transaction)
        return
    for row in touched:
        consistent = _is_consistent(action, request, row.table["TableName"])
        amount = read_units(item_size(row.was), consistent=consistent, transaction=transaction)
        yield Units(Meter.DYNAMODB_READS, row.table["TableName"], amount)
    for page in pages:
        what = f"{page.table}/{page.index}" if page.index else page.table
        amount = read_units(page.size, consistent=bool(request.get("ConsistentRead")))
        yield Units(Meter.DYNAMODB_READS, what, amount)


def _written(row: Touched, *, transaction: bool) -> Iterator[Units]:
    name, now = row.table["TableName"], row.now
    amount = write_units(row.was, now, transaction=transaction)
    yield Units(Meter.DYNAMODB_WRITES, name, amount)
    for index in row.table.get("GlobalSecondaryIndexes") or ():
        if of_index := index_units(index, _keys(row.table), row.was, now):
            yield Units(Meter.DYNAMODB_WRITES, f"{name}/{index['IndexName']}", of_index)


def _is_consistent(action: str, request: Mapping[str, Any], table: str) -> bool:
    asked = request["RequestItems"].get(table, {}) if action == "BatchGetItem" else request
    return bool(asked.get("ConsistentRead"))


_units: ContextVar[list[Units] | None] = ContextVar("units", default=None)
_pages: ContextVar[list[Page] | None] = ContextVar("pages", default=None)


@contextmanager
def counted() -> Iterator[list[Units]]:
    """What DynamoDB bills for the requests that are served meanwhile, by this task."""
    units: list[Units] = []
    before = _units.set(units)
    try:
        yield units
    finally:
        _units.reset(before)


def install() -> None:
    def counting(stock: Callable[..., Any]) -> Callable[..., Any]:
        async def handle_request(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any
        ) -> Any:
            units = _units.get()
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            request = _parsed(body)
            try:
                touched = touched_by(action, request)
            except (KeyError, TypeError, AttributeError):
                touched = []  # malformed, as the answer will say
            pages: list[Page] = []
            before = _pages.set(pages)
            try:
                answer = await stock(method, path, headers, body, query_params)
            finally:
                _pages.reset(before)
            if units is not None:
                units.extend(_as_answered(units_of(action, request, touched, pages), answer))
            return answer

        return handle_request

    def noting(stock: Callable[..., Any]) -> Callable[..., Any]:
        def paginate(items: Any, limit: Any, table: Table, index_name: str | None = None) -> Any:
            page, stopped = stock(items, limit, table, index_name)
            pages = _pages.get()
            if pages is not None:
                pages.append(Page(table["TableName"], index_name, _size(page, table, index_name)))
            return page, stopped

        return paginate

    HANDLE_REQUEST.wrap(counting)
    EVALUATED.wrap(noting)


def _size(page: Iterable[Item], table: Table, index_name: str | None) -> int:
    index = next(
        (
            index
            for index in table.get("GlobalSecondaryIndexes") or ()
            if index["IndexName"] == index_name
        ),
        None,
    )
    if index is None:
        return sum(map(item_size, page))
    return sum(item_size(index_entry(index, _keys(table), item)) for item in page)


def _keys(table: Table) -> list[str]:
    return [key for key in (table["pk_name"], table.get("sk_name")) if key]


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _as_answered(units: Iterable[Units], answer: Any) -> Iterator[Units]:
    """All, if it was done; as refused, if a condition did not hold; none, if it was malformed."""
    status, _, body = answer
    if status == 200:
        yield from units
        return
    text = body if isinstance(body, bytes) else str(body).encode()
    if any(refusal in text for refusal in BILLED_REFUSALS):
        for unit in units:
            yield unit._replace(what=unit.what + REFUSED)
