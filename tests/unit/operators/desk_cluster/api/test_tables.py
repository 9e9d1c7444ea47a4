"""What `kubectl get` prints: the words of Kubernetes' own printer
(pkg/printers/internalversion/printers.go)."""

from datetime import timedelta
from typing import Any

import pytest

from operators.desk_cluster.api.tables import age, pod_status, table
from operators.desk_cluster.kinds import KINDS, PODS, Kind
from operators.desk_cluster.objects import Json, timestamp
from tests.unit.operators.desk_cluster.builders import (
    NOON,
    a_container,
    a_node,
    a_pod,
    a_sidecar,
    after,
    an_init,
    terminating,
)

RUNNING: Json = {"running": {"startedAt": timestamp(NOON)}}


def ended(code: int = 0, reason: str = "") -> Json:
    said = {"reason": reason or ("Error" if code else "Completed")}
    return {"terminated": {"exitCode": code, "finishedAt": timestamp(NOON), **said}}


def waits(reason: str) -> Json:
    return {"waiting": {"reason": reason}}


def of(name: str, state: Json, *, restarts: int = 0, **fields: Any) -> Json:
    runs = "running" in state
    return {
        "name": name,
        "state": state,
        "ready": runs,
        "started": runs,
        "restartCount": restarts,
        **fields,
    }


def a_pod_that(
    *statuses: Json,
    inits: tuple[Json, ...] = (),
    phase: str = "Running",
    initialized: bool = True,
    ready: bool = True,
    **status: Any,
) -> Json:
    """Its init containers and sidecars are those that it has statuses of."""
    sidecars = {each["name"] for each in inits if each["name"].startswith("sidecar")}
    pod = a_pod(
        *(a_container(each["name"]) for each in statuses),
        inits=tuple(
            a_sidecar(each["name"]) if each["name"] in sidecars else an_init(each["name"])
            for each in inits
        ),
    )
    words = {True: "True", False: "False"}
    pod["status"] = {
        "phase": phase,
        "containerStatuses": list(statuses),
        "initContainerStatuses": list(inits),
        "conditions": [
            {"type": "Initialized", "status": words[initialized]},
            {"type": "Ready", "status": words[ready]},
        ],
        **status,
    }
    return pod


def cells(pod: Json) -> list[Any]:
    (row,) = table(PODS, [pod], after(90), "None", "1")["rows"]
    return list(row["cells"])


@pytest.mark.parametrize(
    ("pod", "word"),
    [
        (a_pod(), "Pending"),
        (a_pod_that(of("a", RUNNING)), "Running"),
        (a_pod_that(of("a", waits("ContainerCreating")), phase="Pending"), "ContainerCreating"),
        (a_pod_that(of("a", waits("CrashLoopBackOff"))), "CrashLoopBackOff"),
        (a_pod_that(of("a", ended()), phase="Succeeded"), "Completed"),
        (a_pod_that(of("a", ended(1)), phase="Failed"), "Error"),
        (a_pod_that(of("a", ended(137, "OOMKilled")), phase="Failed"), "OOMKilled"),
        (a_pod_that(of("a", {"terminated": {"exitCode": 3}}), phase="Failed"), "ExitCode:3"),
        (
            a_pod_that(of("a", {"terminated": {"exitCode": 137, "signal": 9}}), phase="Failed"),
            "Signal:9",
        ),
        (a_pod_that(of("a", ended()), of("b", RUNNING), ready=True), "Running"),
        (a_pod_that(of("a", ended()), of("b", RUNNING), ready=False), "NotReady"),
        (a_pod_that(of("a", ended(1)), of("b", RUNNING)), "Error"),
        (a_pod_that(phase="Failed", reason="DeadlineExceeded"), "DeadlineExceeded"),
        (terminating(a_pod_that(of("a", RUNNING))), "Terminating"),
        (terminating(a_pod_that(of("a", ended()), phase="Succeeded")), "Completed"),
    ],
)
def test_one_word_says_how_a_pod_is(pod: Json, word: str) -> None:
    assert pod_status(pod) == word


@pytest.mark.parametrize(
    ("inits", "word"),
    [
        ((of("i", waits("PodInitializing")), of("j", waits("PodInitializing"))), "Init:0/2"),
        ((of("i", RUNNING), of("j", waits("PodInitializing"))), "Init:0/2"),
        ((of("i", ended()), of("j", RUNNING)), "Init:1/2"),
        ((of("i", ended(1)), of("j", waits("PodInitializing"))), "Init:Error"),
        ((of("i", waits("CrashLoopBackOff")),), "Init:CrashLoopBackOff"),
        ((of("sidecar", RUNNING), of("j", RUNNING)), "Init:1/2"),
        ((of("sidecar", waits("PodInitializing")), of("j", RUNNING)), "Init:0/2"),
    ],
)
def test_a_pod_that_is_being_prepared_says_how_far_it_is(
    inits: tuple[Json, ...], word: str
) -> None:
    main = of("main", waits("PodInitializing"))

    assert pod_status(a_pod_that(main, inits=inits, phase="Pending", initialized=False)) == word


def test_a_sidecar_that_was_stopped_at_the_end_does_not_look_like_a_failed_start() -> None:
    sidecar = of("sidecar", ended(143))

    done = a_pod_that(of("a", ended()), inits=(sidecar,), phase="Succeeded", ready=False)
    failed = a_pod_that(of("a", ended(3)), inits=(sidecar,), phase="Failed", ready=False)

    assert (pod_status(done), pod_status(failed)) == ("Completed", "Error")


def test_a_pod_that_is_gated_says_so() -> None:
    pod = a_pod(schedulingGates=[{"name": "a/held"}])
    condition = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    pod["status"]["conditions"] = [condition]

    assert pod_status(pod) == "SchedulingGated"


def test_a_sidecar_counts_among_those_that_are_to_be_ready() -> None:
    sidecar = of("sidecar", RUNNING)

    assert cells(a_pod_that(of("a", RUNNING), inits=(sidecar,)))[1] == "2/2"
    assert cells(a_pod_that(of("a", ended()), inits=(sidecar,)))[1] == "1/2"
    assert cells(a_pod_that(of("a", RUNNING), inits=(of("i", ended()),)))[1] == "1/1"


def test_restarts_say_how_many_and_how_long_ago() -> None:
    restarted = of("a", RUNNING, restarts=2, lastState=ended(1))

    assert cells(a_pod_that(restarted))[3] == "2 (90s ago)"
    assert cells(a_pod_that(of("a", RUNNING)))[3] == "0"


def test_restarts_of_init_containers_count_until_they_are_through() -> None:
    def pod(initialized: bool) -> Json:
        state = ended() if initialized else RUNNING
        init = of("i", state, restarts=3, lastState=ended(1))
        return a_pod_that(of("a", RUNNING), inits=(init,), initialized=initialized)

    assert cells(pod(initialized=False))[3] == "3 (90s ago)"
    assert cells(pod(initialized=True))[3] == "0"


def test_the_wide_table_says_where() -> None:
    pod = a_pod_that(of("a", RUNNING), podIP="127.0.0.1")

    body = table(PODS, [pod], after(90), "None", "7")

    wide = [column["name"] for column in body["columnDefinitions"] if column["priority"]]
    assert wide == ["IP", "Node", "Nominated Node", "Readiness Gates"]
    assert cells(pod)[4:7] == ["90s", "127.0.0.1", "desk"]
    assert body["metadata"] == {"resourceVersion": "7"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.plural))
def test_every_kind_has_a_cell_for_every_column(kind: Kind) -> None:
    obj: Json = {"metadata": {"name": "a", "creationTimestamp": timestamp(NOON)}}

    body = table(kind, [obj], after(5), "Metadata", "1")

    (row,) = body["rows"]
    assert len(row["cells"]) == len(body["columnDefinitions"])
    assert row["object"]["metadata"] == obj["metadata"]


def test_a_row_carries_as_much_of_its_object_as_was_asked_for() -> None:
    pod = a_pod()

    def carried(include: str) -> Any:
        return table(PODS, [pod], NOON, include, "1")["rows"][0]["object"]

    assert carried("None") is None
    assert carried("Object") == pod
    assert carried("Metadata")["kind"] == "PartialObjectMetadata"


def test_a_node_says_whether_it_takes_pods() -> None:
    (kind,) = (kind for kind in KINDS if kind.plural == "nodes")

    def word(node: Json) -> str:
        return str(table(kind, [node], NOON, "None", "1")["rows"][0]["cells"][1])

    assert word(a_node()) == "Ready"
    assert word(a_node(ready=False)) == "NotReady"
    assert word(a_node(unschedulable=True)) == "Ready,SchedulingDisabled"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 60, "8h"),
        (48 * 3600 - 1, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400 + 3600, "8d"),
    ],
)
def test_an_age_is_as_exact_as_it_is_young(seconds: int, text: str) -> None:
    assert age(timestamp(NOON), NOON + timedelta(seconds=seconds)) == text
