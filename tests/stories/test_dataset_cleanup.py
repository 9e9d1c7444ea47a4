"""A clean-up that is interrupted, comes twice or meets an upload takes nothing that is needed, and
leaves nothing that is not."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import md5
from pathlib import Path

import pytest

from tests.stories.dataset_world import DatasetWorld
from tests.stories.test_datasets import a_tree, info, versions
from xylem.domain.dataset import ABANDONED, GRACE, DatasetId
from xylem.domain.errors import Conflict
from xylem.domain.manifest import Content
from xylem.memory.catalog import MemoryDatasetStore
from xylem.usecases import dataset_cleanup, dataset_transfers
from xylem.usecases.dataset_cleanup import clean_up

X = Content(md5(b"x").hexdigest(), 1)


class Killed(BaseException):
    pass


class DyingStore(MemoryDatasetStore):
    """Whoever deletes in it dies before anything is gone, once."""

    dies = True

    def delete(self, keys: Sequence[str]) -> None:
        if self.dies and any("/hashes/" in key for key in keys):
            self.dies = False
            raise Killed
        super().delete(keys)


def a_world_with_a_deleted_version(folder: Path) -> DatasetWorld:
    """Version 1 has `x` and is beyond recovery; version 2 has `y` and is READY."""
    world = DatasetWorld()
    world.world.dataset_store = DyingStore(world.world.clock)
    for text in ("x", "y"):
        world.done("dataset", "upload", "DS", a_tree(folder, **{"a": text}))
    world.done("dataset", "delete", "DS:1", stdin="y\n")
    assert world.ask("DELETE", "/api/bucket/prod/dataset/DS", query="finish=true").status == 200
    world.world.clock.advance(GRACE)
    return world


def test_a_clean_up_that_died_is_done_again(tmp_path: Path) -> None:
    world = a_world_with_a_deleted_version(tmp_path)
    with pytest.raises(Killed):
        clean_up(engine=world.world)
    assert len(world.stored()) == 2

    assert clean_up(engine=world.world).versions == 1
    assert clean_up(engine=world.world).versions == 0
    assert world.stored() == [md5(b"y").hexdigest()]
    assert list(versions(world)) == ["2"]
    dataset = DatasetId(info(world)["id"])
    assert [held.by for held in world.world.catalog.held(dataset)] == [{2}]


def test_an_upload_does_not_rely_on_what_is_being_removed(tmp_path: Path) -> None:
    world = a_world_with_a_deleted_version(tmp_path)
    with pytest.raises(Killed):
        clean_up(engine=world.world)
    world.done("dataset", "upload", "DS", tmp_path / "in", "--start-only")

    with pytest.raises(Conflict):
        dataset_transfers.uploads("prod", "DS", 3, [X], engine=world.world)
    clean_up(engine=world.world)
    [wanted] = dataset_transfers.uploads("prod", "DS", 3, [X], engine=world.world)
    assert not wanted.there
    a_tree(tmp_path, **{"a": "x"})
    world.done("dataset", "upload", "DS:3", tmp_path / "in", "--resume")
    assert len(world.stored()) == 2


def test_what_an_upload_was_told_is_there_stays_there(tmp_path: Path) -> None:
    world = DatasetWorld()
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"a": "x"}))
    world.done("dataset", "upload", "DS", tmp_path / "in", "--start-only")
    [wanted] = dataset_transfers.uploads("prod", "DS", 2, [X], engine=world.world)
    assert wanted.there
    world.done("dataset", "delete", "DS:1", "--force")
    world.ask("DELETE", "/api/bucket/prod/dataset/DS", query="finish=true")
    world.later(GRACE)
    world.later(GRACE)

    assert world.stored() == [X.etag]
    world.puts.clear()
    world.done("dataset", "upload", "DS:2", tmp_path / "in", "--resume")
    assert world.puts == []
    assert list(versions(world)) == ["2"]


def test_many_that_were_given_up_are_looked_at_in_steps(tmp_path: Path) -> None:
    world = DatasetWorld()
    many = {f"f{number}": str(number) for number in range(dataset_cleanup.VERSIONS + 5)}
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **many))
    for _ in range(dataset_cleanup.VERSIONS + 1):
        world.done("dataset", "upload", "DS", tmp_path / "in", "--start-only")
    world.later(ABANDONED)

    left = [one["status"] for one in versions(world).values()]
    assert left == ["READY", "PENDING"]
    world.later(timedelta(minutes=1))
    assert [one["status"] for one in versions(world).values()] == ["READY"]
    world.later(GRACE)
    world.later(GRACE)
    assert len(world.stored()) == len(many)
    assert len(world.world.catalog.versions(DatasetId(info(world)["id"]))) == 1
