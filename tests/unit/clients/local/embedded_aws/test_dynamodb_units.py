"""The rules by which DynamoDB bills, one example each."""

from typing import Any

import pytest

from clients.local.embedded_aws.dynamodb_units import (
    index_units,
    item_size,
    read_units,
    write_units,
)

KEYS = ("pk", "sk")
DUE = {
    "IndexName": "due",
    "KeySchema": [{"AttributeName": "due_pk"}, {"AttributeName": "due_sk"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
LIVE = {**DUE, "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["status"]}}


def an_item(size: int = 10, **attributes: str) -> dict[str, Any]:
    """Of so many bytes, keys aside."""
    typed = {name: {"S": value} for name, value in attributes.items()}
    return {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"S": "x" * (size - 1)}, **typed}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "äb"}, 3),
        ({"B": "AAAA"}, 3),
        ({"B": "AA=="}, 1),
        ({"N": "0"}, 1),
        ({"N": "12345"}, 4),
        ({"N": "-12"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "2"]}, 4),
        ({"L": [{"S": "a"}, {"S": "b"}]}, 7),
        ({"M": {"k": {"S": "v"}}}, 6),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(value: dict[str, Any], size: int) -> None:
    assert item_size({"name": value}) == 4 + size


def test_a_write_is_billed_by_the_larger_of_before_and_after_in_steps_of_1_kb() -> None:
    assert write_units({}, an_item(1000)) == 1
    assert write_units({}, an_item(1025)) == 2
    assert write_units(an_item(2000), an_item()) == 2
    assert write_units(an_item(2000), {}) == 2


def test_removing_what_is_not_there_is_a_write_too() -> None:
    assert write_units({}, {}) == 1


def test_a_transaction_writes_and_reads_at_twice_the_price() -> None:
    assert write_units({}, an_item(1025), transaction=True) == 4
    assert read_units(100, consistent=True, transaction=True) == 2


def test_a_read_is_billed_in_steps_of_4_kb_and_half_when_it_may_be_old() -> None:
    assert read_units(4096, consistent=True) == 1
    assert read_units(4097, consistent=True) == 2
    assert read_units(4097, consistent=False) == 1
    assert read_units(0, consistent=False) == 0.5


def test_an_index_is_not_billed_for_what_it_does_not_hold() -> None:
    assert index_units(DUE, KEYS, {}, an_item()) == 0
    before, after = (an_item(due_pk="0", due_sk="1", status=s) for s in ("RUNNING", "COMPLETED"))
    assert index_units(DUE, KEYS, before, after) == 0


def test_an_index_is_billed_for_an_entry_that_comes_goes_changes_or_moves() -> None:
    entry = an_item(due_pk="0", due_sk="1", status="RUNNING")
    changed = {**entry, "status": {"S": "COMPLETED"}}
    moved = {**entry, "due_sk": {"S": "2"}}

    assert index_units(DUE, KEYS, an_item(), entry) == 1
    assert index_units(DUE, KEYS, entry, {}) == 1
    assert index_units(LIVE, KEYS, entry, changed) == 1
    assert index_units(DUE, KEYS, entry, moved) == 2


def test_an_index_of_all_attributes_is_billed_by_the_size_of_the_item() -> None:
    everything = {**DUE, "Projection": {"ProjectionType": "ALL"}}

    assert index_units(everything, KEYS, {}, an_item(1500, due_pk="0", due_sk="1")) == 2
