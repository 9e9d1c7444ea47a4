"""The pod's end of rsync, asked over real streams."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from operators.shared.tree_sync import Outcome, Refused, Wire, receive, send
from operators.shared.trees import Tree
from operators.task_runtime import rsync


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """What stands for its `/`: the folders of the runtime, and a token."""
    root = tmp_path / "pod"
    for folder in ("osmo/run/workspace/src", "osmo/data/input", "osmo/data/output", "osmo/token"):
        (root / folder).mkdir(parents=True)
    (root / "osmo/token/token").write_text("secret")
    (root / "osmo/run/workspace/src/a").write_text("a")
    (root / "osmo/data/input/given").write_text("given")
    return root


def asked(pod: Path, do: str, path: str, local: Path) -> Outcome:
    """Raises `Refused`."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, theirs.makefile("rb") as source, theirs.makefile("wb") as sink:
            rsync.serve(Wire(source, sink), str(pod))

    with (
        ThreadPoolExecutor(1) as thread,
        ours,
        ours.makefile("rb") as source,
        ours.makefile("wb") as sink,
    ):
        serving = thread.submit(serve)
        try:
            wire = Wire(source, sink)
            wire.say({"do": do, "path": path})
            wire.flush()
            assert wire.hear() == {"ready": True}
            with Tree(str(local), create=True) as tree:
                if do == "upload":
                    return send(wire, tree, "", lambda _: None)
                return receive(wire, tree, lambda _: None)
        finally:
            ours.shutdown(socket.SHUT_WR)
            serving.result()


def names(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize(
    ("path", "arrived"),
    [
        ("/osmo/run/workspace/src/a", ["a"]),
        ("/osmo/run/workspace/src", ["src/a"]),
        ("/osmo/run/workspace/src/", ["a"]),
        ("/osmo/run/workspace", ["workspace/src/a"]),
        ("/osmo/run/workspace/", ["src/a"]),
        ("/osmo/data/input/", ["given"]),
    ],
)
def test_a_slash_at_the_end_means_what_is_in_it(
    pod: Path, tmp_path: Path, path: str, arrived: list[str]
) -> None:
    asked(pod, "download", path, tmp_path / "here")

    assert names(tmp_path / "here") == arrived


@pytest.mark.parametrize("folder", ["/osmo/run/workspace/new/deep", "/osmo/data/output"])
def test_what_is_uploaded_goes_into_the_folder_that_is_named(
    pod: Path, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/b").write_text("b")

    outcome = asked(pod, "upload", folder, tmp_path / "here")

    assert outcome.progress.done == 1
    assert (pod / folder[1:] / "b").read_text() == "b"


@pytest.mark.parametrize(
    ("do", "path"),
    [
        ("download", "/osmo/token/token"),
        ("download", "/osmo/run/task/spool"),
        ("download", "/osmo/run/workspace/../../token/token"),
        ("download", "/osmo/run/workspacetoken"),
        ("download", "/osmo/run/workspace/nothing"),
        ("download", "osmo/run/workspace"),
        ("download", ""),
        ("upload", "/etc"),
        ("upload", "/osmo/data"),
        ("upload", "/osmo/data/input"),
        ("upload", "/osmo/run/task"),
        ("upload", "/osmo/run/workspace/../task"),
        ("upload", "/osmo/run/workspace/src/a"),
    ],
)
def test_what_is_below_no_root_is_refused(pod: Path, tmp_path: Path, do: str, path: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/evil").write_text("evil")

    with pytest.raises(Refused):
        asked(pod, do, path, tmp_path / "here")

    assert not [each for each in names(pod) if "evil" in each]


@pytest.mark.parametrize("do", ["download", "upload"])
@pytest.mark.parametrize("link", ["out", "src/out"])
def test_a_task_that_lays_a_link_to_the_token_gains_nothing(
    pod: Path, tmp_path: Path, do: str, link: str
) -> None:
    (pod / "osmo/run/workspace" / link).symlink_to(pod / "osmo/token")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/token").write_text("overwritten")

    for path in (f"/osmo/run/workspace/{link}/", f"/osmo/run/workspace/{link}/token"):
        with pytest.raises(Refused):
            asked(pod, do, path, tmp_path / "here")

    assert (tmp_path / "here/token").read_text() == "overwritten"
    assert (pod / "osmo/token/token").read_text() == "secret"


def test_a_workspace_that_a_task_made_a_link_is_none(pod: Path, tmp_path: Path) -> None:
    workspace = pod / "osmo/run/workspace"
    workspace.rename(pod / "osmo/run/elsewhere")
    workspace.symlink_to(pod / "osmo/token")

    for path in ("/osmo/run/workspace/", "/osmo/run/workspace/token"):
        with pytest.raises(Refused):
            asked(pod, "download", path, tmp_path / "here")
    outcome = asked(pod, "download", "/osmo/run/workspace", tmp_path / "here")

    assert len(outcome.problems) == 1
    assert names(tmp_path / "here") == []
