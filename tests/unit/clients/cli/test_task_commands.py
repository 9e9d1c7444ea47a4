"""`xylem task list`, `workflow tag` and the filters of lists, before the real service."""

import json

import pytest
import yaml

from tests.builders_placement import a_node
from tests.stories.world import BACKEND
from tests.unit.clients.cli.service_world import ServiceWorld
from xylem.ports.backends import NodeFacts

SPEC = """\
workflow:
  name: hello
  labels: {team: a}
  tasks:
  - {name: one, image: alpine, command: [echo], resources: {cpu: 2}}
  - {name: two, image: alpine, command: [echo], inputs: [{task: one}]}
"""


def with_workflow() -> ServiceWorld:
    world = ServiceWorld()
    world.done("workflow", "submit", "-", stdin=SPEC)
    return world


def names(listed: str) -> list[str]:
    return [one["task_name"] for one in json.loads(listed)["tasks"]]


def test_tasks_are_listed_that_are_under_way_unless_told_otherwise() -> None:
    world = with_workflow()

    assert "No tasks match" in world.done("task", "list", "--workflow-id", "other-1")
    waiting = world.done("task", "list", "--status", "WAITING", "-t", "json")
    assert "two" in names(waiting)


def test_failed_is_every_way_to_fail() -> None:
    world = with_workflow()
    world.done("workflow", "cancel", "hello-1", "--force")

    listed = world.done("task", "list", "-s", "failed", "-w", "hello-1", "-v")

    assert "FAILED_CANCELED" in listed
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["hello-1", "hello-1"]


def test_a_status_that_is_none_is_refused_with_those_there_are() -> None:
    said = ServiceWorld().xylem("task", "list", "--status", "BUSY")

    assert said.code == 2
    assert "RUNNING" in said.err


def test_what_tasks_ask_for_is_summed_by_user_and_by_workflow() -> None:
    world = with_workflow()
    every = ("--status", "WAITING", "PROCESSING", "--all-users")

    by_user = world.done("task", "list", "--summary", *every)
    by_workflow = world.done("task", "list", "--aggregate-by-workflow", *every)

    assert by_user.splitlines()[1].split()[:3] == ["root", "default", "NORMAL"]
    assert by_workflow.splitlines()[1].split()[:2] == ["hello-1", "root"]


def test_lists_are_yaml_for_who_wants_it() -> None:
    world = with_workflow()

    as_yaml = yaml.safe_load(world.done("workflow", "list", "--format-type", "yaml"))

    assert as_yaml == json.loads(world.done("workflow", "list", "--format-type", "json"))
    assert [one["name"] for one in as_yaml["workflows"]] == ["hello-1"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("--label", "team=a"), True),
        (("--no-label", "team"), False),
        (("--priority", "high", "low"), False),
        (("--priority", "high", "normal"), True),
        (("--submitted-before", "1h"), False),
        (("--submitted-after", "1h"), True),
        (("--tags", "golden"), False),
        (("--status", "COMPLETED", "FAILED_CANCELED"), False),
        (("--order", "desc"), True),
    ],
)
def test_workflows_are_filtered(filters: tuple[str, ...], found: bool) -> None:
    assert ("hello-1" in with_workflow().done("workflow", "list", *filters)) is found


def test_workflows_are_tagged_with_what_an_administrator_allows() -> None:
    world = with_workflow()
    assert world.xylem("workflow", "tag").out == ""
    allowed = "workflow_info: {tags: [golden, bad]}"
    world.done("config", "update", "WORKFLOW", "-f", "-", stdin=allowed)

    world.done("workflow", "tag", "-w", "hello-1", "-a", "golden", "bad")
    world.done("workflow", "tag", "-w", "hello-1", "-r", "bad")

    assert world.done("workflow", "tag") == "golden\nbad\n"
    assert json.loads(world.done("workflow", "query", "hello-1", "-t", "json"))["tags"] == [
        "golden"
    ]
    assert "hello-1" in world.done("workflow", "list", "--tags", "golden")
    assert world.xylem("workflow", "tag", "-w", "hello-1").code == 2


def test_one_node_is_shown_as_a_pool_sees_it() -> None:
    world = ServiceWorld()
    node = a_node("node-1", backend=BACKEND)
    world.world.backends.note_nodes(NodeFacts(BACKEND, "boot", 1, (node,)))

    shown = world.done("resource", "info", "node-1", "--pool", "default")

    assert "node-1" in shown
    assert "default/default" in shown
    assert world.xylem("resource", "info", "node-1", "--pool", "other").code == 2
    assert world.xylem("resource", "info", "nope").code == 2
