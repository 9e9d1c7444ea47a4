"""`xylem app …`, before the real service."""

import json
from pathlib import Path

import yaml

from tests.unit.clients.cli.service_world import ServiceWorld

SPEC = "workflow:\n  name: train\n  tasks:\n  - {name: t, image: alpine, command: [echo, hi]}\n"
SECOND = SPEC.replace("hi", "{{word}}") + "default-values: {word: ho}\n"


def with_app() -> ServiceWorld:
    world = ServiceWorld()
    world.done("app", "create", "train", "--description", "Trains", "--file", "-", stdin=SPEC)
    return world


def test_an_app_is_made_changed_and_shown_by_version() -> None:
    world = with_app()

    world.done("app", "update", "train", "--file", "-", stdin=SECOND)

    assert world.done("app", "spec", "train") == SECOND
    assert world.done("app", "show", "train:1") == SPEC
    shown = world.done("app", "info", "train")
    assert "Trains" in shown
    assert [line.split()[:2] for line in shown.splitlines()[-2:]] == [
        ["1", "READY"],
        ["2", "READY"],
    ]


def test_apps_are_listed_yours_unless_told_otherwise() -> None:
    world = with_app()

    assert "train" in world.done("app", "list")
    assert "No apps" in world.done("app", "list", who="bob", roles="osmo-user")
    assert "train" in world.done("app", "list", "--all-users", who="bob", roles="osmo-user")
    assert "No apps" in world.done("app", "list", "--user", "bob", "eve")


def test_an_editor_makes_a_version_where_it_changes_something(tmp_path: Path) -> None:
    world = with_app()
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/hi/hello/ "$1"\n')
    editor.chmod(0o700)
    environ = {"VISUAL": str(editor), "EDITOR": "false"}

    first = world.done("app", "update", "train", environ=environ, terminal=True)
    second = world.done("app", "update", "train", environ=environ, terminal=True)

    assert first == "Made version 2 of app train.\n"
    assert second == "Nothing was changed.\n"


def test_an_editor_that_fails_sends_nothing() -> None:
    world = with_app()

    said = world.xylem("app", "update", "train", environ={"EDITOR": "false"}, terminal=True)

    assert said.code == 2
    assert "nothing was sent" in said.err


def test_an_app_is_submitted_with_its_variables_and_the_workflow_knows_it() -> None:
    world = with_app()
    world.done("app", "update", "train", "--file", "-", stdin=SECOND)

    world.done("app", "submit", "train", "--set", "word=yep")
    first = world.done("app", "submit", "train:1", "-t", "json")

    assert json.loads(first)["name"] == "train-2"
    spec = yaml.safe_load(world.done("workflow", "spec", "train-1"))
    assert "yep" in str(spec)
    assert "train-1" not in world.done("workflow", "list", "--app", "train:1")
    assert "train-2" in world.done("workflow", "list", "--app", "train:1")


def test_versions_are_deleted_one_by_one_or_all() -> None:
    world = with_app()
    world.done("app", "update", "train", "--file", "-", stdin=SECOND)

    assert world.done("app", "delete", "train:1", "-y") == "Deleted of app train: 1.\n"
    assert world.xylem("app", "delete", "train").code == 2
    assert world.done("app", "delete", "train", "--all", "-y") == "Deleted of app train: 2.\n"
    assert world.xylem("app", "submit", "train").code == 2


def test_what_is_no_version_is_refused_before_anything_is_asked() -> None:
    world = ServiceWorld()

    for name in ("train:x", "train:0", "train:"):
        assert "a version is a number" in world.xylem("app", "spec", name).err
    assert world.asked == []
