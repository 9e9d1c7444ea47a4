from pathlib import Path

import pytest

from clients.cli.rsync import remote_path, source_and_folder
from clients.sdk.errors import BadInput
from clients.sdk.rsync import WORKSPACE, apart
from operators.task_runtime import rsync as end


@pytest.mark.parametrize(
    ("path", "source", "folder"),
    [
        ("src", "src", "."),
        ("src/", "src/", "."),
        ("./wf.yaml:/osmo/run/workspace", "./wf.yaml", "/osmo/run/workspace"),
        ("src:deep/er", "src", "deep/er"),
        ("src:", "src", "."),
        ("src:a:b", "src", "a:b"),
    ],
)
def test_a_path_is_what_is_copied_and_the_folder_that_it_goes_into(
    path: str, source: str, folder: str
) -> None:
    assert source_and_folder(path, ".") == (source, folder)


def test_nothing_before_the_colon_is_refused() -> None:
    with pytest.raises(BadInput, match="what to copy"):
        source_and_folder(":/osmo/run/workspace", ".")


def test_a_path_of_the_task_is_below_its_workspace_unless_it_is_whole() -> None:
    assert remote_path("src/") == f"{WORKSPACE}/src/"
    assert remote_path("/osmo/data/output") == "/osmo/data/output"
    assert WORKSPACE == end.WORKSPACE


@pytest.mark.parametrize(
    ("local", "base", "name"),
    [
        ("src", "", "src"),
        ("src/", "src", ""),
        ("src/.", "src", ""),
        (".", "", ""),
        ("src/..", "", ""),
        ("src/deep", "src", "deep"),
        ("link", "", "link"),
        ("link/", "src", ""),
    ],
)
def test_a_folder_goes_under_its_name_and_with_a_slash_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: str, base: str, name: str
) -> None:
    (tmp_path / "src/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("src")
    monkeypatch.chdir(tmp_path)

    assert apart(local) == (str(tmp_path.resolve() / base), name)


def test_what_is_not_there_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        apart(str(tmp_path / "nothing"))
