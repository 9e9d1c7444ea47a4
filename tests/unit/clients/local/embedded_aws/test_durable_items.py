from pathlib import Path
from typing import Any

import pytest

from clients.local.embedded_aws.durable_items import DurableItems, PendingChanges
from clients.local.embedded_aws.item_store import ItemKey, ItemStore


def a_table(**items: dict[str, Any]) -> dict[str, Any]:
    return {"TableId": "t", "items": {"p": items}}


@pytest.fixture
def store(tmp_path: Path) -> ItemStore:
    return ItemStore(tmp_path / "items.sqlite3")


def test_a_key_is_written_with_the_value_it_has_at_the_commit(store: ItemStore) -> None:
    durable = DurableItems(store, save_tables=lambda: None)
    table = a_table(a={"n": {"N": "1"}})
    durable.pending.note(table, "p", "a")
    durable.pending.note(table, "p", "gone")
    table["items"]["p"]["a"] = {"n": {"N": "2"}}

    durable.commit()

    assert list(store.read("t")) == [(ItemKey("t", "p", "a"), {"n": {"N": "2"}})]


def test_a_table_that_was_replaced_whole_is_written_whole(store: ItemStore) -> None:
    durable = DurableItems(store, save_tables=lambda: None)
    durable.pending.note(a_table(old={}), "p", "old")
    durable.commit()

    durable.pending.note_all(a_table(new={}))
    durable.commit()

    assert [key.sort for key, _ in store.read("t")] == ["new"]


def test_a_tables_definition_is_saved_before_its_first_item_and_only_then(
    store: ItemStore,
) -> None:
    saved: list[list[Any]] = []
    durable = DurableItems(store, save_tables=lambda: saved.append(list(store.read("t"))))

    for sort in ("a", "b"):
        durable.pending.note(a_table(a={}, b={}), "p", sort)
        durable.commit()

    assert saved == [[]]


def test_refilled_tables_have_their_items_back(store: ItemStore) -> None:
    durable = DurableItems(store, save_tables=lambda: None)
    durable.pending.note(a_table(a={"x": {"S": "y"}}), "p", "a")
    durable.commit()

    table: dict[str, Any] = {"TableId": "t", "items": {}}
    DurableItems(store, save_tables=lambda: None).refill([table])

    assert table["items"] == {"p": {"a": {"x": {"S": "y"}}}}


def test_what_is_taken_is_not_pending_any_more() -> None:
    pending = PendingChanges()
    pending.note(a_table(a={}), "p", "a")

    assert pending
    pending.take()
    assert not pending
