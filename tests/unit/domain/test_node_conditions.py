"""An admin's rules, and which nodes they leave in use."""

import pytest

from tests.builders_placement import a_gang, a_node, a_site, a_want, in_use
from tests.unit.domain.test_placement import the_reasons
from xylem.domain.node import Node
from xylem.domain.node_conditions import DEFAULT_CONDITIONS, NodeConditions, judged

GPU = "osmo.nvidia.com/gpu"


def after(node: Node, **rules: str) -> Node:
    """As these rules have it; `osmo` stands for a rule of all types of that prefix."""
    written = {{"osmo": r"osmo\.nvidia\.com/"}.get(key, key): one for key, one in rules.items()}
    [found] = judged([node], NodeConditions(written))
    return found


def test_without_rules_a_node_has_to_be_ready_and_nothing_else() -> None:
    ill = a_node(conditions={"Ready": "True", GPU: "False", "DiskPressure": "True"})

    assert after(ill) is ill
    assert after(ill).available


def test_a_condition_has_to_have_a_status_that_its_rule_permits() -> None:
    conditions = {"Ready": "True", GPU: "False", "osmo.nvidia.com/nfs": "Unknown"}

    node = after(a_node(conditions=conditions), osmo="True|Unknown")

    assert (node.ready, node.unfit, node.available) == (True, (f"{GPU} is False",), False)


def test_a_node_that_was_never_tested_is_used() -> None:
    assert after(a_node(conditions={"Ready": "True"}), osmo="True").available


def test_a_type_is_matched_from_its_beginning_and_a_status_whole() -> None:
    node = a_node(conditions={"Ready": "True", "MyGpu": "False", "GpuCount": "False"})

    assert after(node, Gpu="True").unfit == ("GpuCount is False",)
    assert after(node, Gpu="F").unfit == ("GpuCount is False",)
    assert after(node, Gpu="Fal.*").available


def test_of_several_rules_for_a_type_one_has_to_permit_its_status() -> None:
    node = a_node(conditions={"Ready": "True", GPU: "Unknown"})

    assert after(node, osmo="True", **{GPU: "Unknown"}).available
    assert not after(node, osmo="True", **{GPU: "False"}).available


@pytest.mark.parametrize(
    ("rules", "status", "ready"),
    [
        ({}, "Unknown", False),
        ({"Disk": "False"}, "Unknown", False),
        ({"Ready": "True|Unknown"}, "Unknown", True),
        ({"Re": "True|Unknown"}, "False", False),
        ({".*": "False"}, "True", False),
    ],
)
def test_ready_is_asked_for_unless_a_rule_says_otherwise(
    rules: dict[str, str], status: str, ready: bool
) -> None:
    node = a_node(ready=status == "True", conditions={"Ready": status})

    assert after(node, **rules).ready is ready


@pytest.mark.parametrize("ready", [True, False])
def test_an_operator_that_says_no_conditions_is_taken_by_its_word(ready: bool) -> None:
    node = a_node(ready=ready)

    assert after(node) is node
    assert after(node, Ready="False").ready is not ready


def test_a_cordoned_node_stays_out_whatever_its_conditions() -> None:
    node = a_node(cordoned=True, conditions={"Ready": "True", GPU: "True"})

    assert not after(node, osmo="True").available


def test_each_node_is_judged_by_its_own_conditions() -> None:
    nodes = [a_node("a", conditions={GPU: "True"}), a_node("b", conditions={GPU: "False"})]

    assert [one.available for one in judged(nodes, NodeConditions({GPU: "True"}))] == [True, False]
    assert judged([], DEFAULT_CONDITIONS) == ()


def test_what_keeps_a_node_from_use_explains_why_a_task_waits() -> None:
    nodes = judged(
        [a_node("a", uses=(in_use(8),)), a_node("b", conditions={GPU: "False"})],
        NodeConditions({GPU: "True"}),
    )

    assert the_reasons(a_site(*nodes), a_gang(a_want(8))) == (
        "platform a100: largest free node has 0 GPUs, task train wants 8 GPUs",
        "platform a100: 1 node is kept out by conditions (b: osmo.nvidia.com/gpu is False)",
    )
