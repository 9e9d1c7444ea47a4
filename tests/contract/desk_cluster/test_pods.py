"""Pods that run real commands, seen through the official client: what Kubernetes' documentation
says of their lives (concepts/workloads/pods)."""

import time
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiException

from tests.contract.desk_cluster.cluster import (
    AT_HOST,
    Client,
    DeskCluster,
    a_container,
    a_host_folder,
    a_pod,
    exit_codes,
    message_of,
    reason,
    until,
)


@pytest.mark.parametrize(
    ("command", "code", "phase", "why"),
    [
        ("exit 0", 0, "Succeeded", "Completed"),
        ("exit 3", 3, "Failed", "Error"),
        ("kill -9 $$$$; exit 7", 7, "Failed", "Error"),
        ("sh -c 'kill -9 $$$$'; exit $?", 137, "Failed", "Error"),
        ("exec /nowhere/at/all", 127, "Failed", "Error"),
    ],
    ids=["zero", "three", "the first process cannot kill itself", "child", "missing"],
)
def test_a_container_ends_with_the_exit_code_of_its_command(
    kube: Client, request: pytest.FixtureRequest, command: str, code: int, phase: str, why: str
) -> None:
    name = "code-" + request.node.callspec.id.replace(" ", "-")

    pod = kube.run(a_pod(name, command))

    assert (pod.status.phase, exit_codes(pod), reason(pod)) == (phase, {"main": code}, why)


def test_a_command_that_does_not_exist_is_a_start_error(kube: Client) -> None:
    pod = kube.run(a_pod("no-command", {**a_container(""), "command": ["no-such-program"]}))

    end = pod.status.container_statuses[0].state.terminated
    assert (pod.status.phase, end.exit_code, end.reason) == ("Failed", 128, "StartError")
    assert "no-such-program" in end.message


def test_a_container_leaves_a_message(kube: Client) -> None:
    spoken = a_container("echo last words >/dev/termination-log; exit 1", "spoken")
    logged = a_container(
        "echo of the log; exit 1", "logged", terminationMessagePolicy="FallbackToLogsOnError"
    )

    pod = kube.run(a_pod("message", spoken, logged))

    ends = {each.name: each.state.terminated for each in pod.status.container_statuses}
    assert ends["spoken"].message == "last words\n"
    assert ends["logged"].message == "of the log\n"


def test_init_containers_run_one_after_the_other_before_the_containers(kube: Client) -> None:
    order: dict[str, Any] = {"volumeMounts": [{"name": "order", "mountPath": "/order"}]}
    inits = [
        a_container("sleep 0.2; echo one >>/order/all", "one", **order),
        a_container("echo two >>/order/all", "two", **order),
    ]

    pod = kube.run(
        a_pod(
            "inits",
            a_container("cat /order/all", **order),
            initContainers=inits,
            volumes=[{"name": "order", "emptyDir": {}}],
        )
    )

    assert exit_codes(pod) == {"one": 0, "two": 0, "main": 0}
    assert kube.log("inits") == "one\ntwo\n"


def test_a_failed_init_container_fails_the_pod_and_nothing_else_is_run(kube: Client) -> None:
    pod = kube.run(
        a_pod("failed-init", "echo never", initContainers=[a_container("exit 4", "init")])
    )

    assert (pod.status.phase, exit_codes(pod)) == ("Failed", {"init": 4, "main": None})
    with pytest.raises(ApiException) as refused:
        kube.log("failed-init", container="main")
    assert refused.value.status == 400
    assert "waiting to start: PodInitializing" in message_of(refused.value)


def test_a_sidecar_runs_beside_the_containers_and_is_stopped_behind_them(kube: Client) -> None:
    shared: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    serve = "trap 'echo stopped; exit 0' TERM; touch /shared/up; while :; do sleep 0.05; done"
    sidecar = a_container(serve, "sidecar", restartPolicy="Always", **shared)
    main = a_container("until [ -e /shared/up ]; do sleep 0.02; done; exit 3", **shared)

    pod = kube.run(
        a_pod(
            "sidecar",
            main,
            initContainers=[sidecar],
            terminationGracePeriodSeconds=10,
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )

    assert (pod.status.phase, exit_codes(pod)) == ("Failed", {"sidecar": 0, "main": 3})
    assert kube.log("sidecar", container="sidecar") == "stopped\n"


def test_a_sidecar_that_ends_is_started_again(kube: Client) -> None:
    shared: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    main = a_container("until [ -e /shared/2 ]; do sleep 0.02; done", **shared)
    once_more = "[ -e /shared/1 ] && touch /shared/2 && exec sleep 60; touch /shared/1; exit 1"
    sidecar = a_container(once_more, "sidecar", restartPolicy="Always", **shared)

    pod = kube.run(
        a_pod(
            "sidecar-again",
            main,
            initContainers=[sidecar],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )

    assert pod.status.phase == "Succeeded"
    assert pod.status.init_container_statuses[0].restart_count == 1


@pytest.mark.parametrize(("policy", "restarts"), [("OnFailure", 1), ("Never", 0)])
def test_the_restart_policy_says_whether_a_container_is_tried_again(
    kube: Client, policy: str, restarts: int
) -> None:
    kept: dict[str, Any] = {"volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}
    command = "echo try; [ -e /kept/tried ] && exit 0; touch /kept/tried; exit 9"

    pod = kube.run(
        a_pod(
            f"policy-{policy.lower()}",
            a_container(command, **kept),
            restartPolicy=policy,
            volumes=[{"name": "kept", "emptyDir": {}}],
        )
    )

    (status,) = pod.status.container_statuses
    assert pod.status.phase == ("Succeeded" if restarts else "Failed")
    assert status.restart_count == restarts
    if restarts:
        assert status.last_state.terminated.exit_code == 9
        assert kube.log(pod.metadata.name, previous=True) == "try\n"


def test_a_container_that_keeps_failing_is_in_a_crash_loop(kube: Client) -> None:
    kube.create(a_pod("crash", "echo again; exit 1", restartPolicy="Always"))

    pod = kube.until("crash", lambda pod: reason(pod) == "CrashLoopBackOff")

    (status,) = pod.status.container_statuses
    assert (pod.status.phase, status.restart_count) == ("Running", 1)
    assert status.last_state.terminated.exit_code == 1
    assert kube.log("crash", previous=True) == "again\n"


def test_a_deadline_ends_a_pod(kube: Client) -> None:
    pod = kube.run(
        a_pod("deadline", "trap 'exit 0' TERM; sleep 60 & wait", activeDeadlineSeconds=1)
    )

    assert (pod.status.phase, pod.status.reason) == ("Failed", "DeadlineExceeded")


# Deletion ---------------------------------------------------------------------------------------


def test_a_deleted_pod_may_finish_what_it_does(kube: Client, tmp_path: Path) -> None:
    handler = "trap 'sleep 0.3; echo done >/host/said; exit 0' TERM; touch /host/up"
    loop = "while :; do sleep 0.02; done"
    kube.create(
        a_pod(
            "graceful",
            a_container(f"{handler}; {loop}", **AT_HOST),
            terminationGracePeriodSeconds=10,
            **a_host_folder(tmp_path),
        )
    )
    until((tmp_path / "up").exists)

    kube.delete("graceful")
    held = kube.pod("graceful")
    kube.until_gone("graceful")

    assert held.metadata.deletion_grace_period_seconds == 10
    assert (tmp_path / "said").read_text() == "done\n"


def test_a_deleted_pod_that_does_not_listen_is_killed_after_its_grace_and_not_before(
    kube: Client, tmp_path: Path
) -> None:
    container = a_container("trap '' TERM; touch /host/up; sleep 60", **AT_HOST)
    kube.create(a_pod("deaf", container, **a_host_folder(tmp_path)))
    until((tmp_path / "up").exists)

    begun = time.monotonic()
    kube.delete("deaf", grace_period_seconds=1)
    kube.until_gone("deaf")

    assert 1 <= time.monotonic() - begun < 4


def test_a_pod_that_is_deleted_as_it_starts_is_asked_to_stop_once_it_can_hear(
    kube: Client,
) -> None:
    """Had it been asked before, it would run until its grace is over."""
    body = a_pod("early", "trap 'exit 0' TERM; sleep 60 & wait", terminationGracePeriodSeconds=60)
    for number in range(5):
        body["metadata"]["name"] = f"early-{number}"
        kube.create(body)
        kube.until(f"early-{number}", lambda pod: pod and pod.spec.node_name)
        kube.delete(f"early-{number}")

    begun = time.monotonic()
    for number in range(5):
        kube.until_gone(f"early-{number}")
    assert time.monotonic() - begun < 20


def test_a_forced_deletion_takes_pod_and_processes_at_once(kube: Client, tmp_path: Path) -> None:
    tick = a_container("while :; do echo . >>/host/ticks; sleep 0.02; done", **AT_HOST)
    kube.create(a_pod("forced", tick, **a_host_folder(tmp_path)))
    ticks = tmp_path / "ticks"
    until(ticks.exists)

    kube.delete("forced", grace_period_seconds=0)

    with pytest.raises(ApiException) as gone:
        kube.pod("forced")
    assert gone.value.status == 404

    def silent() -> bool:
        before = ticks.stat().st_size
        time.sleep(0.1)  # five ticks, if anything still wrote them
        return ticks.stat().st_size == before

    until(silent)


def test_all_processes_of_a_pod_end_with_it(kube: Client, tmp_path: Path) -> None:
    orphan = "setsid sh -c 'while :; do echo . >>/host/ticks; sleep 0.02; done' &"
    wait = "until [ -e /host/ticks ]; do sleep 0.02; done"
    kube.run(
        a_pod("orphans", a_container(f"{orphan} {wait}", **AT_HOST), **a_host_folder(tmp_path))
    )

    size = (tmp_path / "ticks").stat().st_size
    time.sleep(0.15)  # seven ticks, if the orphan were still there
    assert (tmp_path / "ticks").stat().st_size == size


def test_a_finalizer_keeps_a_deleted_pods_exit_code_until_it_was_read(kube: Client) -> None:
    kube.create(a_pod("kept", "exit 6", metadata={"finalizers": ["xylem.dev/told"]}))
    kube.until_over("kept")

    kube.delete("kept")
    held = kube.pod("kept")
    kube.core.patch_namespaced_pod(
        "kept", "default", [{"op": "remove", "path": "/metadata/finalizers"}]
    )

    assert held.metadata.deletion_timestamp is not None
    assert exit_codes(held) == {"main": 6}
    kube.until_gone("kept")


def test_a_running_pod_with_a_finalizer_is_stopped_and_then_held(kube: Client) -> None:
    command = "trap 'exit 8' TERM; while :; do sleep 0.02; done"
    kube.create(a_pod("held", command, metadata={"finalizers": ["xylem.dev/told"]}))
    kube.until_running("held")

    kube.delete("held")
    held = kube.until_over("held")

    assert (held.status.phase, exit_codes(held)["main"]) in (("Failed", 8), ("Failed", 137))
    assert kube.pod("held").metadata.uid == held.metadata.uid
    kube.core.patch_namespaced_pod(
        "held", "default", [{"op": "remove", "path": "/metadata/finalizers"}]
    )
    kube.until_gone("held")


# Scheduling -------------------------------------------------------------------------------------


def test_a_gated_pod_waits_until_its_gate_is_lifted_from_the_pod_that_was_meant(
    kube: Client,
) -> None:
    pod = kube.create(a_pod("gated", "exit 0", schedulingGates=[{"name": "xylem.dev/gang"}]))
    lift: dict[str, Any] = {"op": "remove", "path": "/spec/schedulingGates"}

    def lifted(uid: str) -> Any:
        test = {"op": "test", "path": "/metadata/uid", "value": uid}
        return kube.core.patch_namespaced_pod("gated", "default", [test, lift])

    with pytest.raises(ApiException) as refused:
        lifted("00000000-0000-0000-0000-000000000000")
    gated = kube.pod("gated")
    assert refused.value.status == 422
    assert gated.spec.node_name is None
    assert gated.status.conditions[0].reason == "SchedulingGated"

    lifted(pod.metadata.uid)

    assert kube.until_over("gated").status.phase == "Succeeded"


def test_a_pod_that_does_not_fit_says_why_and_runs_when_there_is_room(
    kube: Client, desk: DeskCluster
) -> None:
    def wanting(cpu: str) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}}

    kube.create(a_pod("large", a_container("sleep 60", **wanting("63"))))
    kube.until_running("large")
    kube.create(a_pod("waiting", a_container("exit 0", **wanting("2"))))

    pod = kube.until("waiting", lambda pod: pod and pod.status.conditions)
    (condition,) = pod.status.conditions
    assert (condition.type, condition.reason) == ("PodScheduled", "Unschedulable")
    assert condition.message == "0/1 nodes are available: 1 Insufficient cpu."

    kube.delete("large", grace_period_seconds=0)
    assert kube.until_over("waiting").status.phase == "Succeeded"


# Logs -------------------------------------------------------------------------------------------


def test_a_log_is_followed_as_it_is_written(kube: Client, tmp_path: Path) -> None:
    wait = "until [ -e /host/go ]; do sleep 0.02; done"
    command = f"echo one; {wait}; echo two >&2; printf three"
    kube.create(a_pod("follow", a_container(command, **AT_HOST), **a_host_folder(tmp_path)))
    kube.until_running("follow")

    stream = kube.core.read_namespaced_pod_log(
        "follow", "default", follow=True, _preload_content=False
    ).stream()
    first = next(stream)
    (tmp_path / "go").touch()
    rest = b"".join(stream)

    assert (first, rest) == (b"one\n", b"two\nthree")


def test_a_log_is_asked_for_in_parts(kube: Client) -> None:
    kube.run(a_pod("parts", "seq 1 100"))

    assert kube.log("parts", tail_lines=2) == "99\n100\n"
    assert kube.log("parts", limit_bytes=4) == "1\n2\n"
    stamped = kube.log("parts", timestamps=True, tail_lines=1)
    assert stamped.endswith("Z 100\n")
    assert kube.log("parts", since_seconds=3600).count("\n") == 100


def test_a_long_line_and_a_lot_of_output_come_out_as_they_went_in(kube: Client) -> None:
    kube.run(a_pod("long", "head -c 100000 /dev/zero | tr '\\0' x; echo; seq 1 20000"))

    whole = kube.log("long")

    line, _, rest = whole.partition("\n")
    assert (len(line), set(line)) == (100_000, {"x"})
    assert rest.splitlines() == [str(number) for number in range(1, 20_001)]


def test_a_pod_with_two_containers_has_two_logs(kube: Client) -> None:
    kube.run(a_pod("two", a_container("echo a", "a"), a_container("echo b", "b")))

    assert kube.log("two", container="a") == "a\n"
    with pytest.raises(ApiException) as refused:
        kube.log("two")
    assert "a container name must be specified" in message_of(refused.value)
