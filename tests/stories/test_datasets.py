"""OSMO's scenarios of datasets, one to fourteen, with Xylem's own command line."""

import json
from datetime import timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stories.dataset_world import DatasetWorld
from tests.stories.world import USER, World
from xylem.domain.dataset import Dataset, DatasetId
from xylem.domain.dataset_config import Bucket, DatasetConfig
from xylem.domain.manifest import PART_BYTES
from xylem.memory.catalog import MemoryCatalog, MemoryDatasetConfigs
from xylem.usecases import datasets

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> DatasetWorld:
    return DatasetWorld()


def a_tree(folder: Path, name: str = "in", **files: str) -> Path:
    """Two of the three files have one content."""
    given = files or {"a.txt": "same", "sub/b.txt": "same", "c.json": "{}"}
    for path, text in given.items():
        file = folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder / name


def info(world: DatasetWorld, name: str = "DS", *more: str) -> Any:
    return json.loads(world.done("dataset", "info", name, "-t", "json", *more).out)


def versions(world: DatasetWorld, name: str = "DS") -> dict[str, Any]:
    return {one["version"]: one for one in info(world, name, "--all")["versions"]}


def paths(world: DatasetWorld, name: str) -> list[str]:
    said = world.done("dataset", "inspect", name, "-t", "json").out
    return [one["relative_path"] for one in json.loads(said)]


def files_in(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_1_a_tree_is_uploaded_with_all_that_is_said_of_it(
    world: DatasetWorld, tmp_path: Path
) -> None:
    (tmp_path / "m.yaml").write_text("robot: {arm: left}\n")
    (tmp_path / "l.yaml").write_text("team: grasp\n")
    world.done(
        *("dataset", "upload", "DS:base", a_tree(tmp_path), "--desc", "first"),
        *("--metadata", tmp_path / "m.yaml", "--labels", tmp_path / "l.yaml"),
    )

    found = info(world)
    [version] = found["versions"]
    assert (version["version"], version["status"]) == ("1", "READY")
    assert version["tags"] == ["base", "latest"]
    assert version["metadata"] == {"description": "first", "robot": {"arm": "left"}}
    assert found["labels"] == {"team": "grasp"}
    assert paths(world, "DS") == ["in/a.txt", "in/c.json", "in/sub/b.txt"]
    assert (version["size"], found["hash_location_size"]) == (10, 6)
    assert len(world.stored()) == 2
    root = f"prod/{found['id']}/"
    others = [key for key in world.world.dataset_store.all_keys() if "/hashes/" not in key]
    assert others == [f"{root}manifests/1.json"]


def test_2_of_the_same_tree_with_a_file_more_that_file_alone_is_sent(
    world: DatasetWorld, tmp_path: Path
) -> None:
    tree = a_tree(tmp_path)
    world.done("dataset", "upload", "DS:base", tree)
    key = f"prod/{info(world)['id']}/manifests/1.json"
    before = world.world.dataset_store.read(key, most=10_000)
    (tree / "new.txt").write_text("new")
    world.puts.clear()
    world.done("dataset", "upload", "DS", tree)

    assert [put.rpartition("/")[2] for put in world.puts] == [md5(b"new").hexdigest()]
    assert {number: one["tags"] for number, one in versions(world).items()} == {
        "1": ["base"],
        "2": ["latest"],
    }
    assert world.world.dataset_store.read(key, most=10_000) == before


def test_3_a_download_takes_what_it_is_asked_for_and_resumes_what_is_missing_or_altered(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "DS:base", a_tree(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    asked = ("dataset", "download", "DS:base", out, "--regex", r".*\.txt$")
    world.done(*asked)
    assert files_in(out) == {"DS/in/a.txt": "same", "DS/in/sub/b.txt": "same"}

    again = world.xylem(*asked)
    assert again.code == 2
    assert "is not empty" in again.err

    (out / "DS/in/a.txt").unlink()
    (out / "DS/in/sub/b.txt").write_text("emas")
    world.gets.clear()
    world.done(*asked, "--resume")
    assert files_in(out) == {"DS/in/a.txt": "same", "DS/in/sub/b.txt": "same"}
    assert len(world.gets) == 2
    world.gets.clear()
    world.done(*asked, "--resume")
    assert world.gets == []


def test_4_an_upload_that_was_killed_is_resumed_once(world: DatasetWorld, tmp_path: Path) -> None:
    tree = a_tree(tmp_path)
    sent: list[str] = []

    def killed(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT":
            sent.append(request.url.path)
            if len(sent) > 1:
                raise KeyboardInterrupt
        return None

    world.before = killed
    died = world.xylem("dataset", "upload", "DS", tree, "--threads", "1")
    world.before = lambda request: None
    assert died.code == 130
    assert "Version 1 of prod/DS is PENDING" in died.err

    assert world.xylem("dataset", "info", "DS").code == 2
    assert versions(world)["1"]["status"] == "PENDING"
    refused = world.xylem("dataset", "download", "DS:1", tmp_path)
    assert refused.code == 2

    world.puts.clear()
    world.done("dataset", "upload", "DS:1", tree, "--resume")
    assert len(world.puts) == 1
    assert versions(world)["1"]["status"] == "READY"
    second = world.xylem("dataset", "upload", "DS:1", tree, "--resume")
    assert second.code == 2
    assert "is READY: only one that is PENDING can be resumed" in second.err


def test_5_an_update_takes_and_adds_and_leaves_the_version_that_it_began_with(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path))
    extra = tmp_path / "f"
    extra.write_text("extra")
    (tmp_path / "b.txt").write_text("instead")
    world.web["https://web.test/far/video.mp4"] = b"x" * 999
    before = info(world)["hash_location_size"]
    world.done(
        *("dataset", "update", "DS:1", "--remove", r".*\.json$", "--add", f"{extra}:extra/dir"),
        *("https://web.test/far/video.mp4:far", f"{tmp_path / 'b.txt'}:in/sub"),
    )

    assert paths(world, "DS:2") == [
        "extra/dir/f",
        "far/video.mp4",
        "in/a.txt",
        "in/sub/b.txt",
    ]
    assert paths(world, "DS:1") == ["in/a.txt", "in/c.json", "in/sub/b.txt"]
    assert info(world)["hash_location_size"] == before + len("extra") + len("instead")
    assert versions(world)["1"]["tags"] == []
    assert versions(world)["2"]["tags"] == ["latest"]
    out = tmp_path / "out"
    out.mkdir()
    world.done("dataset", "download", "DS", out)
    assert files_in(out)["DS/in/sub/b.txt"] == "instead"
    assert files_in(out)["DS/far/video.mp4"] == "x" * 999


def test_6_tags_move_and_go_and_three_are_refused(world: DatasetWorld, tmp_path: Path) -> None:
    for text in ("one", "two"):
        world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"a": text}))
    world.done("dataset", "tag", "DS:1", "--set", "good", "old")
    world.done("dataset", "tag", "DS:2", "--set", "good", "--delete", "old")
    world.done("dataset", "tag", "DS", "--delete", "never")

    assert {number: one["tags"] for number, one in versions(world).items()} == {
        "1": [],
        "2": ["good", "latest"],
    }
    for arguments in (("DS", "--set", "5"), ("DS", "--set", "latest"), ("DS:7", "--set", "x")):
        refused = world.xylem("dataset", "tag", *arguments)
        assert refused.code == 2, arguments


def test_7_labels_and_metadata_are_merged_and_deleted_by_path(
    world: DatasetWorld, tmp_path: Path
) -> None:
    for text in ("one", "two"):
        world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"a": text}))
    for word, name in (("label", "DS"), ("metadata", "DS:1")):
        world.done("dataset", word, name, "--set", "n.x:string:1", "n.y:numeric:1,2.5")
        world.done("dataset", word, name, "--delete", "n.x", "n.z")

    assert info(world)["labels"] == {"n": {"y": [1, 2.5]}}
    assert versions(world)["1"]["metadata"] == {"description": "", "n": {"y": [1, 2.5]}}
    assert versions(world)["2"]["metadata"] == {"description": ""}


def test_8_collections_hold_what_they_were_given(world: DatasetWorld, tmp_path: Path) -> None:
    for name, text in (("A", "one"), ("A", "two"), ("B", "three")):
        world.done("dataset", "upload", name, a_tree(tmp_path, **{"a": text}))
    world.done("dataset", "collect", "C", "A:1", "B")
    world.done("dataset", "upload", "B", a_tree(tmp_path, **{"a": "four"}))
    assert [(one["name"], one["version"]) for one in info(world, "C")["versions"]] == [
        ("A", "1"),
        ("B", "1"),
    ]

    conflict = world.xylem("dataset", "collect", "D", "C", "A:2")
    assert conflict.code == 2
    assert "versions 1 and 2 of dataset A" in conflict.err
    world.done("dataset", "collect", "D", "C")
    assert [one["collections"] for one in versions(world, "A").values()] == [["C", "D"], []]

    wrong = world.xylem("dataset", "recollect", "C", "--remove", "A:2")
    assert "holds version 1 of dataset A, not 2" in wrong.err
    world.done("dataset", "recollect", "C", "--remove", "A:1", "--add", "A:2")
    held = [(one["name"], one["version"]) for one in info(world, "C")["versions"]]
    assert held == [("A", "2"), ("B", "1")]
    world.done("dataset", "recollect", "C", "--remove", "A", "B")
    assert world.xylem("dataset", "info", "C").code == 2

    out = tmp_path / "out"
    out.mkdir()
    world.done("dataset", "download", "D", out)
    assert files_in(out) == {"A/in/a": "one", "B/in/a": "three"}


def test_9_what_is_deleted_goes_in_steps(world: DatasetWorld, tmp_path: Path) -> None:
    for text in ("one", "two"):
        world.done("dataset", "upload", "A", a_tree(tmp_path, **{"a": text}))
    world.done("dataset", "collect", "C", "A:2")

    world.done("dataset", "delete", "A:2", stdin="n\n")
    assert versions(world, "A")["2"]["status"] == "READY"
    world.done("dataset", "delete", "A:2", stdin="y\n")
    found = versions(world, "A")
    assert (found["2"]["status"], found["1"]["tags"]) == ("PENDING_DELETE", ["latest"])
    assert world.xylem("dataset", "info", "C").code == 2
    assert len(world.stored()) == 2

    said = world.done("dataset", "delete", "A:1", "--force", "-t", "json")
    assert json.loads(said.out) == {"versions": ["1"], "cleaned_size": 6}
    assert world.xylem("dataset", "info", "A", "--all").code == 2
    world.done("dataset", "upload", "A", a_tree(tmp_path, **{"a": "anew"}))
    assert list(versions(world, "A")) == ["1"]
    assert len(world.stored()) == 3
    world.later(2 * HOUR)
    assert world.stored() == [md5(b"anew").hexdigest()]


def test_10_a_read_only_bucket_is_read(world: DatasetWorld, tmp_path: Path) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path))
    world.freeze("prod")
    out = tmp_path / "out"
    out.mkdir()

    for arguments in (
        ("upload", "DS", tmp_path / "in"),
        ("update", "DS", "--add", tmp_path / "in"),
        ("delete", "DS", "--force"),
    ):
        refused = world.xylem("dataset", *arguments)
        assert refused.code == 2
        assert "Bucket prod mode is read-only" in refused.err
    world.done("dataset", "download", "DS", out)
    world.done("dataset", "info", "DS")
    assert [len(world.puts), len(files_in(out))] == [2, 3]


def a_spec(folder: Path, localpath: str = "./data", **more: str) -> Path:
    file = folder / "spec.yaml"
    file.write_text(
        f"""workflow:
  name: reads
  tasks:
  - name: a
    image: {more.get("image", "img")}
    command: [sh, -c, "ls {{{{input:0}}}}"]
    inputs:
    - dataset: # of this machine
        name: DS
        localpath: {localpath}
        regex: x
    - dataset: {{localpath: one.txt, name: lab/ONE}}
    resource: {more.get("resource", "default")}
"""
    )
    return file


def test_12_a_local_dataset_is_uploaded_once_the_workflow_is_valid(
    world: DatasetWorld, tmp_path: Path
) -> None:
    a_tree(tmp_path, "data", **{"x": "x"})
    (tmp_path / "one.txt").write_text("one")
    invalid = world.xylem("workflow", "submit", a_spec(tmp_path, resource="none"))
    assert invalid.code == 1
    assert world.puts == []
    world.done("workflow", "validate", a_spec(tmp_path))
    assert world.puts == []

    world.done("workflow", "submit", a_spec(tmp_path))
    assert paths(world, "DS") == ["data/x"]
    assert paths(world, "lab/ONE") == ["one.txt"]
    assert versions(world)["1"]["metadata"]["default"] == {
        "workflow_name": "reads",
        "localpath_dataset": True,
        "localpath": "./data",
    }
    text = world.done("workflow", "spec", "reads-1").out
    assert "DS:1" in text
    assert "lab/ONE:1" in text
    assert "localpath" not in text


@pytest.mark.parametrize(
    ("localpath", "says"),
    [("./none", "Path does not exist"), ("{a: b}", "both are texts"), ("'a\"'", "does not exist")],
)
def test_12_what_is_not_there_is_said(
    world: DatasetWorld, tmp_path: Path, localpath: str, says: str
) -> None:
    refused = world.xylem("workflow", "submit", a_spec(tmp_path, localpath))

    assert refused.code == 2
    assert says in refused.err
    assert world.world.rows.stored_workflows == {}


def test_13_questions_and_lists_find_what_fits(world: DatasetWorld, tmp_path: Path) -> None:
    for name, user in (("arms", "alice"), ("legs", "alice"), ("army", "bob")):
        world.done("dataset", "upload", name, a_tree(tmp_path, **{"a": name}), user=user)
        world.world.clock.advance(HOUR)
    world.done("dataset", "label", "arms", "--set", "robot.axes:numeric:6")
    world.done("dataset", "metadata", "legs:1", "--set", "epochs:numeric:12")
    world.done("dataset", "collect", "all", "arms", "legs")

    def asked(text: str) -> list[str]:
        said = world.done("dataset", "query", "-", "-t", "json", stdin=text)
        return [one["name"] for one in json.loads(said.out)["datasets"]]

    def listed(*more: str, user: str = "alice") -> list[str]:
        said = world.done("dataset", "list", "-t", "json", *more, user=user)
        return [one["name"] for one in json.loads(said.out)["datasets"]]

    assert asked('label.robot.axes > 5 OR name = "legs"') == ["arms", "legs"]
    assert asked('name IN ["army", "none"]') == ["army"]
    assert asked("NOT is_collection = False") == ["all"]
    assert asked("metadata.epochs = 12") == ["legs"]
    for text, says in (("name ==", "Parsing error"), ('name = "x"', "No Datasets Fit")):
        refused = world.xylem("dataset", "query", "-", stdin=text)
        assert refused.code == 2
        assert says in refused.err

    assert listed() == ["arms", "legs", "all"]
    assert listed(user="bob") == ["army"]
    assert listed("--all-users", "--name", "arm") == ["arms", "army"]
    assert listed("--user", "bob", "alice", "--count", "2", "--order", "desc") == ["all", "army"]


def test_14_a_rename_moves_nothing(world: DatasetWorld, tmp_path: Path) -> None:
    world.done("dataset", "upload", "DS:base", a_tree(tmp_path))
    world.done("dataset", "upload", "taken", tmp_path / "in")
    keys = world.world.dataset_store.all_keys()
    world.done("dataset", "rename", "DS", "NEW")

    assert world.world.dataset_store.all_keys() == keys
    assert paths(world, "NEW:base") == paths(world, "NEW:1")
    refused = world.xylem("dataset", "rename", "NEW", "taken")
    assert refused.code == 2
    assert "Name taken is already being used." in refused.err


def test_14_twenty_who_start_at_once_get_twenty_numbers() -> None:
    world = World()
    world.dataset_configs = MemoryDatasetConfigs(
        DatasetConfig({"prod": Bucket(f"{world.dataset_store.uri}/prod")})
    )
    started: list[int] = []

    class Crowded(MemoryCatalog):
        """Who is about to draw a number finds another who draws one first."""

        def draw(self, dataset: Dataset) -> int:
            if self.waiting > 1:
                self.waiting -= 1
                start()
            return super().draw(dataset)

        waiting = 20

    world.catalog = Crowded()

    def start() -> None:
        _, version = datasets.start("prod", "DS", by=USER, engine=world)
        started.append(version.number)

    start()
    found = world.catalog.dataset("prod", "DS")
    assert found is not None
    assert started == list(range(1, 21))
    kept = [one.value.number for one in world.catalog.versions(found.value.id)]
    assert kept == list(range(1, 21))


# What OSMO's scenarios leave out -----------------------------------------------------------------


def test_a_file_of_several_parts_is_sent_in_parts_and_resumed_by_the_part(
    world: DatasetWorld, tmp_path: Path
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(b"1" * PART_BYTES + b"2" * PART_BYTES + b"3")
    parts: list[str] = []

    def killed(request: httpx.Request) -> httpx.Response | None:
        if "part=2" in str(request.url):
            raise KeyboardInterrupt
        parts.append(str(request.url))
        return None

    world.before = killed
    assert world.xylem("dataset", "upload", "DS", large, "-T", "1").code == 130
    world.before = lambda request: parts.append(str(request.url))
    before = len([one for one in parts if "part=" in one])
    parts.clear()
    world.done("dataset", "upload", "DS:1", large, "--resume")

    assert before + len([one for one in parts if "part=" in one]) == 3
    out = tmp_path / "out"
    out.mkdir()
    world.done("dataset", "download", "DS", out)
    assert (out / "DS/large.bin").read_bytes() == large.read_bytes()
    [etag] = world.stored()
    assert etag.endswith("-3")


def test_of_two_who_write_one_version_one_wins_and_the_other_is_told(
    world: DatasetWorld, tmp_path: Path
) -> None:
    started = world.done("dataset", "upload", "DS", a_tree(tmp_path), "--start-only")
    assert json.loads(started.out)["version_id"] == "1"
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.write_text("mine")
    other.write_text("other")
    nested: list[Any] = []

    def meanwhile(request: httpx.Request) -> None:
        if not nested:
            nested.append(None)
            nested.append(world.xylem("dataset", "upload", "DS:1", other, "--resume"))

    world.before = meanwhile
    told = world.xylem("dataset", "upload", "DS:1", mine, "--resume")

    assert nested[1].code == 0
    assert told.code == 2
    assert paths(world, "DS:1") == ["other"]
    assert len(versions(world)) == 1


def test_who_is_told_that_another_finished_first_is_told_so_at_the_finish_as_well(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path), "--start-only")
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.write_text("mine")
    other.write_text("other")
    done: list[Any] = []

    def meanwhile(request: httpx.Request) -> None:
        if "/uploads/" in request.url.path and not done:
            done.append(None)
            done.append(world.xylem("dataset", "upload", "DS:1", other, "--resume"))

    world.before = meanwhile
    told = world.xylem("dataset", "upload", "DS:1", mine, "--resume")

    assert done[1].code == 0
    assert told.code == 2
    assert "was finished by another upload, with other files" in told.err
    assert paths(world, "DS:1") == ["other"]


def test_what_nobody_goes_on_with_is_collected_after_a_week(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"a": "kept"}))

    def dies(request: httpx.Request) -> httpx.Response | None:
        if "/uploads/" in request.url.path:
            raise KeyboardInterrupt
        return None

    world.before = dies
    assert world.xylem("dataset", "upload", "DS", a_tree(tmp_path, **{"b": "lost"})).code == 130
    assert len(world.stored()) == 2
    world.later(timedelta(days=6))
    assert versions(world)["2"]["status"] == "PENDING"
    world.later(timedelta(days=1))
    world.later(2 * HOUR)

    assert world.stored() == [md5(b"kept").hexdigest()]
    assert list(versions(world)) == ["1"]
    assert [held.by for held in world.world.catalog.held(DatasetId(info(world)["id"]))] == [{1}]


def test_a_deletion_during_a_download_is_read_to_its_end_or_said(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path))
    out = tmp_path / "out"
    out.mkdir()
    deleted: list[Any] = []

    def meanwhile(request: httpx.Request) -> None:
        if request.method == "GET" and "/hashes/" in request.url.path and not deleted:
            deleted.append(world.xylem("dataset", "delete", "DS", "--force"))
            world.later(timedelta(minutes=50))

    world.before = meanwhile
    world.done("dataset", "download", "DS", out, "-T", "1")
    assert deleted[0].code == 0
    assert len(files_in(out)) == 3
    world.later(HOUR)
    assert world.stored() == []


def test_what_was_deleted_says_so_and_can_be_recovered(world: DatasetWorld, tmp_path: Path) -> None:
    world.done("dataset", "upload", "DS:base", a_tree(tmp_path))
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"new": "new"}))
    world.done("dataset", "delete", "DS:base", stdin="y\n")
    at = "/api/bucket/prod/dataset/DS/manifest"

    gone = world.ask("GET", at, query="version=1")
    assert gone.status == 410
    assert "was deleted by alice" in gone.body["message"]
    assert "xylem dataset recover DS:1" in gone.body["message"]
    world.later(timedelta(days=6))
    world.done("dataset", "recover", "DS:1")
    world.later(timedelta(days=6))
    world.later(2 * HOUR)
    assert versions(world)["1"]["tags"] == ["base"]
    assert len(world.stored()) == 3

    world.done("dataset", "delete", "DS:1", stdin="y\n")
    world.later(timedelta(days=8))
    late = world.xylem("dataset", "recover", "DS:1")
    assert late.code == 2
    world.later(2 * HOUR)
    assert len(world.stored()) == 3, "the contents of version 2 are all of version 1, and one more"
    assert list(versions(world)) == ["2"]


def test_a_url_that_ended_is_asked_for_anew(world: DatasetWorld, tmp_path: Path) -> None:
    refused: list[str] = []

    def late(request: httpx.Request) -> None:
        if not refused:
            refused.append(str(request.url))
            world.world.clock.advance(2 * HOUR)

    world.before = late
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"a": "x"}), "-T", "1")
    assert len(world.stored()) == 1


def test_a_file_that_changes_while_it_is_sent_ends_the_upload(
    world: DatasetWorld, tmp_path: Path
) -> None:
    tree = a_tree(tmp_path, a="one", b="two")

    def changed(request: httpx.Request) -> None:
        (tree / "a").write_text("eno")
        (tree / "b").write_text("owt")

    world.before = changed
    refused = world.xylem("dataset", "upload", "DS", tree, "-T", "1")

    assert refused.code == 2
    assert "was changed while it was uploaded" in refused.err
    assert versions(world)["1"]["status"] == "PENDING"
