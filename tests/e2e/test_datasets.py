"""Datasets with everything real: the command line, signed URLs, the store, and tasks that read and
write versions."""

import hashlib
import json
import random
from pathlib import Path

import pytest

from tests.conftest import Stack
from tests.e2e.running import finish, lines, submit

pytestmark = pytest.mark.e2e

LARGE = 18 * 1024 * 1024
"""Three parts."""

READS_AND_WRITES = """
workflow:
  name: refine
  tasks:
  - name: t
    image: alpine
    inputs: [{dataset: {name: "%s:base"}}]
    command: [sh, -c]
    args:
    - |
      find {{input:0}} -type f | wc -l
      sha256sum "$(find {{input:0}} -name large.bin)" | cut -d' ' -f1
      mkdir {{output}}/made && echo refined > {{output}}/made/result.txt
    outputs: [{dataset: {name: "%s"}}]
"""


def dataset(stack: Stack, *words: str, code: int = 0) -> str:
    done = stack.xylem("dataset", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few small files, one twice, and one of several parts."""
    folder = tmp_path_factory.mktemp("data") / "recordings"
    (folder / "deep").mkdir(parents=True)
    for number in range(12):
        (folder / "deep" / f"{number}.txt").write_text(f"line {number}\n" * 50)
    (folder / "again.txt").write_text("line 3\n" * 50)
    (folder / "empty").touch()
    (folder / "large.bin").write_bytes(random.Random(5).randbytes(LARGE))
    return folder


@pytest.fixture(scope="module")
def grasps(stack: Stack, recordings: Path) -> str:
    dataset(stack, "upload", "grasps:base", str(recordings))
    return "grasps"


def test_what_was_uploaded_is_downloaded_byte_for_byte(
    stack: Stack, grasps: str, recordings: Path, tmp_path: Path
) -> None:
    dataset(stack, "download", f"{grasps}:base", str(tmp_path))

    assert digests(tmp_path / grasps / "recordings") == digests(recordings)


def test_an_update_sends_what_is_new_and_the_version_before_stays(
    stack: Stack, grasps: str, tmp_path: Path
) -> None:
    more = tmp_path / "more.txt"
    more.write_text("of the second week\n")
    dataset(stack, "update", f"{grasps}:base", "--add", f"{more}:deep", "--remove", r".*/1\d\.txt")
    for version, place in (("base", "before"), ("latest", "after")):
        (tmp_path / place).mkdir()
        dataset(stack, "download", f"{grasps}:{version}", str(tmp_path / place))

    before, after = digests(tmp_path / "before" / grasps), digests(tmp_path / "after" / grasps)

    gone = {"recordings/deep/10.txt", "recordings/deep/11.txt"}
    assert set(before) - set(after) == gone
    assert {name.rpartition("/")[2] for name in set(after) - set(before)} == {"more.txt"}


def test_a_version_is_tagged_deleted_and_recovered(
    stack: Stack, recordings: Path, tmp_path: Path
) -> None:
    """While another version is there: who deletes the last one by force means it."""
    dataset(stack, "upload", "lifts", str(recordings / "deep"))
    dataset(stack, "upload", "lifts", str(recordings / "again.txt"))
    dataset(stack, "tag", "lifts:1", "--set", "good")
    dataset(stack, "collect", "morning", "lifts:good")
    assert "lifts" in dataset(stack, "list")
    dataset(stack, "delete", "lifts:good", "--force")
    assert "recover" in dataset(stack, "download", "lifts:1", str(tmp_path), code=2)
    dataset(stack, "recover", "lifts:1")
    dataset(stack, "download", "lifts:1", str(tmp_path))

    assert digests(tmp_path / "lifts" / "deep") == digests(recordings / "deep")


def test_a_task_reads_one_version_and_writes_another(
    stack: Stack, grasps: str, recordings: Path, tmp_path: Path
) -> None:
    name = submit(stack.client, READS_AND_WRITES % (grasps, "refined"))

    ended = finish(stack.client, name)

    assert ended.status == "COMPLETED", stack.client.logs(name)
    count, digest = lines(stack.client, name, "t")
    assert int(count) == len(digests(recordings))
    assert digest == digests(recordings)["large.bin"]
    dataset(stack, "download", "refined", str(tmp_path))
    [made] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (made.name, made.read_text()) == ("result.txt", "refined\n")
    told = json.loads(dataset(stack, "info", "refined", "--format-type", "json"))
    assert [version["status"] for version in told["versions"]] == ["READY"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("download", "nobody", "."), "nobody"),
        (("upload", "grasps:7", "README.md"), "Tags cannot be a number: 7"),
        (("upload", "bad name", "README.md"), "name"),
        (("info", "nowhere/grasps"), "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    stack: Stack, grasps: str, words: tuple[str, ...], said: str
) -> None:
    assert said in dataset(stack, *words, code=2)
