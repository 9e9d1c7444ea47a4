import json
from base64 import b64decode
from typing import Any

import pytest

from tests.builders_spec import GROUP, a_plan, a_planned_task, facts_of
from xylem.domain.ids import TaskName, task_uuid
from xylem.domain.plan import File, GroupPlan, TaskInput
from xylem.manifests import GroupFacts, render

A_FILE = File("/tmp/run.sh", "echo {{output}} {{workflow_id}}\n")


def objects(plan: GroupPlan, facts: GroupFacts | None = None) -> list[dict[str, Any]]:
    return render(plan, facts or facts_of(plan))


def of_kind(kind: str, manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def names(manifests: list[dict[str, Any]]) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in manifests]


def text_in(secret: dict[str, Any], key: str) -> str:
    return b64decode(secret["data"][key]).decode()


def config_of(plan: GroupPlan, facts: GroupFacts | None = None) -> Any:
    """Of its first task."""
    secret, *_ = of_kind("Secret", objects(plan, facts))
    return json.loads(text_in(secret, "task.json"))


def test_the_same_group_is_drawn_the_same_twice() -> None:
    plan = a_plan(a_planned_task("a", files=(A_FILE,)), a_planned_task("b"))

    assert objects(plan) == objects(plan)


def test_pods_come_last_so_that_what_they_mount_exists() -> None:
    kinds = [each["kind"] for each in objects(a_plan(a_planned_task("a"), a_planned_task("b")))]

    assert kinds == ["Secret", "Secret", "Service", "Pod", "Pod"]


def test_the_objects_can_be_written_as_json() -> None:
    manifests = objects(a_plan(a_planned_task(files=(A_FILE,))))

    assert json.loads(json.dumps(manifests)) == manifests


def test_changing_one_object_changes_no_other() -> None:
    first, second = objects(a_plan()), objects(a_plan())
    first[-1]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] = "/elsewhere"
    first[-1]["spec"]["initContainers"][0]["resources"]["requests"]["cpu"] = "9"

    assert second == objects(a_plan())


def test_a_single_task_needs_no_service() -> None:
    assert of_kind("Service", objects(a_plan())) == []


def test_a_gang_has_a_headless_service_that_knows_its_pods_before_they_are_ready() -> None:
    plan = a_plan(a_planned_task("a"), a_planned_task("b"))
    manifests = objects(plan)

    (service,) = of_kind("Service", manifests)
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    for pod in of_kind("Pod", manifests):
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        assert pod["spec"]["subdomain"] == service["metadata"]["name"]


def test_only_the_tasks_that_are_asked_for_are_drawn() -> None:
    plan = a_plan(a_planned_task("a"), a_planned_task("b"))
    facts = facts_of(plan, retries={TaskName("b"): 1})

    (pod,) = of_kind("Pod", objects(plan, facts))

    assert pod["metadata"]["annotations"]["xylem.dev/task"] == "b"
    assert pod["metadata"]["annotations"]["xylem.dev/retry"] == "1"
    assert len(of_kind("Service", objects(plan, facts))) == 1


@pytest.mark.parametrize("change", [{"incarnation": 2}, {"retries": {TaskName("a"): 1}}])
def test_another_attempt_shares_no_pod_and_no_token_with_the_one_before(
    change: dict[str, Any],
) -> None:
    plan = a_plan()

    first, second = objects(plan), objects(plan, facts_of(plan, **change))

    assert set(names(first)).isdisjoint(names(second))


def test_another_incarnation_shares_nothing_at_all() -> None:
    plan = a_plan(a_planned_task("a", files=(A_FILE,)), a_planned_task("b"))

    again = objects(plan, facts_of(plan, incarnation=2))

    assert set(names(objects(plan))).isdisjoint(names(again))


def test_every_name_is_one_that_kubernetes_takes() -> None:
    plan = a_plan(a_planned_task("A_" + "b" * 62, files=(A_FILE,)), a_planned_task("b"))

    for name in names(objects(plan, facts_of(plan, incarnation=99))):
        assert len(name) <= 253
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_tokens_get_their_values_in_every_string_of_a_task() -> None:
    task = a_planned_task(
        "a",
        args=("{{output}}", "{{ input:0 }}", "{{input:up}}", "{{input:1}}", "{{host:b}}"),
        environment={"ID": "{{workflow_id}}"},
        files=(A_FILE,),
        inputs=(TaskInput(TaskName("up")), TaskInput(TaskName("other"), "{{workflow_id}}")),
    )
    plan = a_plan(task, a_planned_task("b"))
    manifests = objects(plan)
    container = of_kind("Pod", manifests)[0]["spec"]["containers"][0]

    host = f"{task_uuid(GROUP, TaskName('b'))}.osmo-{GROUP}-1"
    assert container["command"][-5:] == [
        "/osmo/data/output",
        "/osmo/data/input/0",
        "/osmo/data/input/0",
        "/osmo/data/input/1",
        host,
    ]
    assert {"name": "ID", "value": "w-1"} in container["env"]
    files, config = of_kind("Secret", manifests)[:2]
    assert text_in(files, "file") == "echo /osmo/data/output w-1\n"
    assert json.loads(text_in(config, "task.json"))["inputs"][1]["regex"] == "w-1"


def test_a_host_name_is_that_of_the_other_tasks_pod() -> None:
    plan = a_plan(a_planned_task("a", args=("{{host:b}}",)), a_planned_task("b"))
    first, second = of_kind("Pod", objects(plan))

    spec = second["spec"]
    assert (
        first["spec"]["containers"][0]["command"][-1] == f"{spec['hostname']}.{spec['subdomain']}"
    )


def test_a_tasks_uuid_is_its_own_and_that_of_all_its_attempts() -> None:
    plan = a_plan(a_planned_task("a", args=("{{uuid}}",)), a_planned_task("b", args=("{{uuid}}",)))

    def uuids(facts: GroupFacts) -> list[str]:
        pods = of_kind("Pod", render(plan, facts))
        return [pod["spec"]["containers"][0]["command"][-1] for pod in pods]

    again = facts_of(plan, retries={TaskName("a"): 1, TaskName("b"): 1})
    assert len(set(uuids(facts_of(plan)))) == 2
    assert uuids(again) == uuids(facts_of(plan))


def test_tasks_with_the_same_file_share_its_secret() -> None:
    plan = a_plan(a_planned_task("a", files=(A_FILE,)), a_planned_task("b", files=(A_FILE,)))

    secrets = [each for each in of_kind("Secret", objects(plan)) if "file" in each["data"]]

    assert len(secrets) == 1


def test_contents_in_base64_are_passed_on_as_they_are() -> None:
    raw = bytes(range(256))
    contents = (
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7\n"
        + (
            "PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3\n"
            "eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKz\n"
            "tLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v\n"
            "8PHy8/T19vf4+fr7/P3+/w==\n"
        )
    )
    plan = a_plan(a_planned_task(files=(File("/tmp/blob", contents, base64=True),)))

    secret = of_kind("Secret", objects(plan))[0]

    assert b64decode(secret["data"]["file"], validate=True) == raw


def test_the_sidecar_is_told_which_attempt_it_serves_and_what_to_do() -> None:
    task = a_planned_task("a", inputs=(TaskInput(TaskName("up"), r".*\.txt$"),))

    assert config_of(a_plan(task)) == {
        "api_url": "https://api.example.com",
        "workflow": "w-1",
        "group": GROUP,
        "incarnation": 1,
        "task": "a",
        "retry": 0,
        "inputs": [{"index": 0, "task": "up", "regex": r".*\.txt$"}],
        "outputs": [],
        "checkpoints": [],
        "kpis": [],
        "barrier": False,
        "gang": None,
        "input": "/osmo/data/input",
        "output": "/osmo/data/output",
        "mask": [],
        "wait": True,
    }


@pytest.mark.parametrize(("size", "seconds"), [(2, 10.0), (200, 10.0), (1000, 50.0)])
def test_a_pod_of_a_gang_knows_how_often_the_group_began_anew_and_when_to_ask(
    size: int, seconds: float
) -> None:
    plan = a_plan(*(a_planned_task(f"t{number}") for number in range(size)))

    assert config_of(plan, facts_of(plan, restarts=3))["gang"] == {
        "restarts": 3,
        "look_every": seconds,
    }


def test_each_attempt_has_its_own_token() -> None:
    plan = a_plan(a_planned_task("a"), a_planned_task("b"))

    tokens = [text_in(secret, "token") for secret in of_kind("Secret", objects(plan))]

    assert tokens == ["token-of-a", "token-of-b"]
