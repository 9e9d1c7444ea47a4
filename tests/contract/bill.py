"""Counts the write units that DynamoDB would bill, by its own rules, from what is sent to moto.

A write is billed by the larger of the item before and after it, in steps of 1 KB, twice within a
transaction; an index adds a unit for each entry that comes, goes or changes, two where its key
changes. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

Item = Mapping[str, Any]
WRITES = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
INDEXES = {
    "due": ("pk", "sk", "due_pk", "due_sk"),
    "live": (
        *("pk", "sk", "live_pk", "live_sk"),
        *("workflow", "user", "pool", "node", "status", "start", "priority", "resources"),
    ),
}


@dataclass
class Bill:
    """Units of the table and of its indexes; `actions`: what was done to which kind of key."""

    table: int = 0
    index: int = 0
    actions: list[str] = field(default_factory=list)


@contextmanager
def billed(client: BaseClient) -> Iterator[Bill]:
    """What is written over this client meanwhile."""
    bill = Bill()
    waiting: list[tuple[str, dict[str, Any], Item, int]] = []

    def before(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "TransactWriteItems":
            for action in params["TransactItems"]:
                for verb, request in action.items():
                    waiting.append((verb, *_look(client, request), 2))
        elif model.name in WRITES:
            waiting.append((WRITES[model.name], *_look(client, params), 1))

    def after(model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if model.name not in {"TransactWriteItems", *WRITES}:
            return
        for verb, key, was, factor in waiting:
            now = _get(client, key)
            size = max(_size(was), _size(now))
            bill.table += factor * max(1, math.ceil(size / 1024))
            bill.index += sum(_index_units(name, was, now) for name in INDEXES)
            bill.actions.append(f"{verb} {key['Key']['pk']['S'].partition('#')[0]}")
        waiting.clear()

    events = client.meta.events
    events.register("provide-client-params.dynamodb", before)
    events.register("after-call.dynamodb", after)
    try:
        yield bill
    finally:
        events.unregister("provide-client-params.dynamodb", before)
        events.unregister("after-call.dynamodb", after)


def _look(client: BaseClient, request: dict[str, Any]) -> tuple[dict[str, Any], Item]:
    named = request.get("Key") or request["Item"]
    key = {"TableName": request["TableName"], "Key": {name: named[name] for name in ("pk", "sk")}}
    return key, _get(client, key)


def _get(client: BaseClient, key: dict[str, Any]) -> Item:
    found: Item = client.get_item(**key).get("Item", {})  # type: ignore[attr-defined]
    return found


def _size(item: Item) -> int:
    """Names and values: text and bytes as they are, a number half its digits, a flag one byte."""
    return sum(
        len(name.encode()) + _length(kind, value)
        for name, typed in item.items()
        for kind, value in typed.items()
    )


def _length(kind: str, value: Any) -> int:
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value)
        case "N":
            return len(value) // 2 + 2
        case _:
            return 1


def _index_units(name: str, was: Item, now: Item) -> int:
    held = INDEXES[name]
    old = {part: was[part] for part in held if part in was} if f"{name}_pk" in was else {}
    new = {part: now[part] for part in held if part in now} if f"{name}_pk" in now else {}
    if old == new:
        return 0
    moved = old and new and any(old[f"{name}_{p}"] != new[f"{name}_{p}"] for p in ("pk", "sk"))
    return 2 if moved else 1
