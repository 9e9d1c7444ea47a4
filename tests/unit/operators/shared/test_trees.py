import os
from pathlib import Path

import pytest

from operators.shared import trees
from operators.shared.trees import Entry, PathRefused, Tree, stays_inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With a secret beside it, as a sidecar has one."""
    (tmp_path / "token").write_text("secret")
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "path",
    ["..", "../token", "a/../../token", "/etc/passwd", "a//b", "./a", "a/", "a\0b", "x" * 256]
    + ["/".join(["a"] * 201), ".xylem-partial/x"],
)
def test_a_path_is_names_below_the_root_and_nothing_else(root: Path, path: str) -> None:
    with Tree(str(root)) as tree:
        for use in (tree.look, tree.read, tree.lay_folder, lambda it: tree.lay_link(it, "x")):
            with pytest.raises(PathRefused):
                use(path)
    assert sorted(each.name for each in root.parent.iterdir()) == ["root", "token"]


@pytest.mark.parametrize("target", ["../token", "/etc"])
def test_a_link_is_not_followed_to_what_is_outside(root: Path, target: str) -> None:
    (root / "out").symlink_to(target)

    with Tree(str(root)) as tree, pytest.raises(OSError, match="symbolic links"):
        tree.read("out")


def test_a_folder_that_is_a_link_is_gone_through_by_nobody(root: Path) -> None:
    (root / "up").symlink_to("..")

    with Tree(str(root)) as tree:
        with pytest.raises(PathRefused, match="links are not followed"):
            tree.read("up/token")
        with pytest.raises(PathRefused, match="links are not followed"):
            tree.lay_folder("up/made")
        assert [entry.path for entry in tree.walk()] == ["up"]
    assert not (root.parent / "made").exists()


def test_a_root_that_was_made_a_link_is_no_root(root: Path) -> None:
    """A task owns the folder that the workspace is in."""
    (root.parent / "workspace").symlink_to(root)

    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        Tree(str(root.parent / "workspace"), create=True)


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("a", "b", True),
        ("a/b", "../c", True),
        ("a/b", "../c/d", True),
        ("a/b", ".", True),
        ("a", "../c", False),
        ("a/b", "../../c", False),
        ("a", "/etc/passwd", False),
        ("a", "", False),
        # By its letters it stays; but `b` may be a link itself, and what is above it is elsewhere.
        ("a", "b/..", False),
        ("a/b", "c/../../d", False),
    ],
)
def test_a_link_may_climb_as_long_as_it_stays_inside(path: str, target: str, inside: bool) -> None:
    assert stays_inside(path, target) is inside


def test_a_link_that_leaves_is_not_laid(root: Path) -> None:
    with Tree(str(root)) as tree:
        with pytest.raises(PathRefused, match="leaves the folder"):
            tree.lay_link("out", "../token")
        tree.lay_link("sub/in", "../file")

    assert str((root / "sub/in").readlink()) == "../file"
    assert not (root / "out").is_symlink()


def test_a_tree_is_walked_in_order_without_what_is_no_file(root: Path) -> None:
    (root / "b").mkdir()
    (root / "b/run").write_text("#!")
    (root / "b/run").chmod(0o755)
    (root / "a").write_text("12345")
    os.utime(root / "a", ns=(7, 7))
    os.utime(root / "b/run", ns=(8, 8))
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("a")

    with Tree(str(root)) as tree:
        found = list(tree.walk())

    assert found == [
        Entry("a", "file", 5, 7),
        Entry("b", "folder"),
        Entry("b/run", "file", 2, 8, executable=True),
        Entry("link", "link", target="a"),
    ]


def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")

    with Tree(str(root)) as tree, pytest.raises(PathRefused, match="no file any more"):
        tree.read("pipe")


def test_who_finished_leaves_nothing_behind_and_who_did_not_leaves_what_arrived(root: Path) -> None:
    for finished, left in ((False, [trees.PARTIALS]), (True, [])):
        with Tree(str(root)) as tree:
            partials = tree.partials()
            os.close(partials.open("key"))
            partials.close(finished=finished)
        assert [each.name for each in root.iterdir()] == left
