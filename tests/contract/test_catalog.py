"""What every `Catalog` promises: names are one's own, numbers are drawn once, contents are kept for
whoever needs them."""

from datetime import timedelta

import pytest

from tests.builders import NOON
from tests.contract.conftest import Stores
from xylem.domain.dataset import (
    ABANDONED,
    GRACE,
    RECOVERABLE,
    Dataset,
    DatasetId,
    DatasetType,
    Member,
    Version,
    VersionStatus,
)
from xylem.domain.dataset_config import Bucket, DatasetConfig
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.manifest import Content
from xylem.domain.values import replace
from xylem.ports.catalog import MOST_CONTENTS, Catalog, CatalogCommit

ALICE = UserName("alice")
ID = DatasetId("A" * 22)
HASH = "0123456789abcdef0123456789abcdef"


def a_dataset(name: str = "ds", id: str = ID, bucket: str = "prod") -> Dataset:
    location = f"s3://sets/prod/{id}"
    kind = DatasetType.DATASET
    return Dataset(DatasetId(id), bucket, name, kind, ALICE, NOON, location, labels={"a": [1, "x"]})


def a_version(number: int = 1, status: VersionStatus = VersionStatus.PENDING) -> Version:
    return Version(ID, "s3://sets/prod/id", number, status, ALICE, NOON, NOON, {"description": "d"})


def kept(catalog: Catalog, dataset: Dataset | None = None) -> Dataset:
    made = dataset or a_dataset()
    catalog.commit(CatalogCommit(datasets=((None, made),)))
    return made


def begun(catalog: Catalog, number: int = 1) -> Version:
    catalog.begin(a_dataset(), a_version(number))
    return a_version(number)


def moved(catalog: Catalog, number: int, status: VersionStatus) -> None:
    stored = catalog.version(ID, number)
    assert stored is not None
    after = replace(stored.value, status=status)
    catalog.commit(CatalogCommit(versions=((stored, after),)))


def a_content(digit: str = "0", size: int = 7) -> Content:
    return Content(digit + HASH[1:], size)


def test_a_dataset_is_found_by_its_name_and_by_its_id(stores: Stores) -> None:
    made = kept(stores.catalog)

    found = stores.catalog.dataset("prod", "ds")
    assert found is not None
    assert found.value == made
    assert stores.catalog.place(ID) == ("prod", "ds")
    assert stores.catalog.dataset("prod", "other") is None
    assert stores.catalog.place(DatasetId("B" * 22)) is None


def test_the_datasets_of_a_bucket_are_listed_by_name(stores: Stores) -> None:
    for name, id, bucket in (("b", "B", "prod"), ("a", "A", "prod"), ("c", "C", "other")):
        kept(stores.catalog, a_dataset(name, id * 22, bucket))

    assert [one.value.name for one in stores.catalog.datasets("prod")] == ["a", "b"]


def test_a_name_that_is_taken_stays_with_the_first(stores: Stores) -> None:
    made = kept(stores.catalog)

    with pytest.raises(Conflict):
        kept(stores.catalog, a_dataset(id="B" * 22))
    found = stores.catalog.dataset("prod", "ds")
    assert found is not None
    assert found.value == made
    assert stores.catalog.place(DatasetId("B" * 22)) is None


def test_a_dataset_is_changed_by_whoever_read_it_last(stores: Stores) -> None:
    kept(stores.catalog)
    first = stores.catalog.dataset("prod", "ds")
    assert first is not None
    tagged = replace(first.value, tags={"base": 1})
    stores.catalog.commit(CatalogCommit(datasets=((first, tagged),)))

    with pytest.raises(Conflict):
        stores.catalog.commit(CatalogCommit(datasets=((first, replace(tagged, tags={})),)))
    found = stores.catalog.dataset("prod", "ds")
    assert found is not None
    assert found.value == tagged


def test_a_rename_takes_numbers_and_place_along(stores: Stores) -> None:
    made = kept(stores.catalog)
    assert [stores.catalog.draw(made) for _ in range(2)] == [1, 2]
    stored = stores.catalog.dataset("prod", "ds")
    renamed = replace(made, name="new")
    stores.catalog.commit(CatalogCommit(datasets=((stored, renamed),)))

    assert stores.catalog.dataset("prod", "ds") is None
    assert stores.catalog.place(ID) == ("prod", "new")
    assert stores.catalog.draw(renamed) == 3
    with pytest.raises(Conflict):
        stores.catalog.draw(made)


def test_a_rename_takes_no_name_of_another(stores: Stores) -> None:
    made = kept(stores.catalog)
    kept(stores.catalog, a_dataset("new", "B" * 22))
    stored = stores.catalog.dataset("prod", "ds")

    with pytest.raises(Conflict):
        stores.catalog.commit(CatalogCommit(datasets=((stored, replace(made, name="new")),)))
    assert stores.catalog.place(ID) == ("prod", "ds")


def test_a_dataset_goes_only_if_no_number_was_drawn_meanwhile(stores: Stores) -> None:
    made = kept(stores.catalog)
    stored = stores.catalog.dataset("prod", "ds")
    last = stores.catalog.last_number("prod", "ds")
    stores.catalog.draw(made)

    with pytest.raises(Conflict):
        stores.catalog.commit(CatalogCommit(datasets=((stored, None),), numbers=last))
    last = stores.catalog.last_number("prod", "ds")
    stored = stores.catalog.dataset("prod", "ds")
    stores.catalog.commit(CatalogCommit(datasets=((stored, None),), numbers=last))
    assert stores.catalog.dataset("prod", "ds") is None
    assert stores.catalog.place(ID) is None
    with pytest.raises(Conflict):
        stores.catalog.draw(made)


def test_no_version_begins_in_a_dataset_that_took_the_name_of_another(stores: Stores) -> None:
    kept(stores.catalog, a_dataset(id="B" * 22))

    with pytest.raises(Conflict):
        begun(stores.catalog)
    assert stores.catalog.versions(ID) == []


def test_versions_are_listed_by_number_and_changed_by_whoever_read_them_last(
    stores: Stores,
) -> None:
    kept(stores.catalog)
    for number in (10, 9):
        begun(stores.catalog, number)
    stored = stores.catalog.version(ID, 9)
    assert stored is not None
    moved(stores.catalog, 9, VersionStatus.READY)

    assert [one.value.number for one in stores.catalog.versions(ID)] == [9, 10]
    with pytest.raises(Conflict):
        stores.catalog.commit(CatalogCommit(versions=((stored, None),)))
    with pytest.raises(Conflict):
        begun(stores.catalog, 9)


def test_when_a_version_was_used_is_kept_whoever_changes_it(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    stores.catalog.use(ID, 1, NOON)
    stores.catalog.use(ID, 2, NOON)
    moved(stores.catalog, 1, VersionStatus.READY)

    assert stores.catalog.last_used(ID) == {1: NOON}
    assert stores.catalog.version(ID, 2) is None


def test_only_a_ready_version_is_pinned(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    collection = replace(a_dataset("c", "C" * 22), members=(Member(ID, 1),))
    commit = CatalogCommit(datasets=((None, collection),), pinned=collection.members)

    with pytest.raises(Conflict):
        stores.catalog.commit(commit)
    moved(stores.catalog, 1, VersionStatus.READY)
    stores.catalog.commit(commit)
    found = stores.catalog.dataset("prod", "c")
    assert found is not None
    assert found.value.members == (Member(ID, 1),)


# Contents ----------------------------------------------------------------------------------------


def test_a_content_is_kept_for_all_who_hold_it(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog, 1)
    begun(stores.catalog, 2)
    one, other = a_content("0"), a_content("f")

    held = stores.catalog.hold(ID, 1, [one, other])
    assert set(held) == {one.etag, other.etag}
    stores.catalog.hold(ID, 1, [one])
    held = stores.catalog.hold(ID, 2, [one])

    assert held[one.etag].by == {1, 2}
    assert (held[one.etag].size, held[one.etag].there) == (7, False)
    assert stores.catalog.release(ID, 1, [one.etag, other.etag]) == [other.etag]
    assert stores.catalog.release(ID, 1, [one.etag]) == []
    assert stores.catalog.release(ID, 2, [one.etag]) == [one.etag]


def test_nobody_holds_what_is_being_removed_until_it_is_forgotten(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog, 1)
    begun(stores.catalog, 2)
    stores.catalog.hold(ID, 1, [a_content()])
    stores.catalog.seen(ID, [a_content()])
    stores.catalog.release(ID, 1, [a_content().etag])

    with pytest.raises(Conflict):
        stores.catalog.hold(ID, 2, [a_content("e"), a_content()])
    assert [one.by for one in stores.catalog.held(ID)] == [frozenset()]
    stores.catalog.forget(ID, [a_content().etag])
    stores.catalog.forget(ID, [a_content().etag])
    held = stores.catalog.hold(ID, 2, [a_content()])
    assert not held[a_content().etag].there


def test_what_is_held_is_not_forgotten(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    stores.catalog.hold(ID, 1, [a_content()])

    stores.catalog.forget(ID, [a_content().etag])
    assert [one.by for one in stores.catalog.held(ID)] == [{1}]


def test_only_a_pending_version_holds_anything(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    moved(stores.catalog, 1, VersionStatus.PENDING_DELETE)

    for number in (1, 2):
        with pytest.raises(Conflict):
            stores.catalog.hold(ID, number, [a_content()])
    assert list(stores.catalog.held(ID)) == []


def test_one_hash_has_one_size_which_is_the_one_that_the_store_has(stores: Stores) -> None:
    """What was announced wrongly stands in nobody's way."""
    kept(stores.catalog)
    begun(stores.catalog)
    stores.catalog.hold(ID, 1, [a_content(size=8)])
    stores.catalog.hold(ID, 1, [a_content(size=7)])
    stores.catalog.hold(ID, 1, [a_content(size=8)])
    stores.catalog.seen(ID, [a_content(size=7)])

    with pytest.raises(InvalidRequest, match="announced with 8 bytes, and has 7"):
        stores.catalog.hold(ID, 1, [a_content("e"), a_content(size=8)])
    held = stores.catalog.hold(ID, 1, [a_content(size=7)])
    assert set(held) == {a_content().etag}
    assert held[a_content().etag].size == 7


def test_as_many_are_held_at_once_as_may_be_asked_for(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    many = [Content(f"{number:032x}", 1) for number in range(MOST_CONTENTS)]

    assert len(stores.catalog.hold(ID, 1, many)) == MOST_CONTENTS
    assert len(list(stores.catalog.held(ID))) == MOST_CONTENTS


def test_of_two_who_send_a_content_one_upload_is_taken(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    etag = a_content().etag
    stores.catalog.hold(ID, 1, [a_content()])

    assert stores.catalog.sending(ID, etag, "u1", instead_of=None) == "u1"
    assert stores.catalog.sending(ID, etag, "u2", instead_of=None) == "u1"
    assert stores.catalog.sending(ID, etag, "u3", instead_of="u1") == "u3"
    stores.catalog.seen(ID, [a_content()])
    [found] = stores.catalog.held(ID)
    assert (found.there, found.upload) == (True, None)


# What is due -------------------------------------------------------------------------------------


def test_a_version_is_looked_at_when_its_status_says_so(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog, 1)
    begun(stores.catalog, 2)
    second = timedelta(seconds=1)

    assert stores.catalog.due(NOON + ABANDONED - second, limit=9) == []
    assert [d.version for d in stores.catalog.due(NOON + ABANDONED, limit=9)] == [1, 2]
    assert len(stores.catalog.due(NOON + ABANDONED, limit=1)) == 1
    moved(stores.catalog, 1, VersionStatus.READY)
    moved(stores.catalog, 2, VersionStatus.DELETED)
    assert [d.at for d in stores.catalog.due(NOON + RECOVERABLE, limit=9)] == [NOON + GRACE]

    stored = stores.catalog.version(ID, 2)
    assert stored is not None
    stores.catalog.commit(CatalogCommit(versions=((stored, None),)))
    assert stores.catalog.due(NOON + RECOVERABLE, limit=9) == []


def test_what_is_due_is_put_off(stores: Stores) -> None:
    kept(stores.catalog)
    begun(stores.catalog)
    later = NOON + ABANDONED + timedelta(hours=1)
    [due] = stores.catalog.due(NOON + ABANDONED, limit=9)

    stores.catalog.put_off(due, later)
    assert stores.catalog.due(NOON + ABANDONED, limit=9) == []
    [due] = stores.catalog.due(later, limit=9)
    stores.catalog.put_off(due, None)
    assert stores.catalog.due(later, limit=9) == []


def test_the_config_of_buckets_is_what_it_was_changed_to(stores: Stores) -> None:
    config = DatasetConfig({"prod": Bucket("s3://sets/prod")}, "prod")

    assert stores.dataset_configs.datasets() == DatasetConfig()
    stores.dataset_configs.change_datasets(lambda _: config, author=ALICE, now=NOON)
    assert stores.dataset_configs.datasets() == config
