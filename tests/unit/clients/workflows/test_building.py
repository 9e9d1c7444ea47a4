"""What calls come to as a spec, and what is refused while it is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from clients.sdk.client import Client
from clients.sdk.errors import BadInput
from clients.sdk.login import Login
from clients.workflows import (
    OUTPUT,
    WORKFLOW_ID,
    Resources,
    Workflow,
    container,
    group,
    host,
    shell,
    task,
)
from tests.unit.clients.answers import Service
from xylem import spec

NEEDS = {"cpu": 2, "memory": "4Gi"}


@task
def numbers(upto: int) -> list[int]:
    return list(range(upto))


@task(resources=Resources(cpu=2, memory="4Gi"), retry_on="1-255")
def total(values: list[int], *, scale: int = 1) -> int:
    return sum(values) * scale


def tasks_of(workflow: Workflow) -> dict[str, dict[str, Any]]:
    """As the service reads them, which finds no mistake."""
    text = workflow.to_yaml()
    rendered = spec.render(text)
    assert spec.parse(rendered)
    return {one["name"]: one for one in yaml.safe_load(rendered)["workflow"]["tasks"]}


def test_outside_of_a_workflow_a_task_is_its_function() -> None:
    assert total(numbers(4), scale=2) == 12


def test_a_call_is_a_task_that_waits_for_those_whose_results_it_is_given() -> None:
    with Workflow("sums") as sums:
        total(numbers(4), scale=2)

    tasks = tasks_of(sums)
    assert tasks["total"]["inputs"] == [{"task": "numbers"}]
    assert tasks["numbers"]["command"] == ["python3", "-u", "/tmp/xylem/run.py", "numbers"]
    assert tasks["numbers"]["args"] == ["{{output}}", "[4]"]
    assert tasks["total"]["args"][1:] == ['[{"$result": "{{input:numbers}}"}]', '{"scale": 2}']


def test_options_are_keys_of_the_task() -> None:
    with Workflow("options", resources=Resources(cpu=1), labels={"team": "a"}) as options:
        first = numbers.with_options(
            name="first", environment={"A": "1"}, outputs=["s3://b/k"], credentials={"c": "/c"}
        )(1)
        total.with_options(after=[first], image="numpy", spec={"privileged": True})([1])

    tasks = tasks_of(options)
    assert tasks["first"]["environment"] == {"A": "1"}
    assert tasks["first"]["outputs"] == [{"url": "s3://b/k"}]
    assert tasks["total"]["inputs"] == [{"task": "first", "regex": "^$"}]
    assert tasks["total"]["exitActions"] == {"RESCHEDULE": "1-255"}
    assert (tasks["total"]["image"], tasks["total"]["privileged"]) == ("numpy", True)
    assert tasks["total"]["resource"] == "total"
    assert options.spec()["resources"] == {"default": {"cpu": 1}, "total": NEEDS}


def test_loops_and_conditions_are_those_of_python() -> None:
    def built(shards: int, check: bool) -> Workflow:
        with Workflow("built") as workflow:
            parts = [numbers(shard) for shard in range(shards)]
            if check:
                total(parts[-1])
        return workflow

    assert list(tasks_of(built(3, check=True))) == ["numbers", "numbers-2", "numbers-3", "total"]
    assert list(tasks_of(built(1, check=False))) == ["numbers"]


def test_the_first_task_of_a_group_leads_it_unless_another_does() -> None:
    with Workflow("gangs") as gangs:
        with group("one", barrier=False):
            server = container("server", ["serve"], image="a")
            container("client", ["call", host(server)], image="a")
        with group("two"):
            numbers(1)
            total.with_options(lead=True)([1])
        numbers(2)

    groups = {one["name"]: one for one in yaml.safe_load(gangs.to_yaml())["workflow"]["groups"]}
    leads = {
        name: [each["name"] for each in one["tasks"] if each.get("lead")]
        for name, one in groups.items()
    }
    assert leads == {"one": ["server"], "two": ["total"], "numbers-2-group": []}
    assert groups["one"]["barrier"] is False
    assert groups["one"]["tasks"][1]["command"] == ["call", "{{host:server}}"]
    assert spec.parse(spec.render(gangs.to_yaml())).groups


def test_folders_of_scripts_are_paths_and_promises_in_a_text_are_their_folder() -> None:
    with Workflow("texts") as texts:
        made = shell("makes", f"echo {WORKFLOW_ID} > {OUTPUT}/a", image="busybox")
        found = numbers(1)
        shell("reads", f"cat {made / 'a'} {found}/result.json", image="busybox", shell="bash")

    tasks = tasks_of(texts)
    assert tasks["reads"]["args"] == ["cat {{input:makes}}/a {{input:numbers}}/result.json"]
    assert tasks["reads"]["inputs"] == [{"task": "makes"}, {"task": "numbers"}]
    assert tasks["reads"]["command"] == ["bash", "-ec"]


def test_what_is_no_token_is_no_template() -> None:
    script = 'echo "{{ x }} {% if %} ${#a[@]} {{output}}"'
    with Workflow("braces") as braces:
        shell("echo", script, image="bash")

    assert tasks_of(braces)["echo"]["args"] == [script]


def test_inputs_of_other_kinds_keep_their_numbers_and_names() -> None:
    given: list[dict[str, Any]] = [
        {"url": "s3://b/k"},
        {"dataset": {"name": "bucket/birds:3"}},
        {"task": "old-1:made"},
    ]
    with Workflow("kinds") as kinds:
        first = numbers(1)
        shell(
            "reads",
            f"cat {{{{input:0}}}}/a {{{{input:birds}}}}/b {{{{input:made}}}}/c {first}/result.json",
            image="busybox",
            inputs=given,
        )

    assert tasks_of(kinds)["reads"]["inputs"] == [*given, {"task": "numbers"}]


LOOKS: list[tuple[Callable[[Any], object], str]] = [
    (lambda value: [*value], "in a loop"),
    (lambda value: 1 if value else 2, "as a condition"),
    (lambda value: value == 1, "in a comparison"),
    (len, "for its length"),
    (lambda value: value.upper(), "for .upper"),
    (lambda value: f"{value[0]}", "as text"),
    (lambda value: value[1:], "a part is named by one"),
]


@pytest.mark.parametrize(("look", "what"), LOOKS)
def test_a_promise_is_not_looked_into(look: Callable[[Any], object], what: str) -> None:
    with Workflow("looks"):
        value = numbers(1)
        with pytest.raises(BadInput, match=what):
            look(value)


@pytest.mark.parametrize("value", [{1: 2}, {3}, object(), {"$path": 1}])
def test_what_no_spec_can_carry_is_refused_as_an_argument(value: Any) -> None:
    with Workflow("carries"), pytest.raises(BadInput, match="is not written into a spec"):
        numbers(value)


def _twice() -> None:
    numbers.with_options(name="a-b")(1)
    numbers.with_options(name="A_b")(1)


def _nested() -> None:
    with group("one"), group("two"):
        pass


def _another() -> None:
    with Workflow("inner"):
        pass


def _empty() -> None:
    with group("empty"):
        pass


def _late() -> None:
    shell("reads", "cat {{input:later}}/a", image="busybox")


def _long() -> None:
    numbers("x" * 200_000)  # type: ignore[arg-type]  # it is the length that counts


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (_twice, "two tasks named A_b"),
        (_nested, "group two is not written within one"),
        (_another, "not written within another"),
        (_empty, "group empty has no task"),
        (_late, "names no task that was called before"),
        (_long, "have 200004 bytes"),
        (lambda: numbers.with_options(name="-")(1), 'cannot be called "-"'),
        (lambda: shell("a", "b"), "task a has no image"),
        (lambda: host("not a task"), "is no result of a task"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(write: Callable[[], object], why: str) -> None:
    with Workflow("mistakes"), pytest.raises(BadInput, match=why):
        write()


def test_an_empty_workflow_and_a_task_of_none_are_mistakes() -> None:
    with Workflow("empty") as empty:
        pass

    with pytest.raises(BadInput, match="has no task"):
        empty.to_yaml()
    with pytest.raises(BadInput, match="belongs to no workflow"):
        shell("a", "b", image="c")
    with pytest.raises(BadInput, match="cannot be called"):
        Workflow("no name")


def test_what_is_submitted_is_what_is_shown() -> None:
    submit = "POST /api/pool/default/workflow"
    service = Service({submit: {"name": "sums-1", "warnings": []}})
    client = Client(Login(url="https://xylem.example"), transport=service)
    with Workflow("sums") as sums:
        numbers(1)

    assert sums.submit(client, pool="default", priority="LOW").name == "sums-1"

    [request] = service.requests
    assert httpx.Response(200, content=request.content).json()["file"] == sums.to_yaml()
    assert request.url.params["priority"] == "LOW"


def test_a_notebook_shows_the_yaml_escaped() -> None:
    with Workflow("shown") as shown:
        shell("a", "echo '<b>' && true", image="busybox")

    assert "&lt;b&gt;" in shown._repr_html_()
    assert "<b>" not in shown._repr_html_()


def test_a_function_may_be_given_a_path_of_its_container() -> None:
    @task
    def size(of: Path) -> int:
        return of.stat().st_size

    with Workflow("paths") as paths:
        size(Path("/mnt/data/a"))

    assert tasks_of(paths)["size"]["args"][1] == '[{"$path": "/mnt/data/a"}]'
