from pathlib import Path
from typing import Any

import pytest

from clients.local.embedded_aws.state_files import LARGE_BYTES, StateFiles


def encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"small": value.decode()}
    raise TypeError(value)


def decode(value: dict[str, Any]) -> Any:
    return value["small"].encode() if "small" in value else value


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    return StateFiles(tmp_path, encode=encode, decode=decode)


LARGE = b"x" * LARGE_BYTES


def blobs(folder: Path) -> int:
    return len(list((folder / "blobs").iterdir()))


def test_a_state_comes_back_as_it_was_with_its_bytes(files: StateFiles, tmp_path: Path) -> None:
    state = {"layers": [LARGE, LARGE], "note": b"small"}

    files.save("lambda", state, version=3)

    assert files.load("lambda") == state
    assert blobs(tmp_path) == 1
    assert (tmp_path / "lambda.json").stat().st_size < 1000


def test_what_was_never_saved_is_nothing(files: StateFiles) -> None:
    assert files.load("sqs") is None


def test_a_state_that_did_not_change_is_not_written_again(files: StateFiles) -> None:
    assert files.save("sqs", {"a": 1}, version=2)
    assert not files.save("sqs", {"a": 1}, version=2)
    assert files.save("sqs", {"a": 2}, version=2)


def test_a_state_that_cannot_be_written_leaves_the_one_before(files: StateFiles) -> None:
    files.save("sqs", {"a": 1}, version=2)

    with pytest.raises(TypeError):
        files.save("sqs", {"a": object()}, version=2)

    assert files.load("sqs") == {"a": 1}


def test_bytes_that_no_state_has_are_removed(files: StateFiles, tmp_path: Path) -> None:
    files.save("lambda", {"layer": LARGE}, version=3)
    files.save("lambda", {"layer": b"y" * LARGE_BYTES}, version=3)
    assert blobs(tmp_path) == 2

    files.forget_unused_blobs()

    assert files.load("lambda") == {"layer": b"y" * LARGE_BYTES}
    assert blobs(tmp_path) == 1
