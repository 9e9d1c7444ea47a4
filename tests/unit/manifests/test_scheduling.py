from dataclasses import replace

import pytest

from tests.builders_spec import a_plan, a_planned_task, facts_of
from xylem.domain.node import Toleration
from xylem.domain.plan import Resources
from xylem.domain.pool import PodScheduling
from xylem.manifests.pod import pod
from xylem.manifests.scheduling import of_pod

ML = PodScheduling(
    labels={"kind": "a100"}, tolerations=(Toleration("dedicated", "Exists", effect="NoSchedule"),)
)


def test_a_platform_is_labels_and_tolerations_of_the_pod() -> None:
    task = a_planned_task(resources=Resources(platform="a100"))
    facts = replace(facts_of(a_plan(task)), scheduling={"a100": ML})

    spec = pod(a_plan(task), task, facts)["spec"]

    assert spec["nodeSelector"] == {"kind": "a100"}
    assert spec["tolerations"] == [
        {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_the_pools_default_platform_counts_where_the_task_names_none() -> None:
    task = a_planned_task()
    facts = replace(facts_of(a_plan(task)), scheduling={"a100": ML}, default_platform="a100")

    assert of_pod(task, facts)["nodeSelector"] == {"kind": "a100"}


def test_a_platform_that_says_nothing_leaves_the_pod_to_any_node() -> None:
    task = a_planned_task()

    assert set(of_pod(task, facts_of(a_plan(task)))) == {"priorityClassName"}


@pytest.mark.parametrize(
    ("priority", "name"), [("HIGH", "osmo-high"), ("NORMAL", "osmo-normal"), ("LOW", "osmo-low")]
)
def test_the_priority_is_a_class_of_the_cluster(priority: str, name: str) -> None:
    task = a_planned_task()
    facts = replace(facts_of(a_plan(task)), priority=priority)

    assert of_pod(task, facts)["priorityClassName"] == name
