"""What KAI and Volcano are told of a group, and that Kubernetes' own scheduler is told nothing."""

from typing import Any

from tests.builders_spec import GROUP, a_plan, a_planned_task, facts_of
from xylem.domain.ids import BackendName, PoolName, TaskName
from xylem.domain.pool import GpuQuota, Scheduler
from xylem.manifests import GroupFacts, render
from xylem.manifests.gang import queue_name

KAI = Scheduler("kai", "kai-scheduler")
VOLCANO = Scheduler("volcano", "volcano")
GANG = f"{GROUP}-1"

PLAN = a_plan(a_planned_task("a"), a_planned_task("b"))


def facts(scheduler: Scheduler, **more: Any) -> GroupFacts:
    return facts_of(PLAN, **{"scheduler": scheduler, "backend": BackendName("east"), **more})


def objects(kind: str, facts: GroupFacts) -> list[dict[str, Any]]:
    return [one for one in render(PLAN, facts) if one["kind"] == kind]


def test_kai_binds_none_of_a_gang_before_all_of_it() -> None:
    [group] = objects("PodGroup", facts(KAI, priority="LOW"))

    assert group["apiVersion"] == "scheduling.run.ai/v2alpha2"
    assert group["metadata"]["name"] == GANG
    assert group["spec"] == {
        "minMember": 2,
        "queue": "osmo-pool-east-default",
        "priorityClassName": "osmo-low",
    }
    assert group["metadata"]["labels"]["kai.scheduler/queue"] == "osmo-pool-east-default"
    assert group["metadata"]["labels"]["osmo.group_name"] == "g"
    for pod in objects("Pod", facts(KAI)):
        assert pod["spec"]["schedulerName"] == "kai-scheduler"
        assert pod["metadata"]["annotations"]["pod-group-name"] == GANG
        assert pod["metadata"]["labels"]["kai.scheduler/queue"] == "osmo-pool-east-default"
        assert pod["metadata"]["labels"]["runai/queue"] == "osmo-pool-east-default"


def test_kai_keeps_the_pools_quota_in_a_queue_below_the_backends() -> None:
    parent, queue = objects("Queue", facts(KAI, quota=GpuQuota(8, 16, 2)))

    assert parent["metadata"]["name"] == "osmo-default-east"
    assert parent["spec"]["resources"]["gpu"] == {"quota": -1, "limit": -1, "overQuotaWeight": 1}
    assert queue["apiVersion"] == "scheduling.run.ai/v2"
    assert queue["metadata"]["name"] == "osmo-pool-east-default"
    assert queue["spec"]["parentQueue"] == "osmo-default-east"
    assert queue["spec"]["resources"] == {
        "gpu": {"quota": 8, "limit": 16, "overQuotaWeight": 2},
        "cpu": {"quota": -1, "limit": -1, "overQuotaWeight": 1},
        "memory": {"quota": -1, "limit": -1, "overQuotaWeight": 1},
    }


def test_volcano_binds_none_of_a_gang_before_all_of_it() -> None:
    [group] = objects("PodGroup", facts(VOLCANO))
    [queue] = objects("Queue", facts(VOLCANO, quota=GpuQuota(8, -1, 0)))

    assert group["apiVersion"] == queue["apiVersion"] == "scheduling.volcano.sh/v1beta1"
    assert group["spec"]["minMember"] == 2
    assert group["spec"]["queue"] == queue["metadata"]["name"]
    assert queue["spec"] == {
        "weight": 1,
        "reclaimable": True,
        "deserved": {"nvidia.com/gpu": "8"},
        "capability": {},
    }
    for pod in objects("Pod", facts(VOLCANO)):
        assert pod["spec"]["schedulerName"] == "volcano"
        assert pod["metadata"]["annotations"]["scheduling.k8s.io/group-name"] == GANG
        assert "kai.scheduler/queue" not in pod["metadata"]["labels"]


def test_kubernetes_own_scheduler_is_told_nothing() -> None:
    kinds = {one["kind"] for one in render(PLAN, facts(Scheduler()))}

    assert kinds == {"Secret", "Service", "Pod"}
    assert "schedulerName" not in objects("Pod", facts(Scheduler()))[0]["spec"]


def test_another_one_of_its_kind_is_called_by_its_name() -> None:
    [pod, _] = objects("Pod", facts(Scheduler("default", "my-scheduler")))

    assert pod["spec"]["schedulerName"] == "my-scheduler"


def test_a_task_that_is_tried_again_joins_the_gang_that_is_there() -> None:
    again = facts(KAI, retries={TaskName("b"): 1}, tokens={TaskName("b"): "t"})

    [pod] = objects("Pod", again)
    [group] = objects("PodGroup", again)

    assert pod["metadata"]["annotations"]["pod-group-name"] == group["metadata"]["name"] == GANG
    assert group["spec"]["minMember"] == 2


def test_a_gang_is_there_before_its_pods_and_its_queue_before_it() -> None:
    kinds = [one["kind"] for one in render(PLAN, facts(KAI))]

    assert kinds[-5:] == ["Queue", "Queue", "PodGroup", "Pod", "Pod"]


def test_no_two_pools_share_a_queue_whatever_they_are_called() -> None:
    pools = ("Team_A", "team-a", "team_a", "x" * 63, "x" * 62 + "y")
    names = [queue_name(facts(KAI, pool=PoolName(pool))) for pool in pools]

    assert len(set(names)) == len(pools)
    assert all(len(name) <= 63 and name == name.lower() and "_" not in name for name in names)
    assert names[1] == "osmo-pool-east-team-a"


def test_gates_hold_every_pod_whoever_schedules_it() -> None:
    for scheduler in (Scheduler(), KAI, VOLCANO):
        for pod in objects("Pod", facts(scheduler)):
            assert pod["spec"]["schedulingGates"] == [{"name": "xylem.dev/group"}]
