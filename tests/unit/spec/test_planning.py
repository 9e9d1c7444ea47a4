import pytest

from tests.builders_spec import a_file, a_task, plan_of, refusal_of, yaml_of
from xylem.domain.plan import Resources

GIB = 1024**3


def test_a_group_waits_for_the_groups_that_it_reads_from_each_once() -> None:
    plan = plan_of(
        a_task("a"),
        a_task("b"),
        a_task("c", inputs=[{"task": "b"}, {"task": "a"}, {"task": "b"}]),
    )

    assert plan.group("c-group").upstream == ("b-group", "a-group")


def test_a_task_may_read_from_one_further_down_in_the_file() -> None:
    plan = plan_of(a_task("late", inputs=[{"task": "early"}]), a_task("early"))

    assert plan.group("late-group").upstream == ("early-group",)


def test_a_circle_is_refused_and_named() -> None:
    refused = refusal_of(
        yaml_of(
            a_task("a", inputs=[{"task": "c"}]),
            a_task("b", inputs=[{"task": "a"}]),
            a_task("c", inputs=[{"task": "b"}]),
            a_task("d", inputs=[{"task": "a"}]),
        )
    )

    assert "wait for each other in a circle" in str(refused)
    for name in "abc":
        assert f"{name}-group -> " in str(refused)
    assert "d-group" not in str(refused)
    assert refused.code == "SUBMISSION"


def test_groups_that_read_from_each_other_are_a_circle_though_their_tasks_are_not() -> None:
    groups = [
        {"name": "g", "tasks": [a_task("a", lead=True), a_task("b", inputs=[{"task": "c"}])]},
        {"name": "h", "tasks": [a_task("c", lead=True), a_task("d", inputs=[{"task": "a"}])]},
    ]

    refused = str(refusal_of(yaml_of(groups=groups)))

    assert "circle" in refused
    assert refused.startswith(
        (
            "workflow.groups[0].tasks[1].inputs[0].task: ",
            "workflow.groups[1].tasks[1].inputs[0].task: ",
        )
    ), "one of the inputs that close it"


def test_a_chain_of_thousands_is_no_problem() -> None:
    tasks = [a_task("t0")]
    tasks += [a_task(f"t{n}", inputs=[{"task": f"t{n - 1}"}]) for n in range(1, 2_000)]

    assert len(plan_of(*tasks).groups) == 2_000


@pytest.mark.parametrize(
    ("task", "path", "why"),
    [
        (a_task(inputs=[{"task": "x"}]), "inputs[0].task", "Task input x does not exist."),
        (a_task(inputs=[{"task": "a"}]), "inputs[0].task", "which is in its own group a-group"),
        (a_task(args=["{{input:0}}"]), "args[0]", "{{input:0}} is none of the 0 inputs of task a"),
        (a_task(image="{{input:b}}"), "image", "{{input:b}} is none of the 0 inputs"),
        (a_task(environment={"H": "{{ host:b }}"}), "environment.H", "a-group has no task b"),
        (a_task(files=[a_file(contents="{{host:b}}")]), "files[0].contents", "has no task b"),
    ],
)
def test_what_refers_to_nothing_is_refused(task: dict[str, object], path: str, why: str) -> None:
    refused = refusal_of(yaml_of(task))

    assert str(refused).startswith(f"workflow.tasks[0].{path}: ")
    assert why in str(refused)
    assert (refused.code, refused.workflow) == ("SUBMISSION", None)


def test_references_that_hold_are_kept_for_the_manifests() -> None:
    plan = plan_of(
        groups=[
            {"name": "g", "tasks": [a_task("a")]},
            {
                "name": "h",
                "tasks": [
                    a_task(
                        "b",
                        lead=True,
                        args=["{{host:c}} {{input:0}} {{input:a}} {{output}}"],
                        inputs=[{"task": "a"}],
                    ),
                    a_task("c", args=["{{host:b}} {{uuid}} {{workflow_id}}"]),
                ],
            },
        ]
    )

    assert plan.group("h").tasks[0].args == ("{{host:c}} {{input:0}} {{input:a}} {{output}}",)


def test_what_looks_like_a_token_in_base64_is_none() -> None:
    assert plan_of(a_task(files=[a_file(contents="e3tpbnB1dDowfX0=", base64=True)]))


def test_a_task_gets_the_resources_that_it_names() -> None:
    plan = plan_of(
        a_task("a"),
        a_task("b", resource="big"),
        resources={
            "default": {"cpu": 1},
            "big": {"cpu": 4, "gpu": 1, "memory": "8Gi", "storage": "20G", "platform": "p"},
        },
    )

    assert plan.groups[0].tasks[0].resources == Resources(cpu=1)
    assert plan.groups[1].tasks[0].resources == Resources(4, 1, 8 * GIB, 20 * GIB, "p")


def test_without_resources_a_task_asks_for_nothing_of_its_own() -> None:
    assert plan_of(a_task()).groups[0].tasks[0].resources == Resources()


@pytest.mark.parametrize(
    ("task", "resources", "why"),
    [
        (a_task(resource="big"), {"default": {}}, "uses the resource big, which does not exist"),
        (a_task(), {"big": {}}, "uses the resource default, which does not exist"),
        (a_task(), {"default": {"memory": "1GB"}}, 'memory: "1GB" has an invalid unit: GB'),
    ],
)
def test_resources_that_cannot_be_are_refused(
    task: dict[str, object], resources: dict[str, object], why: str
) -> None:
    refused = refusal_of(yaml_of(task, resources=resources))

    assert why in str(refused)
    assert refused.code == "RESOURCE"


@pytest.mark.parametrize(
    "text", [yaml_of(name="w" * 65), yaml_of(a_task("t" * 65)), yaml_of(a_task("t" * 59))]
)
def test_names_longer_than_64_characters_are_refused(text: str) -> None:
    refused = refusal_of(text)

    assert "is longer than 64 characters" in str(refused)
    assert refused.code == "USER"


def test_names_of_64_characters_are_not_too_long() -> None:
    assert plan_of(a_task("t" * 58), name="w" * 64)


def test_a_workflow_has_ten_thousand_tasks_at_most() -> None:
    refused = refusal_of(yaml_of(*(a_task(f"t{n}") for n in range(10_001))))

    assert "has 10001 tasks; the most is 10000" in str(refused)
    assert refused.code == "USER"
