"""Workflows written in Python, submitted as anybody's are, and their pods run for real."""

import ast
from pathlib import Path

import pytest
import yaml

from clients.workflows import OUTPUT, Workflow, shell, task
from examples.python.pipeline import pipeline
from examples.python.serial import serial
from examples.python.train import train
from tests.stories.running_pods import RunningPods
from tests.stories.world import World
from xylem.domain.status import WorkflowStatus
from xylem.manifests import names


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pods(world: World, tmp_path: Path) -> RunningPods:
    return RunningPods(world, tmp_path)


def test_the_serial_workflow_hands_each_line_on(world: World, pods: RunningPods) -> None:
    workflow = world.submit(serial().to_yaml())

    pods.run(workflow)

    assert world.look(workflow).workflow.status is WorkflowStatus.COMPLETED
    assert pods.said["say-2"] == "a line: Data from task 1\n"
    assert pods.said["say-3"] == "a line: Data from task 1\na line: Data from task 2\n"


def test_the_pipeline_joins_a_function_with_a_script(world: World, pods: RunningPods) -> None:
    workflow = world.submit(pipeline().to_yaml())

    pods.run(workflow)

    assert world.look(workflow).workflow.status is WorkflowStatus.COMPLETED, pods.said
    assert [group.name for group in world.look(workflow).groups] == [
        "download-group",
        "process",
        "combine-group",
    ]
    assert "CHERRY" in pods.said["combine"]
    assert "     3\tcherry" in pods.said["combine"]


def test_the_training_is_one_gang_of_as_many_nodes_as_were_asked_for(world: World) -> None:
    workflow = world.submit(train("s3://bucket/models", nodes=4).to_yaml())
    world.settle()

    [create] = world.cluster.jobs
    [group] = world.look(workflow).groups
    commands = {
        one["metadata"]["annotations"][names.TASK]: one["spec"]["containers"][0]["command"][-1]
        for one in world.objects(create)
        if one["kind"] == "Pod"
    }
    assert list(commands) == ["master", "worker_1", "worker_2", "worker_3"]
    assert [member.name for member in group.tasks if member.lead] == ["master"]
    assert "--node_rank 3" in commands["worker_3"]
    assert not any("{{" in words for words in commands.values())


@pytest.mark.parametrize(
    ("python", "of_osmo"),
    [
        ("serial", "serial_workflow"),
        ("pipeline", "combination_workflow_complex"),
        ("train", "train_template"),
    ],
)
def test_it_is_shorter_than_the_yaml_that_it_was(python: str, of_osmo: str) -> None:
    root = Path(__file__).parents[2]
    cookbook = root / "../shared/reference/cookbook" / f"{of_osmo}.yaml"
    if not cookbook.exists():
        pytest.skip(f"there is no {cookbook}")
    source = (root / "examples/python" / f"{python}.py").read_text()

    assert len(_lines(_without_docstring(source))) < len(_lines(cookbook.read_text()))


def _without_docstring(source: str) -> str:
    first = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[first.end_lineno :])


def _lines(text: str) -> list[str]:
    """That say something."""
    return [line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#"]


class Temperature:
    def __init__(self, celsius: float) -> None:
        self.celsius = celsius


@task
def measured() -> Temperature:
    return Temperature(21.5)


@task
def warmer(than: Temperature, by: float = 1.0) -> tuple[float, str]:
    """Which reads its own class from what the one before it wrote."""
    assert isinstance(than, Temperature)
    return than.celsius + by, "°C"


@task
def told(value: float, unit: str, braces: str) -> None:
    print(f"{value} {unit} {braces} {{x}} {'{%'}")


def test_what_json_cannot_carry_and_what_a_template_would_eat_arrive_as_they_were(
    world: World, pods: RunningPods
) -> None:
    with Workflow("values") as values:
        found = warmer(measured(), by=2.0)
        told(found[0], found[1], "{{ a }} {# b #} ${#c[@]}")
    workflow = world.submit(values.to_yaml())

    pods.run(workflow)

    assert pods.said["told"] == "23.5 °C {{ a }} {# b #} ${#c[@]} {x} {%\n", pods.said
    assert world.look(workflow).workflow.status is WorkflowStatus.COMPLETED


@task
async def later(wait: float) -> list[dict[str, float]]:
    return [{"wait": wait}]


@task
def fails() -> None:
    raise RuntimeError("on purpose")


def test_a_coroutine_is_awaited_and_an_exception_fails_the_task(
    world: World, pods: RunningPods
) -> None:
    with Workflow("ends") as ends:
        waited = later(0.5)
        shell("reads", f"cat {waited}/result.json", image="busybox")
        fails()
    workflow = world.submit(ends.to_yaml())

    pods.run(workflow)

    assert pods.said["reads"] == '[{"wait": 0.5}]'
    assert "RuntimeError: on purpose" in pods.said["fails"]
    assert world.task(workflow, "fails").exit_code == 1


@task
def writes(name: str, out: Path = OUTPUT) -> list[Path]:
    (out / name).write_text(name)
    return [out / name]


@task
def reads(files: list[Path]) -> str:
    return files[0].read_text()


def test_files_are_found_where_the_next_task_has_them(world: World, pods: RunningPods) -> None:
    with Workflow("files") as files:
        reads(writes("a b.txt"))
    workflow = world.submit(files.to_yaml())

    pods.run(workflow)

    assert (pods.left("reads") / "result.json").read_text() == '"a b.txt"', pods.said


def test_a_thousand_tasks_of_a_function_are_a_spec_that_is_taken(world: World) -> None:
    with Workflow("wide") as wide:
        for number in range(1000):
            writes(str(number))

    text = wide.to_yaml()

    assert len(text.encode()) < 400_000
    assert len(yaml.safe_load(text)["workflow"]["tasks"]) == 1000
    assert len(world.look(world.submit(text)).groups) == 1000
