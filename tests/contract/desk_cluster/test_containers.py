"""What a container sees: files, variables, names, and nothing of its neighbours."""

import base64
from pathlib import Path
from typing import Any

import pytest
from kubernetes.stream import stream

from tests.contract.desk_cluster.cluster import (
    AT_HOST,
    Client,
    DeskCluster,
    a_container,
    a_host_folder,
    a_pod,
    exit_codes,
    reason,
    until,
)


@pytest.fixture(scope="module", autouse=True)
def configuration(kube: Client) -> None:
    token = base64.b64encode(b"s3cret").decode()
    secret = {"metadata": {"name": "keys"}, "data": {"token": token}}
    settings = {"metadata": {"name": "settings"}, "data": {"color": "blue"}}
    kube.core.create_namespaced_secret("default", secret)
    kube.core.create_namespaced_config_map("default", settings)


def mounted(**paths: str) -> dict[str, Any]:
    mounts = [{"name": name, "mountPath": path} for name, path in paths.items()]
    return {"volumeMounts": mounts}


def test_secrets_and_config_maps_are_files(kube: Client) -> None:
    look = "cat /etc/keys/token /opt/settings/color; stat -c %a /etc/keys/token"
    container = a_container(look, **mounted(keys="/etc/keys", settings="/opt/settings"))

    kube.run(
        a_pod(
            "files",
            container,
            volumes=[
                {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
                {"name": "settings", "configMap": {"name": "settings"}},
            ],
        )
    )

    assert kube.log("files") == "s3cretblue400\n"


def test_a_volume_of_files_cannot_be_written_to(kube: Client) -> None:
    container = a_container("echo x >/keys/token || exit 5", **mounted(keys="/keys"))

    pod = kube.run(
        a_pod("read-only", container, volumes=[{"name": "keys", "secret": {"secretName": "keys"}}])
    )

    assert exit_codes(pod) == {"main": 5}


def test_variables_come_from_everywhere(kube: Client) -> None:
    env = [
        {"name": "PLAIN", "value": "$(COLOR)!"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    sources = [{"configMapRef": {"name": "settings"}, "prefix": "MY_"}]
    color = {"name": "COLOR", "value": "red"}

    kube.run(
        a_pod(
            "variables",
            a_container("echo $PLAIN $TOKEN $POD $MY_color", env=[color, *env], envFrom=sources),
        )
    )

    assert kube.log("variables") == "red! s3cret variables blue\n"


def test_containers_of_a_pod_share_an_empty_folder(kube: Client) -> None:
    write = a_container("echo hi >/a/file", "write", **mounted(shared="/a"))
    read = a_container("until [ -s /b/file ]; do sleep 0.02; done; cat /b/file", "read")

    kube.run(
        a_pod(
            "shared",
            write,
            {**read, **mounted(shared="/b")},
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )

    assert kube.log("shared", container="read") == "hi\n"


def test_two_pods_do_not_share_a_path(kube: Client, tmp_path: Path) -> None:
    """Both write to the same places at the same time; each finds what is its own."""
    places = ("/tmp/mine", "/root/mine", "/run/mine", "/data/mine", "/dev/shm/mine", "/mine")
    both = (
        "touch /host/$HOSTNAME; until [ -e /host/left ] && [ -e /host/right ]; do sleep 0.02; done"
    )
    write = "; ".join(f"echo $HOSTNAME >>{place}" for place in places)
    command = f"{write}; {both}; cat {' '.join(places)}"
    container = a_container(command)
    container["volumeMounts"] = [*AT_HOST["volumeMounts"], {"name": "data", "mountPath": "/data"}]
    volumes = [*a_host_folder(tmp_path)["volumes"], {"name": "data", "emptyDir": {}}]

    for name in ("left", "right"):
        kube.create(a_pod(name, container, volumes=volumes))

    for name in ("left", "right"):
        assert kube.until_over(name).status.phase == "Succeeded"
        assert kube.log(name) == f"{name}\n" * len(places)
    assert not any(Path(place).exists() for place in places)


def test_a_container_does_not_see_the_hosts_homes_nor_write_to_its_programs(
    kube: Client, tmp_path: Path
) -> None:
    (tmp_path / "private").touch()
    look = (
        f"[ ! -e {tmp_path}/private ] || exit 1; touch /usr/bin/mine 2>/dev/null && exit 2; exit 0"
    )

    pod = kube.run(a_pod("sight", look))

    assert exit_codes(pod) == {"main": 0}


def test_pods_of_a_group_find_each_other_by_name(kube: Client, tmp_path: Path) -> None:
    service: dict[str, Any] = {"metadata": {"name": "gang"}, "spec": {"clusterIP": "None"}}
    kube.core.create_namespaced_service("default", service)
    wait = "until grep -q first.gang /etc/hosts; do sleep 0.02; done"
    look = f"{wait}; getent hosts first.gang; hostname"
    name = {"hostname": "first", "subdomain": "gang"}
    kube.create(a_pod("gang-first", "sleep 60", **name))

    kube.run(a_pod("gang-second", look, hostname="second", subdomain="gang"))

    address, *rest = kube.log("gang-second").split()
    assert (address, rest[-1]) == ("127.0.0.1", "second")
    kube.delete("gang-first", grace_period_seconds=0)


def test_a_container_waits_for_the_secret_that_it_names(kube: Client) -> None:
    late = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}
    kube.create(a_pod("waits", a_container("echo $A", env=[late])))
    pod = kube.until("waits", lambda pod: reason(pod) == "CreateContainerConfigError")
    assert pod.status.container_statuses[0].state.waiting.message == 'secret "late" not found'

    kube.core.create_namespaced_secret(
        "default", {"metadata": {"name": "late"}, "stringData": {"k": "v"}}
    )

    assert kube.until_over("waits").status.phase == "Succeeded"
    assert kube.log("waits") == "v\n"


def test_a_volume_waits_for_its_config_map(kube: Client) -> None:
    volumes = [{"name": "v", "configMap": {"name": "late"}}]
    kube.create(a_pod("mounts", a_container("cat /v/k", **mounted(v="/v")), volumes=volumes))

    def complained() -> bool:
        events = kube.core.list_namespaced_event(
            "default", field_selector="involvedObject.name=mounts,reason=FailedMount"
        )
        return bool(events.items)

    until(complained)
    body = {"metadata": {"name": "late"}, "data": {"k": "there"}}
    kube.core.create_namespaced_config_map("default", body)

    assert kube.until_over("mounts").status.phase == "Succeeded"
    assert kube.log("mounts") == "there"


def test_a_claim_outlives_its_pods(kube: Client) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    kube.core.create_namespaced_persistent_volume_claim("default", claim)
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]

    for name, command in (("writes", "echo kept >/v/file"), ("reads", "cat /v/file")):
        kube.run(a_pod(name, a_container(command, **mounted(v="/v")), volumes=volumes))

    assert kube.log("reads") == "kept\n"
    bound = kube.core.read_namespaced_persistent_volume_claim("data", "default")
    assert bound.status.phase == "Bound"


def test_a_container_that_takes_more_memory_than_its_limit_is_killed(
    kube: Client, desk: DeskCluster
) -> None:
    if desk.described["cgroups"] == "none":
        pytest.skip("cgroups cannot be made on this machine")
    limits: dict[str, Any] = {"resources": {"limits": {"memory": "32Mi"}}}

    pod = kube.run(a_pod("hungry", a_container("exec tail /dev/zero", **limits)))

    assert (exit_codes(pod), reason(pod)) == ({"main": 137}, "OOMKilled")


def test_a_command_that_is_run_in_a_container_has_its_limits_and_its_user(
    kube: Client, desk: DeskCluster
) -> None:
    limits: dict[str, Any] = {"resources": {"limits": {"memory": "64Mi"}}}
    if "user namespace" not in desk.described["isolation"]:
        limits["securityContext"] = {"runAsUser": 1234, "runAsGroup": 5678}
    kube.create(a_pod("joined", a_container("sleep 60", **limits)))
    kube.until_running("joined")

    def told(path: str) -> str:
        words = ["sh", "-c", f"cat {path}; id -u; id -g; grep Bnd {path.rpartition('/')[0]}/status"]
        execute = desk.client().core.connect_get_namespaced_pod_exec
        return str(stream(execute, "joined", "default", command=words, stdout=True))

    assert told("/proc/self/cgroup") == told("/proc/1/cgroup")
    kube.delete("joined", grace_period_seconds=0)


def test_a_user_can_be_chosen(kube: Client, desk: DeskCluster) -> None:
    if "user namespace" in desk.described["isolation"]:
        pytest.skip("only root can become another user")
    user: dict[str, Any] = {"securityContext": {"runAsUser": 1234, "runAsGroup": 5678}}

    kube.run(a_pod("user", a_container("id -u; id -g", **user)))

    assert kube.log("user") == "1234\n5678\n"


def test_a_working_folder_is_made(kube: Client) -> None:
    kube.run(a_pod("folder", a_container("pwd", workingDir="/work/of/mine")))

    assert kube.log("folder") == "/work/of/mine\n"
