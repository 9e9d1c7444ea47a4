"""How many request units DynamoDB bills: arithmetic on items, as DynamoDB writes it down.

A write is billed by the larger of the item before and after it, in steps of 1 KB; a read by what
was read before any filter, in steps of 4 KB, whole when it is strongly consistent and half when it
is not. Within a transaction both count double. A write adds to each index whose entry comes, goes
or changes, once where its key stays and twice where it moves; what a transaction costs extra the
index does not pay again. Sources:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.Writes and, for the
sizes, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
"""

from collections.abc import Iterable, Mapping
from typing import Any

WRITE_BYTES = 1024
READ_BYTES = 4096

Item = Mapping[str, Any]
NO_ITEM: Item = {}


def item_size(item: Item) -> int:
    """Names and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(typed: Mapping[str, Any]) -> int:
    kind, value = _only(typed)
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return bytes_size(value)
        case "N":
            return number_size(value)
        case "SS":
            return sum(len(text.encode()) for text in value)
        case "NS":
            return sum(map(number_size, value))
        case "BS":
            return sum(map(bytes_size, value))
        case "L":
            return 3 + sum(1 + value_size(entry) for entry in value)
        case "M":
            return 3 + sum(
                1 + len(name.encode()) + value_size(entry) for name, entry in value.items()
            )
        case _:
            return 1  # NULL and BOOL


def bytes_size(base64: str) -> int:
    return len(base64) * 3 // 4 - base64.count("=")


def number_size(text: str) -> int:
    """About a byte for two significant digits, and one."""
    digits = text.lstrip("+-").partition("e")[0].partition("E")[0].replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def write_units(was: Item, now: Item, *, transaction: bool = False) -> int:
    size = max(item_size(was), item_size(now))
    return (2 if transaction else 1) * _steps(size, WRITE_BYTES)


def index_units(index: Mapping[str, Any], keys: Iterable[str], was: Item, now: Item) -> int:
    """What a write costs one index; `keys` are the table's own, which every entry holds."""
    old, new = (index_entry(index, keys, item) for item in (was, now))
    if old == new:
        return 0
    of_index = [part["AttributeName"] for part in index["KeySchema"]]
    if old and new and all(old[key] == new[key] for key in of_index):
        return _steps(max(item_size(old), item_size(new)), WRITE_BYTES)
    return sum(_steps(item_size(entry), WRITE_BYTES) for entry in (old, new) if entry)


def index_entry(index: Mapping[str, Any], keys: Iterable[str], item: Item) -> Item:
    """What the index holds of an item: nothing without all of its key."""
    of_index = [part["AttributeName"] for part in index["KeySchema"]]
    if any(key not in item for key in of_index):
        return NO_ITEM
    projection = index.get("Projection") or {}
    if projection.get("ProjectionType", "ALL") == "ALL":
        return item
    held = {*keys, *of_index, *(projection.get("NonKeyAttributes") or ())}
    return {name: value for name, value in item.items() if name in held}


def read_units(size: int, *, consistent: bool, transaction: bool = False) -> float:
    """Of one item, or of a whole Query: its items are added up before they are rounded."""
    return _steps(size, READ_BYTES) * (2 if transaction else 1 if consistent else 0.5)


def _only(typed: Mapping[str, Any]) -> tuple[str, Any]:
    [pair] = typed.items()
    return pair


def _steps(size: int, step: int) -> int:
    return max(1, -(-size // step))
