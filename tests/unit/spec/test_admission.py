"""What a pool allows: each row of OSMO's table of refusals about pools, with its code and path."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.builders_placement import GIB, a_node, a_pool
from tests.builders_spec import a_planned_task, a_task, yaml_of
from xylem import spec
from xylem.domain.errors import InvalidSpec
from xylem.domain.node import Node
from xylem.domain.plan import GroupPlan, Resources, Topology, WorkflowPlan
from xylem.domain.pool import Assertion, GpuQuota, Platform, Pool, TopologyKey
from xylem.domain.pool_book import SHIPPED_VALIDATIONS

CPU = SHIPPED_VALIDATIONS["default_cpu"]


def a_plan(*resources: Resources, **fields: Any) -> WorkflowPlan:
    """A group of tasks t0, t1, ... that ask for these; `fields` are each task's."""
    tasks = [
        a_planned_task(f"t{at}", resources=one, **fields)
        for at, one in enumerate(resources or (Resources(),))
    ]
    return WorkflowPlan("w", (GroupPlan("g", tuple(tasks)),))


def refused(
    plan: WorkflowPlan, pool: Pool, *, nodes: Sequence[Node] | None = None, **more: Any
) -> InvalidSpec:
    with pytest.raises(InvalidSpec) as error:
        spec.check_pool(plan, pool, nodes=nodes, **more)
    return error.value


# Platforms ----------------------------------------------------------------------------------------


def test_a_platform_of_the_pool_is_fine_and_so_is_its_default() -> None:
    plan = a_plan(Resources(), Resources(platform="gpu"))

    spec.check_pool(plan, a_pool(platforms={"cpu": Platform(), "gpu": Platform()}))


def test_a_platform_that_the_pool_does_not_have_is_refused_where_the_spec_names_it() -> None:
    text = yaml_of(a_task(resource="big"), resources={"big": {"platform": "nope"}})
    found = spec.read(text)

    error = refused(found.plan, a_pool(), written=found.written)

    assert str(error).splitlines() == [
        "Platform nope does not exist in pool default!",
        "workflow.resources.big.platform: name one of its platforms: a100.",
    ]
    assert (error.code, error.workflow) == ("RESOURCE", None)


def test_a_pool_without_a_default_platform_needs_one_in_the_spec() -> None:
    error = refused(a_plan(), a_pool(default_platform=None))

    assert str(error).startswith("Pool default has no default platform.\n")
    assert str(error).endswith(".platform: name one of its platforms: a100.")
    assert error.code == "RESOURCE"


# What a platform allows ---------------------------------------------------------------------------

PERMISSIVE = Platform(
    privileged_allowed=True,
    host_network_allowed=True,
    allowed_mounts=("/data",),
    default_mounts=("/scratch",),
)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"privileged": True},
            "workflow.groups[0].tasks[0].privileged: Privileged containers are not allowed on "
            "platform a100 of pool default. Take it out.",
        ),
        (
            {"host_network": True},
            "workflow.groups[0].tasks[0].hostNetwork: The network of the node is not allowed on "
            "platform a100 of pool default. Take it out.",
        ),
        (
            {"volume_mounts": ("/data:/mnt",)},
            "workflow.groups[0].tasks[0].volumeMounts[0]: /data may not be mounted on "
            "platform a100 of pool default. Allowed: none.",
        ),
    ],
)
def test_what_a_platform_does_not_allow_is_refused(fields: dict[str, Any], problem: str) -> None:
    error = refused(a_plan(**fields), a_pool())

    assert str(error) == problem
    assert (error.code, error.workflow) == ("RESOURCE", "w")


def test_what_a_platform_allows_is_taken() -> None:
    plan = a_plan(privileged=True, host_network=True, volume_mounts=("/data", "/data:/mnt"))

    spec.check_pool(plan, a_pool(platforms={"a100": PERMISSIVE}))


def test_another_platform_that_allows_it_is_named() -> None:
    pool = a_pool(platforms={"a100": Platform(), "lab": PERMISSIVE}, default_platform="a100")

    assert "of pool default, only on lab." in str(refused(a_plan(privileged=True), pool))


def test_a_mount_that_every_pod_has_is_not_asked_for_again() -> None:
    error = refused(
        a_plan(volume_mounts=("/data", "/scratch")), a_pool(platforms={"a100": PERMISSIVE})
    )

    assert "volumeMounts[1]: /scratch is mounted on platform a100" in str(error)


# Topology -----------------------------------------------------------------------------------------

RACKS = (TopologyKey("rack", "topology/rack"), TopologyKey("zone", "topology/zone"))


def near(*keys: str) -> Resources:
    return Resources(topology=tuple(Topology(key) for key in keys))


def test_topology_by_the_pools_keys_is_taken() -> None:
    spec.check_pool(a_plan(near("rack"), near("rack")), a_pool(topology_keys=RACKS))


def test_a_topology_key_that_the_pool_does_not_have_is_refused() -> None:
    error = refused(a_plan(near("rack", "row")), a_pool(topology_keys=RACKS))

    assert str(error).endswith(
        ".topology[1].key: row is no topology key of pool default. Its keys: rack, zone."
    )
    assert error.code == "SUBMISSION"


def test_all_tasks_of_a_workflow_name_the_same_topology_keys() -> None:
    error = refused(a_plan(near("rack"), near()), a_pool(topology_keys=RACKS))

    assert "workflow.resources: All tasks of a workflow name the same topology keys" in str(error)
    assert "t0: rack; t1: none" in str(error)
    assert error.code == "RESOURCE"


# Quota --------------------------------------------------------------------------------------------


def test_a_group_that_wants_more_gpus_than_are_guaranteed_is_refused() -> None:
    pool = a_pool(gpu=GpuQuota(guarantee=4, maximum=16))
    plan = a_plan(Resources(gpu=3), Resources(gpu=2))

    error = refused(plan, pool)

    assert str(error) == (
        "workflow.groups[0]: Group g wants 5 GPUs at priority NORMAL, but pool default guarantees "
        "4. Ask for fewer, or submit it with priority LOW, which borrows up to 16 and may be "
        "preempted."
    )
    assert (error.code, error.workflow) == ("USAGE", "w")
    spec.check_pool(plan, pool, priority="LOW")


# Nodes --------------------------------------------------------------------------------------------


def test_more_than_any_node_has_is_refused_with_the_numbers_of_the_largest() -> None:
    text = yaml_of(a_task(), resources={"default": {"gpu": 8}})
    found = spec.read(text)

    error = refused(found.plan, a_pool(), nodes=[a_node(gpu=6)], written=found.written)

    assert str(error) == (
        "workflow.resources.default: platform a100: largest node has 6 GPUs, task a wants 8 GPUs."
    )
    assert (error.code, error.workflow) == ("RESOURCE", "w")


@pytest.mark.parametrize("nodes", [None, []])
def test_what_no_node_is_known_to_be_too_small_for_is_taken(nodes: list[Node] | None) -> None:
    spec.check_pool(a_plan(Resources(gpu=8)), a_pool(), nodes=nodes)


def test_ten_thousand_tasks_that_are_alike_are_one_problem() -> None:
    error = refused(a_plan(*[Resources(gpu=9)] * 10_000), a_pool(), nodes=[a_node(gpu=8)])

    assert len(str(error).splitlines()) == 1


# Conditions ---------------------------------------------------------------------------------------


def test_the_shipped_conditions_hold_on_one_node_at_least() -> None:
    pool = a_pool(assertions=CPU)
    nodes = [a_node("small", cpu=4), a_node("large", cpu=64)]

    spec.check_pool(a_plan(Resources(cpu=32)), pool, nodes=nodes)


def test_a_condition_that_no_node_satisfies_says_the_admins_sentence_and_the_best_node() -> None:
    free = Assertion("LT", "{{USER_GPU}}", "{{K8_GPU}}", "{{USER_GPU}} of {{K8_GPU}} is too much")
    pool = a_pool(platforms={"a100": Platform(assertions=(free,))})

    error = refused(a_plan(Resources(gpu=8)), pool, nodes=[a_node(gpu=8)])

    assert str(error).endswith("8 of 8 is too much (node node-1 of platform a100)")
    assert error.code == "RESOURCE"


@pytest.mark.parametrize(
    ("comparison", "literal", "holds"),
    [
        ("LE", "4", True),
        ("LT", "4", False),
        ("GE", "4", True),
        ("GT", "4", False),
        ("EQ", "4", True),
        ("EQ", "5", False),
    ],
)
def test_a_condition_with_a_number_needs_no_node(
    comparison: Any, literal: str, holds: bool
) -> None:
    pool = a_pool(assertions=(Assertion(comparison, "{{ USER_GPU }}", literal, "no"),))
    plan = a_plan(Resources(gpu=4))

    if holds:
        spec.check_pool(plan, pool)
    else:
        assert str(refused(plan, pool)).endswith(": no")


def test_a_condition_counts_what_the_task_gets_by_default() -> None:
    most = Assertion("LE", "{{USER_MEMORY}}", "8Gi", "memory")
    pool = a_pool(assertions=(most,), defaults=Resources(memory=16 * GIB))

    assert "memory" in str(refused(a_plan(), pool))
    spec.check_pool(a_plan(Resources(memory=8 * GIB)), pool)


def test_a_condition_without_a_sentence_says_what_it_asks() -> None:
    pool = a_pool(assertions=(Assertion("LE", "{{USER_CPU}}", "1", ""),))

    assert "{{USER_CPU}} is not LE 1" in str(refused(a_plan(Resources(cpu=2)), pool))


def test_everything_wrong_is_told_at_once_under_the_first_ones_code() -> None:
    plan = a_plan(Resources(gpu=9), privileged=True)
    pool = replace(a_pool(), gpu=GpuQuota(guarantee=4))

    error = refused(plan, pool, nodes=[a_node(gpu=8)])

    assert [line.partition(":")[0] for line in str(error).splitlines()] == [
        "workflow.groups[0]",
        "workflow.groups[0].tasks[0].privileged",
        "workflow.groups[0].tasks[0].resource",
    ]
    assert error.code == "USAGE"


# Lines --------------------------------------------------------------------------------------------

WISHES = """workflow:
  name: w
  resources:
    default:
      cpu: 1000
      gpu: 9
      topology:
      - {key: attic}
  tasks:
  - name: a
    image: alpine
    command: ["true"]
    privileged: true
    hostNetwork: true
    volumeMounts:
    - /etc
"""


def lines_told(text: str, pool: Pool, **more: Any) -> dict[str, str]:
    """By path, where its problem is said to stand. The text is what was written, too."""
    found = spec.read(spec.render(text), written=text)
    error = refused(found.plan, pool, written=found.written, on_lines=found.on_lines, **more)
    assert str(error).endswith("\n".join(map(str, error.problems)))
    return {one.path: str(one).rpartition(" (")[2] for one in error.problems}


def test_what_a_pool_refuses_is_told_with_its_line() -> None:
    pool = a_pool(gpu=GpuQuota(8), topology_keys=RACKS)

    assert lines_told(WISHES, pool, nodes=[a_node()]) == {
        "workflow.tasks[0]": "line 10)",
        "workflow.resources.default.topology[0].key": "line 8)",
        "workflow.tasks[0].privileged": "line 13)",
        "workflow.tasks[0].hostNetwork": "line 14)",
        "workflow.tasks[0].volumeMounts[0]": "line 16)",
        "workflow.resources.default": "line 4)",
    }


def test_a_platform_that_there_is_not_is_told_with_its_line() -> None:
    named = WISHES.replace("cpu: 1000", "platform: nope")

    assert lines_told(named, a_pool()) == {"workflow.resources.default.platform": "line 5)"}


def test_a_line_is_of_the_rendered_spec_where_a_template_moved_it() -> None:
    loop = "{% for n in [1, 2] %}      # {{ n }}\n{% endfor %}\n      gpu: 9\n"

    told = lines_told(WISHES.replace("      gpu: 9\n", loop), a_pool())

    assert told["workflow.tasks[0].privileged"] == "line 16 of the rendered spec)"


def test_lines_are_those_of_the_file_where_variables_stand_before_the_spec() -> None:
    text = "default-values:\n  cores: 1000\n" + WISHES.replace("cpu: 1000", "cpu: {{ cores }}")

    assert lines_told(text, a_pool())["workflow.tasks[0].privileged"] == "line 15)"
