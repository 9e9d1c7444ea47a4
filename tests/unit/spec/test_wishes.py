"""What a task may ask for beside its command: data, credentials, rights, places."""

from datetime import timedelta
from typing import Any

import pytest

from tests.builders_spec import a_file, a_task, plan_of, refusal_of, yaml_of
from xylem import spec
from xylem.domain.exits import ExitRule
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.plan import (
    Checkpoint,
    CredentialUse,
    Kpi,
    Resources,
    TaskInput,
    TaskPlan,
    Topology,
    UrlInput,
    UrlOutput,
)


def planned(**more: Any) -> TaskPlan:
    (group,) = plan_of(a_task(**more)).groups
    return group.tasks[0]


def why_not(**more: Any) -> str:
    """The only mistake of a task that says this."""
    (line,) = str(refusal_of(yaml_of(a_task(**more)))).splitlines()
    return line


def test_inputs_come_from_tasks_of_this_and_earlier_workflows_and_from_stores() -> None:
    plan = plan_of(
        a_task("a"),
        a_task(
            "b",
            args=["{{input:a}} {{input:1}} {{input:w-1:c}} {{input:c}} {{input:2}}"],
            inputs=[
                {"task": "a"},
                {"task": "w-1:c", "regex": "x"},
                {"url": " s3://bucket/{{workflow_id}}/ ", "regex": r".*\.txt$"},
            ],
        ),
    )

    assert plan.group("b-group").upstream == ("a-group",)
    assert plan.group("b-group").tasks[0].inputs == (
        TaskInput(TaskName("a")),
        TaskInput(TaskName("c"), "x", WorkflowId("w-1")),
        UrlInput("s3://bucket/{{workflow_id}}/", r".*\.txt$"),
    )


def test_an_earlier_workflow_may_be_named_by_its_uuid() -> None:
    uuid = "0123456789abcdef0123456789abcdef"

    assert planned(inputs=[{"task": f"{uuid}:c"}]).inputs == (
        TaskInput(TaskName("c"), workflow=WorkflowId(uuid)),
    )


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "s3://bucket/a b/*",
        "gs://bucket/path/",
        "tos://endpoint/bucket/path",
        "azure://account/container",
        "swift://host/account/container/path",
        "s3://{{workflow_id}}/x",
    ],
)
def test_every_scheme_of_osmo_is_known(url: str) -> None:
    assert planned(outputs=[{"url": url}]).outputs == (UrlOutput(url),)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("foo", '"foo" is no URL of an object store: write one of s3://BUCKET/PATH'),
        ("", '"" is no URL of an object store'),
        ("http://x/y", '"http://x/y" has the scheme http, which is unknown'),
        ("s3://", '"s3://" is not complete: write s3://BUCKET/PATH'),
        ("tos://endpoint", "is not complete: write tos://ENDPOINT/BUCKET/PATH"),
        ("azure://account/", "is not complete: write azure://ACCOUNT/CONTAINER/PATH"),
        ("swift://host/account", "is not complete: write swift://HOST/ACCOUNT/CONTAINER/PATH"),
        ("s3://b/\x07", "has a control character"),
    ],
)
def test_any_other_url_is_refused_wherever_it_stands(url: str, why: str) -> None:
    checkpoint = {"path": "/x", "url": url, "frequency": 60}

    assert why_not(inputs=[{"url": url}]).startswith("workflow.tasks[0].inputs[0].url: ")
    assert why in why_not(inputs=[{"url": url}])
    assert why in why_not(outputs=[{"url": url}])
    assert why in why_not(checkpoint=[checkpoint])


@pytest.mark.parametrize(
    ("input", "why"),
    [
        ({}, "inputs[0]: names no task, no URL and no dataset"),
        ({"task": "w-1:a", "url": "s3://b"}, "inputs[0]: has several of task, url and dataset"),
        ({"task": "w:a:b"}, 'inputs[0].task: "w:a:b" names no task'),
        ({"task": ":a"}, 'inputs[0].task: ":a" names no task'),
        ({"task": "w-1:"}, 'inputs[0].task: "w-1:" names no task'),
        ({"url": "s3://b", "regex": "("}, 'inputs[0].regex: "(" is no regular expression'),
    ],
)
def test_an_input_has_one_source(input: dict[str, str], why: str) -> None:
    assert why in why_not(inputs=[input])


def test_an_output_names_its_url() -> None:
    assert "outputs[0]: names no URL and no dataset" in why_not(outputs=[{"regex": ".*"}])


def test_a_checkpoint_is_copied_again_and_again() -> None:
    entry = {"path": "{{output}}", "url": "s3://b/{{uuid}}", "frequency": "10m", "regex": "x"}

    assert planned(checkpoint=[entry, {**entry, "frequency": 90}]).checkpoints == (
        Checkpoint("{{output}}", "s3://b/{{uuid}}", timedelta(minutes=10), "x"),
        Checkpoint("{{output}}", "s3://b/{{uuid}}", timedelta(seconds=90), "x"),
    )


@pytest.mark.parametrize(
    ("frequency", "why"),
    [
        (0, "0 is no time between two copies"),
        (True, "True is no time between two copies"),
        (None, "None is no time between two copies"),
        ("0s", "0s is no time at all. Write how often, for example 10m."),
        ("-5s", "-5s is negative. Write how often"),
        ("often", '"often" is no time'),
    ],
)
def test_a_checkpoint_needs_a_time_between_two_copies(frequency: object, why: str) -> None:
    entry = {"path": "/x", "url": "s3://b", "frequency": frequency}

    assert f"checkpoint[0].frequency: {why}" in why_not(checkpoint=[entry])


def test_kpis_reach_the_plan() -> None:
    assert planned(kpis=[{"index": "loss", "path": "kpi.json"}]).kpis == (Kpi("loss", "kpi.json"),)


def test_credentials_are_a_folder_or_variables() -> None:
    task = planned(credentials={"a": "/creds/a", "b": {"TOKEN": "token", "N": 1}})

    assert task.credentials == (
        CredentialUse("a", mount="/creds/a"),
        CredentialUse("b", environment={"TOKEN": "token", "N": "1"}),
    )


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        ({"a": None}, "credentials.a: says neither where nor as what"),
        ({"a": []}, "credentials.a: says neither where nor as what"),
        ({"a": {}}, "credentials.a: says neither where nor as what"),
        ({"a": "creds"}, 'credentials.a: "creds" is no absolute path'),
        ({"a": "/"}, "is the root of the container"),
        ({"a": "/osmo/token"}, "lies below /osmo"),
        ({"a": "/a:b"}, "has a colon"),
        ({"a": {"1A": "k"}}, '"1A" is no name of an environment variable'),
        ({"a": {"A": "../k"}}, '"../k" is no key of a credential'),
        ({"a": {"A": True}}, '"True" is no key of a credential'),
        ({"a": {"A": "k"}, "b": {"A": "k"}}, "a and b both give the environment variable A"),
        ({"a": "/x", "b": "/x/"}, "two credentials of task a have the path /x"),
    ],
)
def test_a_credential_cannot_be_anything_else(credentials: dict[str, Any], why: str) -> None:
    assert why in why_not(credentials=credentials)


def test_things_at_one_place_would_hide_each_other() -> None:
    both = why_not(files=[a_file("/x")], volumeMounts=["/data:/x"])

    assert "a file and a volume mount of task a have the path /x" in both


def test_rights_and_folders_of_the_node_are_asked_for() -> None:
    task = planned(
        privileged=True, hostNetwork=True, volumeMounts=["/data", "/mnt:/other"], cacheSize="90%"
    )

    assert (task.privileged, task.host_network, task.cache_size) == (True, True, "90%")
    assert task.volume_mounts == ("/data", "/mnt:/other")


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ("data", "names no folder of the node"),
        ("/../etc", "names no folder of the node"),
        ("/a:/b:ro", "has two colons"),
        ("/a:b", '"b" is no absolute path'),
        ("/a:/osmo", "lies below /osmo"),
        ("/", "is the root of the container"),
    ],
)
def test_a_volume_mount_is_two_folders_or_one(mount: str, why: str) -> None:
    assert "volumeMounts[0]: " in why_not(volumeMounts=[mount])
    assert why in why_not(volumeMounts=[mount])


@pytest.mark.parametrize("size", ["90%", "100%", "0%", "10Gi", "1024"])
def test_a_cache_is_a_size_or_a_part_of_the_storage(size: str) -> None:
    assert planned(cacheSize=size).cache_size == size


@pytest.mark.parametrize("size", ["101%", "10GB", "all", "-1"])
def test_a_cache_is_nothing_else(size: str) -> None:
    assert "cacheSize: " in why_not(cacheSize=size)


def test_there_is_one_way_to_download() -> None:
    assert planned(downloadType="download") == planned()
    assert '"mount" is no way to download' in why_not(downloadType="mount")


def test_exit_actions_are_rules_in_the_order_of_the_file() -> None:
    task = planned(exitActions={"reschedule": "137, 139", "COMPLETE": 3, "Fail": "1-5,9"})

    assert task.exit_rules == (
        ExitRule("reschedule", ((137, 137), (139, 139))),
        ExitRule("complete", ((3, 3),)),
        ExitRule("fail", ((1, 5), (9, 9))),
    )


@pytest.mark.parametrize(
    ("actions", "why"),
    [
        ({"RESTART": "1"}, 'exitActions.RESTART: "RESTART" is no action. Known are COMPLETE, FAIL'),
        ({"FAIL": "5-1"}, "has a range that ends before it begins: write 1-5"),
        ({"FAIL": "12-34-5"}, '"12-34-5" is none'),
        ({"FAIL": ""}, '"" names no exit codes'),
        ({"FAIL": "1,,2"}, '"" is none'),
        ({"FAIL": True}, '"True" names no exit codes'),
        ({"FAIL": None}, "an empty value names no exit codes"),
        ({"FAIL": -1}, '"-1" is none'),
    ],
)
def test_exit_actions_that_mean_nothing_are_refused(actions: dict[str, Any], why: str) -> None:
    assert why in why_not(exitActions=actions)


def test_a_task_says_where_it_may_run_and_near_whom() -> None:
    entry = {
        "nodesExcluded": ["n1", "n2.example"],
        "topology": [
            {"key": "rack", "group": "model-1"},
            {"key": "zone", "requirementType": "preferred"},
        ],
    }
    plan = plan_of(a_task(), resources={"default": entry})

    assert plan.groups[0].tasks[0].resources == Resources(
        nodes_excluded=("n1", "n2.example"),
        topology=(Topology("rack", "model-1"), Topology("zone", "default", required=False)),
    )


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"nodesExcluded": ["a b"]}, 'default.nodesExcluded[0]: "a b" is no name of a node'),
        ({"topology": [{}]}, "default.topology[0].key: is required"),
        ({"topology": [{"key": "a"}] * 2}, "names the topology key a more than once"),
        ({"topology": [{"key": "a", "group": "b c"}]}, '"b c" is no name of a group'),
        ({"topology": [{"key": "a", "requirementType": "x"}]}, "'required' or 'preferred'"),
        ({"topology": [{"key": "a", "grup": "x"}]}, "did you mean group?"),
    ],
)
def test_where_that_cannot_be_is_refused(entry: dict[str, Any], why: str) -> None:
    assert why in str(refusal_of(yaml_of(resources={"default": entry})))


def test_all_tasks_of_a_workflow_have_the_same_topology_keys() -> None:
    refused = refusal_of(
        yaml_of(
            a_task("a"),
            a_task("b", resource="near"),
            resources={"default": {}, "near": {"topology": [{"key": "rack"}]}},
        )
    )

    assert "workflow.resources: All tasks of a workflow have to use the same" in str(refused)
    assert "default has none; near has rack" in str(refused)
    assert refused.code == "RESOURCE"


def test_an_entry_that_no_task_uses_may_have_other_topology_keys() -> None:
    assert plan_of(resources={"default": {}, "near": {"topology": [{"key": "rack"}]}})


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (a_task(outputs=[{"url": "s3://b/{{input:x}}"}]), "outputs[0].url"),
        (a_task(outputs=[{"url": "s3://b", "regex": "{{input:x}}"}]), "outputs[0].regex"),
        (a_task(inputs=[{"url": "s3://b/{{host:x}}"}]), "inputs[0].url"),
        (a_task(kpis=[{"index": "i", "path": "{{input:0}}"}]), "kpis[0].path"),
        (
            a_task(checkpoint=[{"path": "{{input:0}}", "url": "s3://b", "frequency": 60}]),
            "checkpoint[0].path",
        ),
    ],
)
def test_tokens_are_checked_wherever_they_get_a_value(task: dict[str, Any], path: str) -> None:
    assert str(refusal_of(yaml_of(task))).startswith(f"workflow.tasks[0].{path}: ")


def test_all_of_it_can_be_submitted_again_and_means_the_same() -> None:
    written = yaml_of(
        a_task(
            inputs=[{"url": "s3://b/k"}, {"task": "w-1:a"}],
            outputs=[{"url": "s3://b/{{workflow_id}}", "regex": "x"}],
            checkpoint=[{"path": "/x", "url": "s3://b", "frequency": "1h30m"}],
            kpis=[{"index": "i", "path": "p"}],
            credentials={"a": "/creds", "b": {"T": "k"}},
            exitActions={"complete": "3,4-5"},
            volumeMounts=["/data:/d"],
            privileged=True,
            hostNetwork=True,
            cacheSize="1Gi",
        ),
        resources={"default": {"nodesExcluded": ["n"], "topology": [{"key": "k"}]}},
    )
    first = spec.read(written)

    again = spec.parse(spec.render(spec.stored_text(first, default_platform=None)))

    assert again == first.plan
