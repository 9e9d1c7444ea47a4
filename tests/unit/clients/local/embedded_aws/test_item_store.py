from pathlib import Path

import pytest

from clients.local.embedded_aws.item_store import ItemKey, ItemStore

ONE, TWO, OTHER = ItemKey("t", "p", "1"), ItemKey("t", "p", "2"), ItemKey("u", "p", "1")
ITEM = {"pk": {"S": "p"}}


@pytest.fixture
def store(tmp_path: Path) -> ItemStore:
    return ItemStore(tmp_path / "items.sqlite3")


def test_what_was_written_is_read_by_the_next_process(tmp_path: Path) -> None:
    ItemStore(tmp_path / "items.sqlite3").write([(ONE, ITEM), (OTHER, ITEM)])

    assert list(ItemStore(tmp_path / "items.sqlite3").read("t")) == [(ONE, ITEM)]


def test_a_deleted_item_is_gone_and_a_changed_one_changed(store: ItemStore) -> None:
    store.write([(ONE, ITEM), (TWO, ITEM)])
    store.write([(ONE, None), (TWO, {"new": {"N": "1"}})])

    assert list(store.read("t")) == [(TWO, {"new": {"N": "1"}})]


def test_a_write_that_fails_changes_nothing(store: ItemStore) -> None:
    with pytest.raises(TypeError):
        store.write([(ONE, ITEM), (TWO, {"no json": object()})])

    assert list(store.read("t")) == []


def test_an_emptied_table_has_what_is_written_with_it_and_nothing_else(store: ItemStore) -> None:
    store.write([(ONE, ITEM), (OTHER, ITEM)])
    store.write([(TWO, ITEM)], emptied=["t"])

    assert [key for key, _ in store.read("t")] == [TWO]
    assert [key for key, _ in store.read("u")] == [OTHER]


def test_items_of_tables_that_are_no_more_are_forgotten(store: ItemStore) -> None:
    store.write([(ONE, ITEM), (OTHER, ITEM)])
    store.keep_only(["u"])

    assert list(store.read("t")) == []
    assert [key for key, _ in store.read("u")] == [OTHER]
