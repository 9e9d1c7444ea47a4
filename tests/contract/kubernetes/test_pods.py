"""The life of a pod: what it sees, how it ends, and what is told of that.

kubernetes.io/docs: concepts/workloads/pods/pod-lifecycle, .../init-containers,
.../sidecar-containers, tasks/inject-data-application,
tasks/debug/debug-application/determine-reason-pod-failure."""

from itertools import pairwise
from typing import Any

import pytest

from operators.shared.resources import CONFIG_MAP, POD, SECRET, SERVICE, Json
from tests.contract.kubernetes.cluster import (
    DEAF,
    FINALIZER,
    IDLE,
    Cluster,
    a_config_map,
    a_container,
    a_name,
    a_pod,
    a_secret,
    exit_codes,
    until,
    waiting_reason,
)

HELD: Json = {"finalizers": [FINALIZER]}


def release(cluster: Cluster, name: str) -> None:
    cluster.kube.patch(POD, name, [{"op": "remove", "path": "/metadata/finalizers"}])
    cluster.until_gone(lambda: cluster.pod(name))


@pytest.mark.parametrize(
    ("command", "code", "phase", "reason"),
    [
        ("exit 0", 0, "Succeeded", "Completed"),
        ("exit 3", 3, "Failed", "Error"),
        ("sh -c 'kill -9 $$$$'; exit $?", 137, "Failed", "Error"),
    ],
    ids=["zero", "three", "killed"],
)
def test_a_pod_ends_as_its_command_does(
    cluster: Cluster, command: str, code: int, phase: str, reason: str
) -> None:
    pod = cluster.run(a_pod(a_name("end"), command))

    (status,) = pod.status.container_statuses
    ended = status.state.terminated
    assert (pod.status.phase, ended.exit_code, ended.reason) == (phase, code, reason)
    assert ended.started_at <= ended.finished_at
    assert pod.status.start_time
    assert status.restart_count == 0


def test_one_container_that_failed_makes_the_pod_fail_when_all_are_over(cluster: Cluster) -> None:
    containers = (a_container("exit 0", "good"), a_container("exit 4", "bad"))

    pod = cluster.run(a_pod(a_name("two"), *containers))

    assert (pod.status.phase, exit_codes(pod)) == ("Failed", {"good": 0, "bad": 4})


def test_phases_go_one_way(cluster: Cluster) -> None:
    """A kubelet may look at its containers once a second only: what is shorter it may never see."""
    name, label = a_name("way"), a_name("way")
    made = cluster.kube.create(POD, a_pod(name, "sleep 3", metadata={"labels": {"way": label}}))

    phases = [made["status"]["phase"]]
    for event in cluster.kube.watch(POD, f"way={label}", made["metadata"]["resourceVersion"]):
        if event.type == "MODIFIED":
            phases.append(event.object["status"]["phase"])
        if phases[-1] == "Succeeded":
            break

    rank = ("Pending", "Running", "Succeeded").index
    assert all(rank(before) <= rank(after) for before, after in pairwise(phases))
    assert phases[0] == "Pending"
    assert "Running" in phases


def test_the_last_words_of_a_container_are_in_its_status(cluster: Cluster) -> None:
    pod = cluster.run(a_pod(a_name("words"), "printf 'last words' >/dev/termination-log; exit 1"))

    assert pod.status.container_statuses[0].state.terminated.message == "last words"


def test_what_a_container_prints_is_its_log(cluster: Cluster) -> None:
    name = a_name("log")
    cluster.run(a_pod(name, "echo one; echo two; echo three"))

    assert cluster.log(name) == "one\ntwo\nthree\n"
    assert cluster.log(name, tail_lines=1) == "three\n"


def test_init_containers_run_one_after_the_other_before_the_rest(cluster: Cluster) -> None:
    shared: Json = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    inits = [
        a_container("echo one >>/shared/order", "one", **shared),
        a_container("echo two >>/shared/order", "two", **shared),
    ]
    name = a_name("inits")

    pod = cluster.run(
        a_pod(
            name,
            a_container("cat /shared/order", **shared),
            initContainers=inits,
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )

    assert exit_codes(pod) == {"one": 0, "two": 0, "main": 0}
    assert cluster.log(name, container="main") == "one\ntwo\n"


def test_an_init_container_that_fails_ends_a_pod_that_is_not_restarted(cluster: Cluster) -> None:
    name = a_name("init")

    pod = cluster.run(a_pod(name, "exit 0", initContainers=[a_container("exit 5", "init")]))

    assert pod.status.phase == "Failed"
    assert exit_codes(pod) == {"init": 5, "main": None}


def test_a_sidecar_serves_the_others_and_does_not_keep_the_pod(cluster: Cluster) -> None:
    shared: Json = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    serve = f"touch /shared/up; {IDLE}"
    sidecar = a_container(serve, "sidecar", restartPolicy="Always", **shared)
    main = a_container("until [ -e /shared/up ]; do sleep 0.1; done; exit 0", **shared)

    pod = cluster.run(
        a_pod(
            a_name("served"),
            main,
            initContainers=[sidecar],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )

    assert pod.status.phase == "Succeeded"
    assert exit_codes(pod)["main"] == 0


def test_a_container_that_fails_is_started_again_where_the_policy_says_so(
    cluster: Cluster,
) -> None:
    shared: Json = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    once = a_container("[ -e /shared/tried ] && exit 0; touch /shared/tried; exit 1", **shared)

    pod = cluster.run(
        a_pod(
            a_name("again"),
            once,
            restartPolicy="OnFailure",
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )

    (status,) = pod.status.container_statuses
    assert (pod.status.phase, status.restart_count) == ("Succeeded", 1)
    assert status.last_state.terminated.exit_code == 1


def test_a_pod_that_is_active_too_long_has_failed(cluster: Cluster) -> None:
    pod = cluster.run(a_pod(a_name("deadline"), IDLE, activeDeadlineSeconds=1))

    assert (pod.status.phase, pod.status.reason) == ("Failed", "DeadlineExceeded")


# ---- what keeps a container from starting


def test_an_image_that_is_not_there_leaves_its_pod_pending(cluster: Cluster) -> None:
    """No registry has a name below .invalid (RFC 2606)."""
    name = a_name("image")
    container = {**a_container("exit 0"), "image": "registry.invalid/nothing:1"}
    cluster.kube.create(POD, a_pod(name, container))

    reasons = {"ErrImagePull", "ImagePullBackOff"}
    pod = cluster.until_pod(name, lambda pod: waiting_reason(pod) in reasons)

    assert pod.status.phase == "Pending"
    cluster.kube.delete(POD, name, grace_seconds=0)


def test_the_name_of_an_image_that_is_none_is_told(cluster: Cluster) -> None:
    name = a_name("image")
    container = {**a_container("exit 0"), "image": "Not/An:Image:Name"}
    cluster.kube.create(POD, a_pod(name, container))

    cluster.until_pod(name, lambda pod: waiting_reason(pod) == "InvalidImageName")

    cluster.kube.delete(POD, name, grace_seconds=0)


def test_a_container_waits_for_the_secret_that_it_names(cluster: Cluster) -> None:
    name = a_name("waits")
    reference = {"secretKeyRef": {"name": name, "key": "k"}}
    variable = {"name": "A", "valueFrom": reference}
    cluster.kube.create(POD, a_pod(name, a_container("echo $A", env=[variable])))
    cluster.until_pod(name, lambda pod: waiting_reason(pod) == "CreateContainerConfigError")

    cluster.kube.create(SECRET, a_secret(name, k="there"))

    assert cluster.until_over(name).status.phase == "Succeeded"
    assert cluster.log(name) == "there\n"


def test_a_command_that_cannot_be_executed_is_a_failed_start(cluster: Cluster) -> None:
    """Which code that is, 126 to 128, is the container runtime's to say."""
    container = {**a_container(""), "command": ["/no/such/program"]}

    pod = cluster.run(a_pod(a_name("missing"), container))

    assert pod.status.phase == "Failed"
    assert exit_codes(pod)["main"] in (126, 127, 128)
    assert pod.status.container_statuses[0].state.terminated.reason in (
        "StartError",
        "ContainerCannotRun",
    )


# ---- what a container sees


def test_secrets_and_config_maps_are_files_and_variables(cluster: Cluster) -> None:
    name = a_name("given")
    cluster.kube.create(SECRET, a_secret(name, token="s3cret"))
    cluster.kube.create(CONFIG_MAP, {**a_config_map(name), "data": {"color": "blue"}})
    mounts = [{"name": each, "mountPath": f"/{each}"} for each in ("keys", "settings")]
    look = 'cat /keys/token /settings/color; echo " $TOKEN $color"; stat -L -c %a /keys/token'
    reference = {"secretKeyRef": {"name": name, "key": "token"}}
    container = a_container(
        look,
        volumeMounts=[{**each, "readOnly": True} for each in mounts],
        env=[{"name": "TOKEN", "valueFrom": reference}],
        envFrom=[{"configMapRef": {"name": name}}],
    )

    cluster.run(
        a_pod(
            name,
            container,
            volumes=[
                {"name": "keys", "secret": {"secretName": name, "defaultMode": 0o400}},
                {"name": "settings", "configMap": {"name": name}},
            ],
        )
    )

    assert cluster.log(name) == "s3cretblue s3cret blue\n400\n"


def test_a_container_knows_its_pod_and_its_folder(cluster: Cluster) -> None:
    name = a_name("self")
    fields = {"POD": "name", "PLACE": "namespace", "MARK": "labels['m']"}
    env: list[Json] = [
        {"name": key, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.{path}"}}}
        for key, path in fields.items()
    ]
    env += [{"name": "BOTH", "value": "$(POD)@$(PLACE) $$(POD)"}]
    container = a_container('echo "$BOTH $MARK"; pwd; hostname', env=env, workingDir="/work/here")

    cluster.run(a_pod(name, container, metadata={"labels": {"m": "x"}}, hostname="its-own"))

    expected = f"{name}@{cluster.namespace} $(POD) x\n/work/here\nits-own\n"
    assert cluster.log(name) == expected


def test_pods_of_a_group_find_each_other_by_name(cluster: Cluster) -> None:
    group = a_name("group")
    service: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": group}}
    spec = {"clusterIP": "None", "selector": {"g": group}, "publishNotReadyAddresses": True}
    cluster.kube.create(SERVICE, {**service, "spec": spec})
    member: Json = {"subdomain": group, "metadata": {"labels": {"g": group}}}
    cluster.start(a_pod(f"{group}-a", IDLE, hostname="first", **member))
    host = f"first.{group}.{cluster.namespace}.svc.cluster.local"
    look = f"getent hosts {host} || ping -c 1 -W 1 {host} || nslookup {host}"
    again = "n=$((n+1)); [ $n -lt 120 ] || exit 1; sleep 0.5"
    tries = f"n=0; until {{ {look}; }} >/dev/null 2>&1; do {again}; done"

    pod = cluster.run(a_pod(f"{group}-b", tries, hostname="second", **member))

    assert pod.status.phase == "Succeeded"
    cluster.kube.delete(POD, f"{group}-a", grace_seconds=0)


# ---- deletion


def test_a_deleted_pod_is_asked_to_end_and_says_how_it_did(cluster: Cluster) -> None:
    name = a_name("asked")
    polite = "trap 'exit 7' TERM; while :; do sleep 0.1; done"
    cluster.start(a_pod(name, polite, metadata=HELD, terminationGracePeriodSeconds=60))

    cluster.kube.delete(POD, name)

    pod = cluster.until_over(name)
    assert (pod.status.phase, exit_codes(pod)) == ("Failed", {"main": 7})
    assert pod.metadata.deletion_timestamp
    assert pod.metadata.deletion_grace_period_seconds is not None
    release(cluster, name)


def test_a_pod_that_does_not_listen_is_killed_when_its_grace_is_over(cluster: Cluster) -> None:
    name = a_name("deaf")
    cluster.start(a_pod(name, DEAF, metadata=HELD, terminationGracePeriodSeconds=60))

    cluster.kube.delete(POD, name, grace_seconds=1)

    pod = cluster.until_over(name)
    assert (pod.status.phase, exit_codes(pod)) == ("Failed", {"main": 137})
    release(cluster, name)


def test_a_grace_can_be_shortened_later(cluster: Cluster) -> None:
    name = a_name("deaf")
    cluster.start(a_pod(name, DEAF, metadata=HELD, terminationGracePeriodSeconds=3600))

    cluster.kube.delete(POD, name)
    cluster.kube.delete(POD, name, grace_seconds=1)

    assert exit_codes(cluster.until_over(name)) == {"main": 137}
    release(cluster, name)


def test_a_pod_that_is_deleted_by_force_is_gone_at_once(cluster: Cluster) -> None:
    name = a_name("forced")
    uid = cluster.start(a_pod(name, DEAF)).metadata.uid

    cluster.kube.delete(POD, name, uid=uid, grace_seconds=0)

    cluster.until_gone(lambda: cluster.pod(name))


def test_a_finished_pod_goes_without_grace(cluster: Cluster) -> None:
    name = a_name("over")
    cluster.run(a_pod(name, "exit 0", metadata=HELD, terminationGracePeriodSeconds=3600))

    cluster.kube.delete(POD, name)

    found = cluster.pod(name)
    assert found.metadata.deletion_timestamp
    assert found.status.phase == "Succeeded"
    release(cluster, name)


def test_a_pod_is_collected_with_its_owner(cluster: Cluster) -> None:
    name = a_name("anchor")
    owner = cluster.kube.create(CONFIG_MAP, a_config_map(name))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name}
    owners = [{**reference, "uid": owner["metadata"]["uid"]}]
    cluster.start(a_pod(name, IDLE, metadata={"ownerReferences": owners}))

    cluster.kube.delete(CONFIG_MAP, name)

    cluster.until_gone(lambda: cluster.pod(name))


def test_what_happens_to_a_pod_is_told_by_events(cluster: Cluster) -> None:
    name = a_name("told")
    cluster.run(a_pod(name, "exit 0"))

    def reasons() -> set[Any]:
        selector = f"involvedObject.name={name}"
        listed = cluster.core.list_namespaced_event(cluster.namespace, field_selector=selector)
        return {each.reason for each in listed.items}

    until(reasons, lambda found: {"Scheduled", "Created", "Started"} <= found)
