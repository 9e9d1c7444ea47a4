"""A run of a test: pods of it come to nodes, say conditions or do not, and nothing of it stays."""

from datetime import datetime, timedelta

import pytest

from operators.backend_test import RUN_LABEL, TEST_LABEL
from operators.backend_test.__main__ import PAUSES, drive, main
from operators.backend_test.run import Owner, Report, run_test, take_away
from operators.shared.calls import Call, Create, Patch, Pause
from operators.shared.resources import (
    DAEMON_SET,
    NODE,
    POD,
    Json,
    Kind,
    NotFound,
    Refused,
    Unreachable,
)
from tests.fakes.kube import FakeKube, Stepper
from tests.unit.operators.jobs import NOON
from xylem.protocol.agent import BackendTest

GPU, NVLINK = "osmo.nvidia.com/gpu", "osmo.nvidia.com/nvlink"
NAME = "xylem-test-gpu"
MINE = Owner("xylem-test-gpu-1-x", "uid-of-run-1")
TEST = BackendTest(
    name="gpu",
    schedule="0 2 * * *",
    timeout_seconds=30,
    conditions=[GPU, NVLINK],
    template={
        "metadata": {"labels": {"team": "ml"}},
        "spec": {"nodeSelector": {"gpu": "yes"}, "containers": [{"name": "gpu", "image": "probe"}]},
    },
)


class Cluster(FakeKube):
    """With nodes, and the controller of DaemonSets when a test says so."""

    def __init__(self, *nodes: str) -> None:
        super().__init__()
        self.now = NOON
        for name in nodes:
            ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "0"}
            self.create(NODE, {"metadata": {"name": name}, "status": {"conditions": [ready]}})

    def clock(self) -> datetime:
        return self.now

    def place(self, *nodes: str, waiting: str = "") -> None:
        """A pod for each of these, and one that cannot be bound to its node."""
        body = self.objects["DaemonSet", NAME]
        body["metadata"]["generation"] = 1
        body["status"] = {
            "observedGeneration": 1,
            "desiredNumberScheduled": len(nodes) + bool(waiting),
        }
        for node in filter(None, (*nodes, waiting)):
            field = {"key": "metadata.name", "operator": "In", "values": [node]}
            terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
            affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
            bound = {} if node == waiting else {"nodeName": node}
            labels = body["spec"]["template"]["metadata"]["labels"]
            metadata = {"name": f"p-{node}", "labels": labels}
            self.create(POD, {"metadata": metadata, "spec": {"affinity": affinity, **bound}})

    def say(self, node: str, type_: str, status: str = "True", at: str = "1") -> None:
        stored = self.objects["Node", node]
        kept = [one for one in stored["status"]["conditions"] if one["type"] != type_]
        said = {"type": type_, "status": status, "lastHeartbeatTime": at}
        stored["status"]["conditions"] = [*kept, said]
        stored["metadata"]["resourceVersion"] += "+"

    def condition(self, node: str, type_: str) -> Json | None:
        stored = self.objects["Node", node]["status"]["conditions"]
        [*found] = [one for one in stored if one["type"] == type_]
        assert len(found) < 2
        return found[0] if found else None

    def begin(self, owner: Owner = MINE) -> Stepper[Report]:
        """Up to its first pause, when its DaemonSet is there."""
        return Stepper(self, run_test(TEST, owner, self.clock)).until(pauses)

    def go_on(self, run: Stepper[Report], seconds: int = 5) -> Stepper[Report]:
        """The pause, and up to the next one."""
        self.now += timedelta(seconds=seconds)
        run.step()
        return run.until(pauses)


def pauses(call: Call) -> bool:
    return isinstance(call, Pause)


def test_a_run_ends_when_every_node_said_every_condition_anew() -> None:
    cluster = Cluster("a", "b", "c")
    run = cluster.begin()
    cluster.place("a", "b")
    cluster.say("a", GPU)
    cluster.say("a", NVLINK, "False")
    cluster.say("b", GPU)
    assert not cluster.go_on(run).ended
    cluster.say("b", NVLINK)

    assert cluster.go_on(run).outcome == Report(2, {})
    assert run.outcome.passed
    assert ("DaemonSet", NAME) not in cluster.objects
    nvlink = cluster.condition("a", NVLINK)
    assert nvlink is not None
    assert nvlink["status"] == "False"
    assert cluster.condition("c", GPU) is None


def test_its_pods_are_the_templates_and_the_runs() -> None:
    cluster = Cluster("a")
    cluster.begin()

    body = cluster.read(DAEMON_SET, NAME)

    [owner] = body["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "v1", "kind": "Pod", "name": MINE.name, "uid": MINE.uid}
    assert body["spec"]["selector"]["matchLabels"] == {RUN_LABEL: MINE.uid}
    assert body["spec"]["template"]["spec"] == TEST.template["spec"]
    labels = body["spec"]["template"]["metadata"]["labels"]
    assert labels["team"] == "ml"
    assert (labels[TEST_LABEL], labels[RUN_LABEL]) == ("gpu", MINE.uid)


def test_what_an_earlier_run_said_does_not_count() -> None:
    cluster = Cluster("a")
    cluster.say("a", GPU, at="yesterday")
    cluster.say("a", NVLINK, at="yesterday")
    run = cluster.begin()
    cluster.place("a")

    assert not cluster.go_on(run).ended
    cluster.say("a", GPU, at="today")
    cluster.say("a", NVLINK, at="today")

    assert cluster.go_on(run).outcome.passed


def test_what_was_not_said_in_time_is_unknown_on_that_node_alone() -> None:
    cluster = Cluster("a", "b", "c", "d")
    cluster.say("b", GPU, at="yesterday")
    run = cluster.begin()
    cluster.place("a", "b", waiting="c")
    cluster.say("a", GPU)
    cluster.say("a", NVLINK)
    cluster.say("b", NVLINK)

    report = cluster.go_on(run, seconds=30).outcome

    assert (report.nodes, report.silent) == (3, {"b": (GPU,), "c": (GPU, NVLINK)})
    assert not report.passed
    unknown = {
        (node, type_)
        for node in "abcd"
        for type_ in (GPU, NVLINK)
        if (one := cluster.condition(node, type_)) and one["status"] == "Unknown"
    }
    assert unknown == {("b", GPU), ("c", GPU), ("c", NVLINK)}
    said = cluster.condition("b", GPU)
    assert said == {
        "type": GPU,
        "status": "Unknown",
        "reason": "DaemonSetTimeout",
        "message": "test gpu did not say it within 30 s",
        "lastHeartbeatTime": "2026-01-01T12:00:30Z",
        "lastTransitionTime": "2026-01-01T12:00:30Z",
    }
    assert ("DaemonSet", NAME) not in cluster.objects


def test_what_stays_unknown_keeps_the_time_since_which_it_is() -> None:
    cluster = Cluster("a")
    first = cluster.begin()
    cluster.place("a")
    cluster.go_on(first, seconds=30)
    cluster.delete(POD, "p-a", grace_seconds=0)
    second = cluster.begin()
    cluster.place("a")
    cluster.go_on(second, seconds=30)

    said = cluster.condition("a", GPU)

    assert said is not None
    assert said["lastHeartbeatTime"] == "2026-01-01T12:01:00Z"
    assert said["lastTransitionTime"] == "2026-01-01T12:00:30Z"


def test_a_node_that_its_kubelet_writes_meanwhile_is_read_again() -> None:
    cluster = Cluster("a")
    run = cluster.begin()
    cluster.place("a")
    cluster.now += timedelta(seconds=30)
    run.step()
    run.until(lambda call: isinstance(call, Patch))
    cluster.say("a", "MemoryPressure", "False")

    run.run()

    for type_ in (GPU, NVLINK):
        said = cluster.condition("a", type_)
        assert said is not None
        assert said["status"] == "Unknown"
    assert cluster.condition("a", "MemoryPressure") is not None


def test_a_run_that_finds_no_node_waits_for_one_and_does_not_pass() -> None:
    cluster = Cluster("a")
    run = cluster.begin()
    cluster.place()
    assert not cluster.go_on(run).ended

    report = cluster.go_on(run, seconds=30).outcome

    assert (report, report.passed) == (Report(0, {}), False)


def test_a_node_whose_pod_is_not_made_yet_is_waited_for() -> None:
    cluster = Cluster("a", "b")
    run = cluster.begin()
    cluster.place("a")
    cluster.objects["DaemonSet", NAME]["status"]["desiredNumberScheduled"] = 2
    cluster.say("a", GPU)
    cluster.say("a", NVLINK)

    assert not cluster.go_on(run).ended


def test_what_an_earlier_run_left_is_taken_away_first() -> None:
    cluster = Cluster("a")
    cluster.begin(Owner("earlier", "uid-of-run-0"))

    run = Stepper(cluster, run_test(TEST, MINE, cluster.clock)).until(pauses)
    assert ("DaemonSet", NAME) not in cluster.objects
    cluster.go_on(run)

    [owner] = cluster.read(DAEMON_SET, NAME)["metadata"]["ownerReferences"]
    assert owner["uid"] == MINE.uid


def test_somebody_elses_daemon_set_is_left_alone() -> None:
    cluster = Cluster("a")
    cluster.create(DAEMON_SET, {"metadata": {"name": NAME}})

    with pytest.raises(Refused, match="somebody else's"):
        cluster.begin()
    Stepper(cluster, take_away(TEST, MINE)).run()

    assert ("DaemonSet", NAME) in cluster.objects


def test_a_creation_whose_answer_was_lost_is_found_to_be_this_runs() -> None:
    cluster = Cluster("a")
    run = Stepper(cluster, run_test(TEST, MINE, cluster.clock))
    run.until(lambda call: isinstance(call, Create))
    cluster.create(DAEMON_SET, run.next_call.body)  # type: ignore[union-attr]
    uid = cluster.read(DAEMON_SET, NAME)["metadata"]["uid"]

    run.until(pauses)

    assert cluster.read(DAEMON_SET, NAME)["metadata"]["uid"] == uid


def test_a_daemon_set_that_somebody_deletes_ends_the_run() -> None:
    cluster = Cluster("a")
    run = cluster.begin()
    cluster.place("a")
    cluster.delete(DAEMON_SET, NAME)

    with pytest.raises(Refused, match="somebody deleted"):
        cluster.go_on(run)


class Flaky(Cluster):
    """Answers a read of the DaemonSet only after so many tries."""

    def __init__(self, *nodes: str, silent: int) -> None:
        super().__init__(*nodes)
        self.left = silent

    def read(self, kind: Kind, name: str) -> Json:
        if kind == DAEMON_SET and self.left:
            self.left -= 1
            raise Unreachable("no answer")
        return super().read(kind, name)


def driven(cluster: Flaky) -> tuple[Report, list[float]]:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        cluster.now += timedelta(seconds=seconds)
        if ("DaemonSet", NAME) in cluster.objects and not cluster.pods():
            cluster.place("a")

    return drive(run_test(TEST, MINE, cluster.clock), cluster, sleep), slept


def test_a_run_asks_again_what_the_api_server_did_not_answer() -> None:
    report, slept = driven(Flaky("a", silent=2))

    assert report == Report(1, {"a": (GPU, NVLINK)})
    assert slept[:2] == [PAUSES[0], PAUSES[1]]


def test_a_run_ends_when_the_api_server_stays_silent() -> None:
    with pytest.raises(Unreachable):
        driven(Flaky("a", silent=100))


def test_what_is_gone_is_taken_away_already() -> None:
    cluster = Cluster("a")

    Stepper(cluster, take_away(TEST, MINE)).run()

    with pytest.raises(NotFound):
        cluster.read(DAEMON_SET, NAME)


def test_a_run_that_is_not_told_what_to_run_says_so() -> None:
    assert main({}) == 2
    assert main({"XYLEM_TEST": "{}", "POD_NAME": "p", "POD_UID": "u", "XYLEM_NAMESPACE": "n"}) == 2
