"""Both ends, over real streams; each in a thread of its own, because they block."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from operators.shared import tree_sync
from operators.shared.tree_sync import Outcome, SyncBroken, Wire, receive, send
from operators.shared.trees import Tree

Cut = Callable[[bytes], bytes]


def whole(data: bytes) -> bytes:
    return data


class Reading:
    """What the receiver reads, through whoever is between."""

    def __init__(self, end: socket.socket, between: Cut) -> None:
        self._end = end
        self._between = between

    def read(self, n: int, /) -> bytes:
        return self._between(self._end.recv(n))


def synced(
    source: Path, target: Path, start: str = "", between: Cut = whole
) -> tuple[Outcome, Outcome]:
    """What the sender and the receiver say of it. Raises what the receiver does."""
    ours, theirs = socket.socketpair()

    def sends() -> Outcome:
        with (
            ours,
            ours.makefile("rb") as heard,
            ours.makefile("wb") as said,
            Tree(str(source)) as tree,
        ):
            return send(Wire(heard, said), tree, start, lambda _: None)

    def receives() -> Outcome:
        with theirs, theirs.makefile("wb") as said, Tree(str(target), create=True) as tree:
            return receive(Wire(Reading(theirs, between), said), tree, lambda _: None)

    with ThreadPoolExecutor(2) as threads:
        sending, receiving = threads.submit(sends), threads.submit(receives)
        try:
            taken = receiving.result()
        except Exception:
            sending.exception()
            raise
        return sending.result(), taken


def contents(root: Path) -> dict[str, object]:
    """Files with their bytes, times and whether they run; links with where to."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name, seen = str(path.relative_to(root)), path.lstat()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = (path.read_bytes(), seen.st_mtime_ns, bool(seen.st_mode & 0o100))
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tree with all that a tree may have."""
    root = tmp_path / "source"
    chance = Random(3)
    for number in range(60):
        file = root / f"folder-{number % 7}/deep/file {number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(chance.choice((0, 1, 70_000))))
        os.utime(file, ns=(number, 10**9 * number + 1))
    (root / "run").write_text("#!/bin/sh")
    (root / "run").chmod(0o755)
    (root / "empty").mkdir()
    (root / "link").symlink_to("folder-1/deep")
    (root / os.fsdecode(b"not-\xff-text")).write_text("named in bytes")
    return root


def test_a_tree_arrives_as_it_is(source: Path, tmp_path: Path) -> None:
    sent, taken = synced(source, tmp_path / "target")

    assert contents(tmp_path / "target") == contents(source)
    assert (sent.problems, taken.problems) == ([], [])
    assert sent.progress == taken.progress
    assert taken.progress.done == taken.progress.files == 62


def test_what_is_there_already_is_not_sent(source: Path, tmp_path: Path) -> None:
    synced(source, tmp_path / "target")
    (source / "run").write_text("#!/bin/bash")

    _, again = synced(source, tmp_path / "target")

    assert again.progress.moved == len("#!/bin/bash")
    assert contents(tmp_path / "target") == contents(source)


def test_a_file_of_another_time_is_sent_if_its_bytes_are_others_too(tmp_path: Path) -> None:
    for name, text in (("source", "same here"), ("target", "same here")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(text)
        (tmp_path / name / "b").write_text(f"{name:9}")
    os.utime(tmp_path / "source/a", ns=(5, 5))
    os.utime(tmp_path / "source/b", ns=(5, 5))

    _, taken = synced(tmp_path / "source", tmp_path / "target")

    assert taken.progress.moved == 9
    assert contents(tmp_path / "target") == contents(tmp_path / "source")


def test_one_folder_or_file_is_sent_under_its_name(source: Path, tmp_path: Path) -> None:
    synced(source, tmp_path / "target", "folder-1")
    synced(source, tmp_path / "target", "run")

    found = {name.split("/")[0] for name in contents(tmp_path / "target")}
    assert found == {"folder-1", "run"}


def test_what_was_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/big").write_bytes(Random(4).randbytes(3_000_000))
    left = 2_000_000

    def cut(data: bytes) -> bytes:
        nonlocal left
        left -= len(data)
        return data if left > 0 else b""

    with pytest.raises(SyncBroken):
        synced(tmp_path / "source", tmp_path / "target", between=cut)
    assert not (tmp_path / "target/big").exists()
    _, taken = synced(tmp_path / "source", tmp_path / "target")

    assert 0 < taken.progress.moved < 1_200_000
    assert contents(tmp_path / "target") == contents(tmp_path / "source")


def test_what_was_cut_short_of_another_version_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    big = tmp_path / "source/big"
    big.write_bytes(bytes(1_000_000))
    left = 500_000

    def cut(data: bytes) -> bytes:
        nonlocal left
        left -= len(data)
        return data if left > 0 else b""

    with pytest.raises(SyncBroken):
        synced(tmp_path / "source", tmp_path / "target", between=cut)
    big.write_bytes(b"\1" * 1_000_000)
    os.utime(big, ns=(1, 1))
    _, taken = synced(tmp_path / "source", tmp_path / "target")

    assert taken.progress.moved == 1_000_000
    assert (tmp_path / "target/big").read_bytes() == big.read_bytes()


def test_bytes_that_are_not_what_was_sent_are_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/big").write_bytes(b"a" * 200_000)
    spoiled = False

    def spoil(data: bytes) -> bytes:
        nonlocal spoiled
        if b"aaaa" in data and not spoiled:
            spoiled = True
            return data.replace(b"aaaa", b"aaab", 1)
        return data

    _, taken = synced(tmp_path / "source", tmp_path / "target", between=spoil)

    assert (taken.progress.moved, taken.problems) == (400_000, [])
    assert contents(tmp_path / "target") == contents(tmp_path / "source")


def test_bytes_that_never_become_what_was_sent_are_a_problem_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/good").write_text("good")
    (tmp_path / "source/worn").write_bytes(b"a" * 1_000)

    def spoil(data: bytes) -> bytes:
        return data.replace(b"aaaa", b"aaab", 1)

    sent, taken = synced(tmp_path / "source", tmp_path / "target", between=spoil)

    assert taken.problems == sent.problems == ["worn did not arrive as it was sent"]
    assert list(contents(tmp_path / "target")) == ["good"]


def test_what_cannot_be_laid_stops_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/a").write_text("a file")
    (tmp_path / "source/b").write_text("another")
    (tmp_path / "source/out").symlink_to("../token")
    (tmp_path / "target/a").mkdir(parents=True)

    sent, taken = synced(tmp_path / "source", tmp_path / "target")

    assert (tmp_path / "target/b").read_text() == "another"
    assert taken.problems == sent.problems
    assert [each.split(":")[0] for each in taken.problems] == ["a", "out"]
    assert (sent.progress.done, sent.progress.files) == (1, 2)


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../out", "kind": "file", "size": 1, "modified": 0},
        {"path": "/etc/passwd", "kind": "file", "size": 1, "modified": 0},
        {"path": "a/../../b", "kind": "folder"},
        {"path": "", "kind": "folder"},
        {"path": "a", "kind": "device"},
        {"path": "a", "kind": "file", "size": -1, "modified": 0},
        {"path": "a", "kind": "file", "size": "1", "modified": 0},
        {"path": 7, "kind": "file"},
    ],
)
def test_a_sender_that_names_what_it_must_not_is_not_heard(
    tmp_path: Path, entry: dict[str, object]
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("wb") as sink, theirs.makefile("rb") as source:
        hostile = Wire(source, sink)
        hostile.say(entry)
        hostile.say({"end": 1})
        hostile.flush()
        with Tree(str(tmp_path / "target"), create=True) as tree, pytest.raises(SyncBroken):
            receive(Wire(source, sink), tree, lambda _: None)

    assert contents(tmp_path) == {"target": None}


def test_a_frame_is_never_larger_than_agreed(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as source, theirs.makefile("wb") as sink:
        ours.sendall(b"J" + (tree_sync.JSON_BYTES + 1).to_bytes(4, "big"))
        with pytest.raises(SyncBroken, match="another language"):
            Wire(source, sink).hear()
