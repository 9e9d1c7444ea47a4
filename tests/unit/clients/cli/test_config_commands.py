"""`xylem config …`, before the real service."""

import json
from pathlib import Path

import pytest
import yaml

from tests.stories.world import BACKEND
from tests.unit.clients.cli.service_world import ServiceWorld

POOL = {"backend": BACKEND, "platforms": {"cpu": {}}, "default_platform": "cpu"}


def with_pool() -> ServiceWorld:
    world = ServiceWorld()
    world.done("config", "update", "POOL", "team", "-f", "-", "-d", "new", stdin=json.dumps(POOL))
    return world


def test_kinds_are_listed_with_the_revision_that_holds() -> None:
    listed = with_pool().done("config", "list")

    lines = {line.split()[0]: line.split()[1] for line in listed.splitlines()[1:]}
    assert lines["POOL"] == "3"
    assert lines["WORKFLOW"] == "1"


def test_a_config_is_shown_as_yaml_by_name_by_key_and_by_revision() -> None:
    world = with_pool()

    assert yaml.safe_load(world.done("config", "show", "POOL", "team"))["backend"] == BACKEND
    assert world.done("config", "show", "POOL", "team", "default_platform") == "cpu\n...\n"
    assert json.loads(world.done("config", "show", "WORKFLOW", "max_num_tasks", "-t", "json"))
    assert "team" not in world.done("config", "show", "POOL:2")
    assert "there is" in world.xylem("config", "show", "POOL", "team", "nope").err


def test_what_was_shown_can_be_put_back() -> None:
    world = with_pool()
    shown = world.done("config", "show", "POOL")

    world.done("config", "update", "pool", "--file", "-", stdin=shown)

    assert world.done("config", "show", "POOL") == shown


def test_of_the_service_and_of_workflows_what_is_not_named_stays() -> None:
    world = ServiceWorld()
    world.done("config", "update", "WORKFLOW", "-f", "-", stdin="max_num_tasks: 7")

    world.done("config", "update", "WORKFLOW", "-f", "-", stdin="max_retry_per_task: 2")

    shown = yaml.safe_load(world.done("config", "show", "WORKFLOW"))
    assert (shown["max_num_tasks"], shown["max_retry_per_task"]) == (7, 2)


def test_an_editor_is_given_what_there_is_and_its_text_is_put(tmp_path: Path) -> None:
    world = with_pool()
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^description:.*/description: edited/' \"$1\"\n")
    editor.chmod(0o700)
    environ = {"EDITOR": str(editor)}

    world.done("config", "update", "POOL", "team", environ=environ, terminal=True)
    again = world.done("config", "update", "POOL", "team", environ=environ, terminal=True)

    assert yaml.safe_load(world.done("config", "show", "POOL", "team"))["description"] == "edited"
    assert again == "Nothing was changed.\n"


def test_what_another_changed_while_one_edited_is_not_written_over(tmp_path: Path) -> None:
    world = with_pool()
    changed: list[str] = []

    def another(request: object) -> None:
        if "GET /api/configs/pool/team" in world.asked and not changed:
            changed.append("x")
            body = json.dumps({"configs": {**POOL, "description": "theirs"}})
            world.service.ask(
                "PUT", "/api/configs/pool/team", body=body, who="eve", roles="osmo-admin"
            )

    world.after = another
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^description:.*/description: mine/' \"$1\"\n")
    editor.chmod(0o700)

    said = world.xylem(
        "config", "update", "POOL", "team", environ={"EDITOR": str(editor)}, terminal=True
    )

    assert said.code == 2
    assert "has been changed since you saw it" in said.err
    assert "by eve" in said.err
    assert "theirs" in world.done("config", "show", "POOL", "team")


def test_without_a_terminal_no_editor_is_opened() -> None:
    assert "--file" in with_pool().xylem("config", "update", "POOL", "team").err


def test_history_says_who_changed_what_and_why() -> None:
    world = with_pool()

    newest = world.done("config", "history", "POOL").splitlines()[-1]
    found = json.loads(world.done("config", "history", "POOL", "--count", "1", "-t", "json"))

    assert newest.split()[:4] == ["POOL", "3", "team", "root"]
    assert newest.rstrip().endswith("new")
    assert [one["revision"] for one in found["configs"]] == [3]


def test_a_revision_is_compared_and_set_again() -> None:
    world = with_pool()

    difference = world.done("config", "diff", "POOL:2")
    world.done("config", "rollback", "POOL:2", "--force", "--description", "oops")

    assert "+  team:" in difference.splitlines()
    assert world.done("config", "diff", "POOL:2", "POOL:4").endswith("say the same.\n")
    assert "Roll back POOL to r2: oops" in world.done("config", "history", "POOL")
    assert world.xylem("config", "diff", "POOL:1", "ROLE:1").code == 2


def test_revisions_are_tagged_and_taken_out_of_the_history() -> None:
    world = with_pool()

    tagged = world.done("config", "tag", "POOL", "--set", "good", "stable")
    untagged = world.done("config", "tag", "POOL:3", "--delete", "stable")
    world.done("config", "delete", "POOL:2", "--force")

    assert tagged == "Revision 3 of POOL: good, stable\n"
    assert untagged == "Revision 3 of POOL: good\n"
    numbers = [line.split()[1] for line in world.done("config", "history", "POOL").splitlines()[1:]]
    assert "2" not in numbers


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("show", "NOPE"), "is no kind of config"),
        (("show", "POOL:x"), "a revision is a number"),
        (("rollback", "POOL"), "say which revision"),
        (("delete", "POOL"), "say what"),
        (("tag", "POOL:1"), "say which tags"),
        (("show", "POOL:99"), "has no revision 99"),
        (("set", "POOL", "a", "pool"), "config set ROLE"),
    ],
)
def test_what_makes_no_sense_says_what_to_write(command: tuple[str, ...], words: str) -> None:
    said = ServiceWorld().xylem("config", *command)

    assert said.code == 2
    assert words in said.err
