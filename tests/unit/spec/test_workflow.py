from typing import Any

import pytest

from tests.builders_spec import a_file, a_task, plan_of, refusal_of, yaml_of
from xylem.domain.ids import TaskName
from xylem.domain.plan import File, GroupPlan, TaskInput
from xylem.spec.workflow import FILE_BYTES

GANG = [a_task("a", lead=True), a_task("b")]


def test_each_single_task_makes_a_group_that_it_leads() -> None:
    plan = plan_of(a_task("a"), a_task("b"))

    assert [(group.name, [task.name for task in group.tasks]) for group in plan.groups] == [
        ("a-group", ["a"]),
        ("b-group", ["b"]),
    ]
    assert all(group.tasks[0].lead for group in plan.groups)


def test_a_group_keeps_what_the_user_says_of_it() -> None:
    (group,) = plan_of(
        groups=[{"name": "g", "barrier": False, "ignoreNonleadStatus": False, "tasks": GANG}]
    ).groups

    assert (group.barrier, group.ignore_nonlead_status) == (False, False)
    assert [task.lead for task in group.tasks] == [True, False]


def test_a_group_waits_at_the_barrier_unless_told_otherwise() -> None:
    (group,) = plan_of(groups=[{"name": "g", "tasks": GANG}]).groups

    assert group == GroupPlan(name="g", tasks=group.tasks)


def test_the_only_task_of_a_group_leads_it_without_saying_so() -> None:
    (group,) = plan_of(groups=[{"name": "g", "tasks": [a_task()]}]).groups

    assert group.tasks[0].lead


@pytest.mark.parametrize("leads", [0, 2])
def test_several_tasks_need_exactly_one_lead(leads: int) -> None:
    tasks = [a_task(name, lead=index < leads) for index, name in enumerate("abc")]

    refused = refusal_of(yaml_of(groups=[{"name": "g", "tasks": tasks}]))

    assert f'Group "g" has {leads} leader(s) but must have exactly one.' in str(refused)
    assert (refused.code, refused.workflow) == ("USAGE", "w")


def test_numbers_in_a_task_are_text() -> None:
    plan = plan_of(a_task(command=["sleep", 5], args=[0.5], environment={"N": 3}))
    task = plan.groups[0].tasks[0]

    assert (task.command, task.args) == (("sleep", "5"), ("0.5",))
    assert task.environment == {"N": "3"}


def test_true_in_the_environment_is_python_s_word_for_it() -> None:
    (group,) = plan_of(a_task(environment={"DEBUG": True})).groups

    assert group.tasks[0].environment == {"DEBUG": "True"}


def test_files_and_inputs_reach_the_plan() -> None:
    plan = plan_of(
        a_task("a"),
        a_task(
            "b",
            files=[a_file(), a_file("/tmp/blob", "aGVs\nbG8=\n", base64=True)],
            inputs=[{"task": "a", "regex": r".*\.txt$"}],
        ),
    )
    task = plan.groups[1].tasks[0]

    assert task.files == (
        File("/tmp/run.sh", "true\n"),
        File("/tmp/blob", "aGVs\nbG8=\n", base64=True),
    )
    assert task.inputs == (TaskInput(TaskName("a"), r".*\.txt$"),)


def test_what_has_no_effect_with_osmo_has_none_here() -> None:
    with_extras = plan_of(a_task(resources={"cpu": 1}, backend="x"), pool="other", backend="y")

    assert with_extras == plan_of(a_task())


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ([a_task("a_b"), a_task("A-b")], 'Multiple tasks/groups have the same name: "A-b"'),
        ([a_task("a"), a_task("a-group")], 'Multiple tasks/groups have the same name: "a-group"'),
        ([a_task(command="echo hi")], r"tasks[0].command: should be a list of words, not one text"),
        ([a_task(command=[])], r"tasks[0].command: is empty"),
        ([a_task(command=[True])], r"tasks[0].command[0]: should be a valid string (it is True)"),
        ([a_task(image="")], r"tasks[0].image: "),
        ([a_task("-a")], r'tasks[0].name: "-a" is no name'),
        ([a_task("osmo_ctrl")], r'tasks[0].name: "osmo_ctrl" is the name of a container'),
        ([a_task(environment={"A": None})], r"tasks[0].environment.A: should be a valid string"),
        ([a_task(environment={"1A": "x"})], r'"1A" is no name of an environment variable'),
        ([a_task(inputs=[{"task": "a", "regex": "("}])], r'inputs[0].regex: "(" is no regular'),
        ([a_task(inputs=[{}])], r"inputs[0]: names no task"),
        ([{"name": "a", "command": ["true"]}], r"tasks[0].image: is required, but missing"),
        ([a_task(imge="x")], r"tasks[0].imge: is no key of a workflow's spec: did you mean image?"),
        ([a_task(gang=3)], r"tasks[0].gang: is no key of a workflow's spec: known here are"),
        ([a_task(lead="maybe")], r"tasks[0].lead: should be true or false"),
    ],
)
def test_a_mistake_is_named_with_its_path_and_rule(
    tasks: list[dict[str, object]], why: str
) -> None:
    refused = refusal_of(yaml_of(*tasks))

    assert why in str(refused)
    assert refused.code == "USAGE"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"groups": []}, "workflow: has neither tasks nor groups"),
        ({"groups": [{"name": "g", "tasks": []}]}, "groups[0].tasks: is empty"),
        ({"groups": [{"tasks": GANG}]}, "groups[0].name: is required"),
        ({"resources": {"big": {"cpus": 1}}}, "resources.big.cpus: is no key of a workflow's spec"),
        ({"resources": {"big": {"cpu": -1}}}, "resources.big.cpu: "),
        ({"resources": {"big": {"cpu": 0.5}}}, "resources.big.cpu: should be a whole number"),
        ({"labels": {"team": 1}}, "labels.team: should be a valid string"),
        ({"labels": {"bad key": "x"}}, 'the label bad key: x cannot be: "bad key" is no key'),
        ({"labels": {str(n): "x" for n in range(17)}}, "has 17 labels; the most is 16"),
    ],
)
def test_a_mistake_above_the_tasks_is_named_too(more: dict[str, Any], why: str) -> None:
    assert why in str(refusal_of(yaml_of(**more)))


def test_tasks_and_groups_exclude_each_other() -> None:
    text = yaml_of(groups=[{"name": "g", "tasks": [a_task("b")]}], tasks=[a_task()])

    assert "Cannot use both groups and tasks in the same workflow." in str(refusal_of(text))


def test_a_workflow_whose_name_cannot_be_has_no_name_in_the_error() -> None:
    refused = refusal_of(yaml_of(name="bad.name"))

    assert 'workflow.name: "bad.name" is no name' in str(refused)
    assert refused.workflow is None


def test_all_mistakes_are_told_at_once() -> None:
    refused = refusal_of(yaml_of(a_task("-a"), a_task("b", image=""), a_task("c", command="x")))

    assert len(str(refused).splitlines()) == 3


def test_of_a_thousand_mistakes_the_first_are_told_and_the_rest_counted() -> None:
    lines = str(refusal_of(yaml_of(*[a_task("-a")] * 1000))).splitlines()

    assert (len(lines), lines[-1]) == (101, "... and 900 more")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/", "names a folder"),
        ("/tmp/", "names a folder"),
        ("/osmo/bin/x", "which is the runtime's"),
        ("/tmp/../osmo/run/x", "which is the runtime's"),
        ("{{input:0}}/x", "which is the runtime's"),
        ("/osmo/data/output", "which is the runtime's"),
        ("/tmp/a:b", "has a colon"),
    ],
)
def test_a_file_cannot_be_everywhere(path: str, why: str) -> None:
    assert why in str(refusal_of(yaml_of(a_task(files=[a_file(path)]))))


@pytest.mark.parametrize("path", ["/osmo/data/output/x", "{{output}}/x", "{{ output }}/x", "x"])
def test_a_file_may_be_in_the_output(path: str) -> None:
    assert plan_of(a_task(files=[a_file(path)]))


def test_two_files_of_a_task_cannot_have_one_path() -> None:
    refused = refusal_of(yaml_of(a_task(files=[a_file("/tmp/x"), a_file("/tmp/./x")])))

    assert "two files of task a have the path /tmp/x" in str(refused)


def test_a_file_that_no_secret_can_hold_is_refused() -> None:
    refused = refusal_of(yaml_of(a_task(files=[a_file(contents="x" * (FILE_BYTES + 1))])))

    assert "more than Kubernetes carries to a pod" in str(refused)


def test_contents_that_are_not_base64_are_refused() -> None:
    refused = refusal_of(yaml_of(a_task(files=[a_file(contents="%%%", base64=True)])))

    assert "contents of /tmp/run.sh are not base64" in str(refused)


def test_a_local_path_is_the_clients_to_read() -> None:
    refused = refusal_of(yaml_of(a_task(files=[{"path": "/tmp/x", "localpath": "x"}])))

    assert "files[0].localpath: is a file of the submitting machine" in str(refused)
