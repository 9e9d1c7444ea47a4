"""kill -9 of the API process: containers go on, their ends are known to the next process, and
nothing is ever run twice."""

import sqlite3
import time
from itertools import islice
from pathlib import Path

import pytest
from kubernetes.client import ApiException

from operators.desk_cluster.objects import Json
from tests.contract.desk_cluster.cluster import (
    AT_HOST,
    Client,
    DeskCluster,
    a_container,
    a_host_folder,
    a_pod,
    exit_codes,
    until,
)


def restarted(desk: DeskCluster) -> Client:
    desk.kill()
    desk.start()
    return desk.client()


def waiting_container(code: int, name: str = "main") -> Json:
    """Says that it runs, waits for a word, and ends with this code."""
    run = f"echo run >>/host/{name}-runs; until [ -e /host/go ]; do sleep 0.02; done"
    return a_container(f"echo before; {run}; echo after; exit {code}", name, **AT_HOST)


def runs(folder: Path, name: str = "main") -> int:
    file = folder / f"{name}-runs"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_container_goes_on_and_its_end_is_known_to_the_next_process(
    own_desk: DeskCluster, tmp_path: Path
) -> None:
    kube = own_desk.client()
    kube.create(a_pod("survivor", waiting_container(5), **a_host_folder(tmp_path)))
    before = kube.until_running("survivor")
    until(lambda: runs(tmp_path))

    kube = restarted(own_desk)
    between = kube.until_running("survivor")
    (tmp_path / "go").touch()
    pod = kube.until_over("survivor")

    assert exit_codes(pod) == {"main": 5}
    assert runs(tmp_path) == 1
    assert between.status.container_statuses == before.status.container_statuses
    assert kube.log("survivor") == "before\nafter\n"


def test_an_end_that_nobody_was_there_to_see_is_known(
    own_desk: DeskCluster, tmp_path: Path
) -> None:
    kube = own_desk.client()
    made = kube.create(a_pod("unseen", waiting_container(7), **a_host_folder(tmp_path))).metadata
    kube.until_running("unseen")
    until(lambda: runs(tmp_path))

    own_desk.kill()
    (tmp_path / "go").touch()
    until((own_desk.state / "pods" / made.uid / "containers/main/0/ended").exists)
    own_desk.start()
    kube = own_desk.client()
    pod = kube.until_over("unseen")

    assert (exit_codes(pod), runs(tmp_path)) == ({"main": 7}, 1)
    told = kube.watch("pod", made.resource_version, field_selector="metadata.name=unseen")
    phases = [event["object"].status.phase for event in told]
    assert phases[0] == "Pending", "a watch goes on from before the kill"
    assert phases[-1] == "Failed"


def test_a_container_that_was_started_again_is_followed_by_the_next_process(
    own_desk: DeskCluster, tmp_path: Path
) -> None:
    """Two attempts are there: the end of the first is old news, that of the second is not."""
    first = "[ -e /host/tried ] || { touch /host/tried; exit 1; }"
    second = "touch /host/second; until [ -e /host/go ]; do sleep 0.02; done"
    kube = own_desk.client()
    kube.create(
        a_pod(
            "again",
            a_container(f"{first}; {second}", **AT_HOST),
            restartPolicy="OnFailure",
            **a_host_folder(tmp_path),
        )
    )
    until((tmp_path / "second").exists)

    kube = restarted(own_desk)
    kube.until_running("again")
    (tmp_path / "go").touch()
    pod = kube.until_over("again")

    (status,) = pod.status.container_statuses
    assert (pod.status.phase, status.restart_count) == ("Succeeded", 1)
    assert status.last_state.terminated.exit_code == 1


def test_that_memory_ran_out_is_not_forgotten(own_desk: DeskCluster, tmp_path: Path) -> None:
    if own_desk.described["cgroups"] == "none":
        pytest.skip("cgroups cannot be made on this machine")
    limits: Json = {"resources": {"limits": {"memory": "32Mi"}}}
    hungry = a_container("exec tail /dev/zero", "hungry", **limits)
    kube = own_desk.client()
    kube.create(a_pod("oom", hungry, waiting_container(0), **a_host_folder(tmp_path)))
    kube.until("oom", lambda pod: pod and exit_codes(pod).get("hungry") == 137)

    kube = restarted(own_desk)
    (tmp_path / "go").touch()
    pod = kube.until_over("oom")

    ends = {each.name: each.state.terminated.reason for each in pod.status.container_statuses}
    assert ends == {"hungry": "OOMKilled", "main": "Completed"}


def test_a_pod_that_was_being_deleted_goes(own_desk: DeskCluster, tmp_path: Path) -> None:
    deaf = a_container("trap '' TERM; touch /host/up; sleep 60", **AT_HOST)
    kube = own_desk.client()
    kube.create(a_pod("leaving", deaf, **a_host_folder(tmp_path)))
    until((tmp_path / "up").exists)
    kube.delete("leaving")

    kube = restarted(own_desk)

    kube.until_gone("leaving")


def test_whenever_the_process_is_killed_every_pod_runs_once(
    own_desk: DeskCluster, tmp_path: Path
) -> None:
    """Between any two steps of a start: stored, bound, prepared, launched, claimed, begun."""
    host = a_host_folder(tmp_path)
    kube = own_desk.client()
    pods: list[str] = []
    for kill, pause in enumerate((0.0, 0.004, 0.015, 0.04)):
        for number in range(5):
            name = f"storm-{kill}-{number}"
            command = f"echo run >>/host/{name}-runs; exit 0"
            kube.create(a_pod(name, a_container(command, **AT_HOST), **host))
            pods.append(name)
        time.sleep(pause)  # the kill comes at another moment of each start
        kube = restarted(own_desk)

    for name in pods:
        pod = kube.until_over(name)
        assert (name, pod.status.phase, runs(tmp_path, name)) == (name, "Succeeded", 1)


def test_stopping_ends_every_container_and_says_so(own_desk: DeskCluster, tmp_path: Path) -> None:
    kube = own_desk.client()
    for name in ("one", "two"):
        kube.create(a_pod(name, waiting_container(0, name), **a_host_folder(tmp_path)))
        kube.until_running(name)

    until(lambda: runs(tmp_path, "one") and runs(tmp_path, "two"))

    own_desk.kill()
    ended = own_desk.stop()
    own_desk.start()
    kube = own_desk.client()

    assert ended == 2
    for name in ("one", "two"):
        pod = kube.until_over(name)
        assert (exit_codes(pod), runs(tmp_path, name)) == ({name: 137}, 1)


def test_a_version_from_before_a_compaction_has_expired(own_desk: DeskCluster) -> None:
    kube = own_desk.client()
    body = {"metadata": {"name": "a"}}
    old = kube.core.create_namespaced_config_map("default", body).metadata.resource_version
    for number in range(3):
        kube.core.patch_namespaced_config_map("a", "default", {"data": {"n": str(number)}})
    own_desk.kill()
    with sqlite3.connect(own_desk.state / "cluster.sqlite") as database:
        # As it is after 10,000 more changes, which would take longer than all these tests.
        database.execute("DELETE FROM changes WHERE revision <= ?", (int(old) + 1,))
    own_desk.start()
    kube = own_desk.client()

    def watched(version: str) -> list[str]:
        told = islice(kube.watch("config_map", version), 2)
        return [event["object"].data["n"] for event in told]

    with pytest.raises(ApiException) as expired:
        watched(old)
    assert expired.value.status == 410
    assert watched(str(int(old) + 1)) == ["1", "2"]
