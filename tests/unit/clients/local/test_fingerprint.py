"""A fingerprint is the reason not to make something again: it must change, and only then."""

from pathlib import Path

from clients.local.fingerprint import fingerprint


def a_tree(root: Path) -> Path:
    (root / "code" / "__pycache__").mkdir(parents=True)
    (root / "code" / "a.py").write_text("a")
    (root / "cdk.json").write_text("{}")
    return root


SOURCES = ("code", "cdk.json", "not-there")


def test_it_follows_contents_and_names_and_what_is_given_beside(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    before = fingerprint(root, SOURCES, "endpoint")

    assert fingerprint(root, SOURCES, "other") != before
    (root / "code" / "a.py").write_text("b")
    changed = fingerprint(root, SOURCES, "endpoint")
    (root / "code" / "a.py").rename(root / "code" / "b.py")
    renamed = fingerprint(root, SOURCES, "endpoint")

    assert len({before, changed, renamed}) == 3


def test_it_does_not_follow_times_and_caches(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    before = fingerprint(root, SOURCES)

    (root / "code" / "a.py").touch()
    (root / "code" / "__pycache__" / "a.pyc").write_text("compiled")
    (root / "code" / ".swp").write_text("an editor's")

    assert fingerprint(root, SOURCES) == before
