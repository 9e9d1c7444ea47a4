"""The operator as a process, on a desk cluster, with a service that is a socket in the test.

What is asked here is what no test of the parts can: that the official client, the watch, the Lease
and the socket do together what the procedures and the link promise.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.server import ServerConnection, serve

from operators.shared.anchor import ANCHOR_LABEL
from operators.shared.kube import Kube
from operators.shared.resources import (
    CONFIG_MAP,
    NODE,
    POD,
    SECRET,
    VOLCANO_GROUP,
    VOLCANO_QUEUE,
    Conflict,
    Json,
    NotFound,
    Refused,
)
from tests.builders_spec import a_plan, a_planned_task, facts_of
from tests.unit.operators.backend_worker.test_backend_tests import a_test
from tests.unit.operators.jobs import GROUP_ID, HELLO, a_cleanup, a_create, a_job, a_pod, a_secret
from xylem.domain.ids import BackendName
from xylem.domain.pool import GpuQuota, Scheduler
from xylem.domain.status import TaskStatus
from xylem.manifests import gang as gangs
from xylem.manifests.names import GROUP_LABEL
from xylem.protocol.agent import (
    Ack,
    BackendTests,
    Hello,
    Inventory,
    Job,
    JobResult,
    Jobs,
    News,
    Nodes,
    OperatorMessage,
    PodObservation,
    Welcome,
    operator_message,
)
from xylem.protocol.message import Message

SECONDS = 30
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    not list(ROOT.glob("build/native/*/desk-shim")), reason="`make install` builds the desk's shim"
)


class Service:
    """Welcomes and acknowledges, and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[OperatorMessage] = []
        self.hellos: list[Hello] = []
        self.acknowledging = True
        self._socket: ServerConnection | None = None
        self._changed = asyncio.Condition()

    async def say(self, message: Message) -> None:
        assert self._socket is not None
        await self._socket.send(message.model_dump_json())

    async def push(self, *jobs: Job) -> None:
        await self.say(Jobs(jobs=list(jobs)))

    async def cut(self) -> None:
        assert self._socket is not None
        self._socket.transport.abort()

    async def until(self, reached: Callable[[], Any]) -> Any:
        """What `reached` gives, once it gives something."""
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(reached)
        return reached()

    def seen(self, *statuses: TaskStatus) -> PodObservation | None:
        for message in self.heard:
            for event in message.events if isinstance(message, News) else ():
                if event.pod.status in statuses:
                    return event.pod
        return None

    def answer(self, job: Job) -> JobResult | None:
        for message in self.heard:
            if isinstance(message, JobResult) and message.job_id == job.job_id:
                return message
        return None

    async def converse(self, peer: ServerConnection) -> None:
        async for text in peer:
            message = operator_message.validate_json(text)
            if isinstance(message, Hello):
                self._socket = peer
                self.hellos.append(message)
                await self.say(Welcome(epoch=len(self.hellos), nodes=True))
            if isinstance(message, News) and self.acknowledging:
                numbers = [(event.seq, event.seq) for event in message.events]
                await peer.send(Ack(boot_id=message.boot_id, ranges=numbers).model_dump_json())
            async with self._changed:
                self.heard.append(message)
                self._changed.notify_all()


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("desk")
    module = [sys.executable, "-m", "operators.desk_cluster"]
    command = [*module, "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as desk:
        assert desk.stdout is not None
        assert json.loads(desk.stdout.readline())["ready"]
        yield state / "kubeconfig"
        desk.send_signal(signal.SIGTERM)
        subprocess.run([*module, "stop", "--state", str(state)], cwd=ROOT, check=True)


@pytest.fixture
def kube(kubeconfig: Path) -> Iterator[Kube]:
    cluster = Kube(namespace="default", kubeconfig=str(kubeconfig), connections=4)
    yield cluster
    for kind, selector in ((POD, GROUP_LABEL), (CONFIG_MAP, ANCHOR_LABEL)):
        for body in cluster.page(kind, selector).items:
            name = body["metadata"]["name"]
            if body["metadata"].get("finalizers"):
                cluster.patch(kind, name, [{"op": "remove", "path": "/metadata/finalizers"}])
            cluster_delete(cluster, name, kind)


def cluster_delete(kube: Kube, name: str, kind: Any) -> None:
    try:
        kube.delete(kind, name, grace_seconds=0)
    except NotFound:
        return


@contextmanager
def an_operator(
    url: str, kubeconfig: Path, pod_name: str = "op", **more: str
) -> Iterator[subprocess.Popen[str]]:
    told = {
        "XYLEM_URL": url,
        "XYLEM_TOKEN": "a-secret-token",
        "XYLEM_BACKEND": "desk",
        "XYLEM_NAMESPACE": "default",
        "KUBECONFIG": str(kubeconfig),
        "POD_NAME": pod_name,
        **more,
    }
    command = [sys.executable, "-m", "operators"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **told}, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def a_service() -> AsyncIterator[tuple[Service, str]]:
    service = Service()
    async with serve(service.converse, "127.0.0.1", 0) as server:
        port = list(server.sockets)[0].getsockname()[1]
        yield service, f"ws://127.0.0.1:{port}/"


def a_running_pod(command: str) -> Json:
    pod = a_pod()
    pod["spec"] |= {
        "restartPolicy": "Never",
        "containers": [{"name": "main", "image": "any", "command": ["sh", "-c", command]}],
    }
    return pod


def test_a_task_runs_is_told_and_is_cleaned_up(kube: Kube, kubeconfig: Path) -> None:
    create, observe, cleanup = (
        a_create(a_secret(), a_running_pod("exit 3")),
        a_job("observe", ordinal=2),
        a_cleanup(ordinal=3),
    )

    async def story() -> None:
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig) as process:
                await service.until(lambda: service.hellos)
                await service.push(create)
                created = await service.until(lambda: service.answer(create))
                failed = await service.until(lambda: service.seen(TaskStatus.FAILED))
                await service.push(observe)
                observed = await service.until(lambda: service.answer(observe))
                await service.push(cleanup)
                cleaned = await service.until(lambda: service.answer(cleanup))
                process.send_signal(signal.SIGTERM)
                _, log = await asyncio.to_thread(process.communicate, timeout=10)

        assert (created.status, cleaned.status) == ("done", "done")
        assert (failed.exit_code, failed.bound) == (3, True)
        assert [pod.uid for pod in observed.observations] == [failed.uid]
        assert process.returncode == 0
        assert "a-secret-token" not in log
        assert all(json.loads(line)["level"] == "INFO" for line in log.splitlines())

    asyncio.run(story())
    anchors = kube.page(CONFIG_MAP, ANCHOR_LABEL).items
    assert kube.page(POD, GROUP_LABEL).items == []
    assert [anchor["data"]["state"] for anchor in anchors] == ["closed"]
    with pytest.raises(NotFound):
        kube.read(SECRET, a_secret()["metadata"]["name"])


def test_a_gang_is_made_for_volcano_and_goes_while_its_queue_stays(
    kube: Kube, kubeconfig: Path
) -> None:
    """As the service renders it for such a backend, on an API server that knows both kinds."""
    plan = a_plan(a_planned_task())
    facts = facts_of(
        plan,
        group=GROUP_ID,
        workflow=HELLO,
        backend=BackendName("east"),
        scheduler=Scheduler("volcano", "default-scheduler"),
        quota=GpuQuota(8, 16, 2),
    )
    queue, gang = gangs.objects(plan, facts)
    create, cleanup = a_create(queue, gang, a_running_pod("sleep 60")), a_cleanup(force=True)

    async def story() -> None:
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig):
                await service.until(lambda: service.hellos)
                await service.push(create)
                await service.until(lambda: service.answer(create))
                made = kube.read(VOLCANO_GROUP, gangs.group_name(facts))
                await service.push(cleanup)
                cleaned = await service.until(lambda: service.answer(cleanup))

        assert made["spec"]["minMember"] == 1
        assert made["metadata"]["ownerReferences"][0]["kind"] == "ConfigMap"
        assert cleaned.status == "done"
        with pytest.raises(NotFound):
            kube.read(VOLCANO_GROUP, gangs.group_name(facts))
        assert kube.read(VOLCANO_QUEUE, gangs.queue_name(facts))["spec"] == queue["spec"]

    asyncio.run(story())


def test_an_exit_code_outlives_the_operator_and_the_pods_deletion(
    kube: Kube, kubeconfig: Path
) -> None:
    """kill -9 before anything was acknowledged, then `kubectl delete`: the next process has it."""
    create = a_create(a_running_pod("exit 5"))

    async def story() -> None:
        async with a_service() as (service, url):
            service.acknowledging = False
            with an_operator(url, kubeconfig):
                await service.until(lambda: service.hellos)
                await service.push(create)
                await service.until(lambda: service.seen(TaskStatus.FAILED))
            kube.delete(POD, a_pod()["metadata"]["name"])
            service.heard.clear()
            service.acknowledging = True

            begun = time.monotonic()
            with an_operator(url, kubeconfig):
                failed = await service.until(lambda: service.seen(TaskStatus.FAILED))
                took = time.monotonic() - begun
                await asyncio.to_thread(until_gone, kube)

        assert failed.exit_code == 5
        assert service.hellos[0].boot_id != service.hellos[-1].boot_id
        assert took < 10, "the same pod takes over its own lease at once"

    asyncio.run(story())


def until_gone(kube: Kube) -> None:
    page = kube.page(POD, GROUP_LABEL)
    if page.items:
        changes = kube.watch(POD, GROUP_LABEL, page.resource_version)
        next(change for change in changes if change.type == "DELETED")


def test_a_second_operator_stands_by_and_succeeds_the_first(kubeconfig: Path, kube: Kube) -> None:
    async def story() -> None:
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig, "first") as first:
                await service.until(lambda: service.hellos)
                with an_operator(url, kubeconfig, "second") as second:
                    assert second.stderr is not None
                    line = await asyncio.to_thread(second.stderr.readline)
                    assert json.loads(line)["message"] == "standing by"
                    assert len(service.hellos) == 1
                    first.send_signal(signal.SIGTERM)
                    await service.until(lambda: len(service.hellos) == 2)

    asyncio.run(story())


def test_probes_and_prometheus_are_answered_while_pods_are_followed(
    kubeconfig: Path, kube: Kube
) -> None:
    create = a_create(a_running_pod("sleep 60"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"

    async def story() -> None:
        async with a_service() as (service, url), httpx.AsyncClient(trust_env=False) as client:
            with an_operator(url, kubeconfig, XYLEM_HEALTH=address):
                await service.until(lambda: service.hellos)
                await service.push(create)
                await service.until(lambda: service.seen(TaskStatus.RUNNING))
                ready = await client.get(f"http://{address}/readyz")
                metrics = await client.get(f"http://{address}/metrics")

        counted = {
            sample.name: sample.value
            for family in text_string_to_metric_families(metrics.text)
            for sample in family.samples
            if not sample.labels
        }
        assert ready.status_code == 200
        assert counted["xylem_operator_in_office"] == counted["xylem_operator_connected"] == 1
        assert counted["xylem_operator_pods"] == 1
        assert counted["process_resident_memory_bytes"] > 0
        assert 'xylem_operator_job_seconds_count{kind="create",outcome="done"} 1.0' in metrics.text
        assert 'xylem_operator_news_total{status="RUNNING"} 1.0' in metrics.text

    asyncio.run(story())


def test_a_cut_connection_comes_back_with_an_inventory(kubeconfig: Path, kube: Kube) -> None:
    create = a_create(a_running_pod("sleep 60"))

    async def story() -> None:
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig):
                await service.until(lambda: service.hellos)
                await service.push(create)
                await service.until(lambda: service.seen(TaskStatus.RUNNING))
                await service.cut()
                service.heard.clear()
                chunk = await service.until(lambda: inventory_of(service))

        assert [anchor.group for anchor in chunk.anchors] == [GROUP_ID]
        assert [pod.status for pod in chunk.pods] == [TaskStatus.RUNNING]
        assert service.hellos[0].boot_id == service.hellos[1].boot_id

    asyncio.run(story())


def test_the_nodes_of_the_cluster_are_told_when_all_of_them_are_known(
    kubeconfig: Path, kube: Kube
) -> None:
    [there] = kube.page(NODE, "").items

    async def story() -> None:
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig):
                told = await service.until(lambda: nodes_of(service))

        [node] = told.nodes
        assert (node.name, node.ready, node.cordoned) == (there["metadata"]["name"], True, False)
        assert node.allocatable.cpu == int(there["status"]["allocatable"]["cpu"]) * 1000
        assert node.labels["kubernetes.io/hostname"] == node.name
        assert told.whole == ("", "~")

    asyncio.run(story())


def test_tests_are_said_to_be_there_once_the_cluster_has_them(kubeconfig: Path) -> None:
    """A desk cluster has no CronJobs: so none is the only number of tests that it can have."""
    none = BackendTests(digest="of none", tests=[])
    one = BackendTests(digest="of one", tests=[a_test()])

    async def story() -> None:
        async with a_service() as (service, url):
            with an_operator(url, kubeconfig, XYLEM_TEST_IMAGE="operator"):
                await service.until(lambda: tests_of(service))
                await service.say(Jobs(jobs=[], tests=one))
                async with asyncio.timeout(SECONDS):
                    while tests_of(service)[-1] == "":
                        await service.say(Jobs(jobs=[], tests=none))
                        heard = len(tests_of(service))
                        await service.cut()
                        await service.until(partial(heard_more_than, service, heard))

        assert set(tests_of(service)) == {"", "of none"}

    asyncio.run(story())


def heard_more_than(service: Service, heard: int) -> bool:
    return len(tests_of(service)) > heard


def tests_of(service: Service) -> list[str]:
    """Which tests were said to be there, each time."""
    said = [each.tests for each in service.heard if isinstance(each, Nodes)]
    return [each for each in said if each is not None]


def nodes_of(service: Service) -> Nodes | None:
    return next((each for each in service.heard if isinstance(each, Nodes)), None)


def inventory_of(service: Service) -> Inventory | None:
    return next((each for each in service.heard if isinstance(each, Inventory)), None)


def test_what_is_wrong_with_the_settings_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "operators"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "XYLEM_TOKEN" in json.loads(done.stderr)["message"]


# The client ------------------------------------------------------------------------------------


def test_the_api_servers_no_has_a_type(kube: Kube) -> None:
    body = {**a_secret(), "kind": "ConfigMap", "metadata": {"name": "typed"}}
    made = kube.create(CONFIG_MAP, body)
    uid = made["metadata"]["uid"]

    with pytest.raises(Conflict):
        kube.create(CONFIG_MAP, body)
    kube.replace(CONFIG_MAP, {**made, "data": {"a": "b"}})
    with pytest.raises(Conflict):
        kube.replace(CONFIG_MAP, made)
    with pytest.raises(Refused):
        kube.patch(CONFIG_MAP, "typed", [{"op": "test", "path": "/metadata/uid", "value": "no"}])
    with pytest.raises(Conflict):
        kube.delete(CONFIG_MAP, "typed", uid="no")
    kube.delete(CONFIG_MAP, "typed", uid=uid)
    with pytest.raises(NotFound):
        kube.read(CONFIG_MAP, "typed")
