"""The system in which OSMO's answers were recorded, made again of our own parts.

One pool and one backend called `default`, one node, an API in dev mode that believes `x-osmo-user`.
The authorizer, the Core Service and the Logger are the real ones; what they store is in memory, and
the cluster is one in which every pod takes the same steps at the same pace and prints the same.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import yaml
from mangum import Mangum

from functions.core_service.api import Application
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import Answer, ServicesOf, answered
from tests.unit.functions.environment import Context, deployed
from tests.unit.functions.logger.gateway import Logger
from xylem.domain.group import Group
from xylem.domain.ids import BackendName, ConnectionId, PoolName, WorkflowId
from xylem.domain.node import CORE, Amounts, Node, Use
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.memory.configs import MemoryConfigs
from xylem.ports.backends import NodeFacts
from xylem.ports.listing import Filter
from xylem.ports.task_tokens import Attempt
from xylem.protocol.agent import Heartbeat
from xylem.protocol.spool import EPOCH, Record, Stream
from xylem.usecases import listing
from xylem.usecases.queries import spec_file

NAME = BackendName("default")
BEGIN = datetime(2026, 11, 23, 8, 36, 8, tzinfo=UTC)
GIB = 1024**3
STEP = timedelta(seconds=0.7)
REQUEST = timedelta(seconds=0.1)
"""What a request takes. Recorded were 0.02 to 0.5 s."""

NEXT = {
    TaskStatus.PROCESSING: "SCHEDULING",
    TaskStatus.SCHEDULING: "INITIALIZING",
    TaskStatus.INITIALIZING: "RUNNING",
}

REGISTRIES = ["docker.io", "index.docker.io", "registry-1.docker.io"]

POOL = {
    "backend": "default",
    "description": "Default pool",
    "default_platform": "default",
    "platforms": {"default": {}},
    "common_default_variables": {
        "USER_CPU": 1,
        "USER_GPU": 0,
        "USER_MEMORY": "1Gi",
        "USER_STORAGE": "1Gi",
    },
    "common_resource_validations": ["default_cpu", "default_memory", "default_storage"],
    "common_pod_template": ["default_ctrl", "default_user"],
}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    params: Mapping[str, Any]
    body: Any
    user: str | None
    headers: Mapping[str, str]


class OsmoSystem:
    def __init__(self) -> None:
        self.world = World(NAME)
        self.world.configs = self.world.pools = MemoryConfigs()
        self._core = Mangum(Application(ServicesOf(self.world)), lifespan="off")
        self._logger = Logger(self.world)
        self.world.later(BEGIN - self.world.clock())
        self.world.dial(ConnectionId("connection-2"), version="6.4.0")
        self._install()

    def ask(self, request: Request) -> Answer:
        """As a client of a stack on its own machine does."""
        self.passes(REQUEST)
        event = _event(request)
        if request.user is not None:
            found = _authorized(event)
            event["requestContext"]["authorizer"] = {"lambda": found["context"]}
        answer = self._answer(event)
        self.world.settle()
        return answer

    def _answer(self, event: dict[str, Any]) -> Answer:
        """As the API's routes lead there (`infra_cdk/components/logger.py`)."""
        if event["rawPath"].endswith(("/logs", "/error_logs")):
            return self._logger.answer(event)
        return answered(self._core(event, object()))  # type: ignore[arg-type]  # nobody looks

    def passes(self, time: timedelta) -> None:
        """The clock moves, and the cluster with it."""
        end = self.world.clock() + time
        while self.world.clock() + STEP <= end:
            self.world.later(STEP)
            self._moves()
        self.world.later(end - self.world.clock())
        self.world.say(Heartbeat(backend=NAME))
        self.world.settle()

    def _install(self) -> None:
        """What an admin had done before the first request."""
        shipped = self.world.pools.book()
        self._admin("PUT", "pod_template", {"configs": dict(shipped.pod_templates)})
        self._admin("PUT", "resource_validation", {"configs_dict": {}})
        self._admin("PUT", "pool", {"configs": {"default": POOL}})
        workflows = {
            "workflow_info": {"tags": ["t1", "t2"]},
            "credential_config": {"disable_registry_validation": REGISTRIES},
        }
        self._admin("PATCH", "workflow", {"configs_dict": workflows})
        kai = {"scheduler_type": "kai", "scheduler_name": "kai-scheduler", "scheduler_timeout": 30}
        self._admin("POST", "backend/default", {"configs": {"scheduler_settings": kai}})
        self.world.backends.note_nodes(NodeFacts(NAME, "boot", 1, (_node(),)))

    def _admin(self, method: str, config: str, body: Mapping[str, Any]) -> None:
        request = Request(method, f"/api/configs/{config}", {}, body, "system", {})
        self.ask(request)

    # The cluster ---------------------------------------------------------------------------------

    def _moves(self) -> None:
        world = self.world
        world.settle()
        world.answer()
        world.settle()
        for entry in list(listing.every(Filter(), world.workflows)):
            if not entry.status.final:
                self._step(entry.id)
        world.settle()

    def _step(self, workflow: WorkflowId) -> None:
        for group in self.world.look(workflow).groups:
            for task in group.tasks:
                on: dict[str, Any] = {"node": "node1", "pod_ip": "10.0.0.1"}
                if task.status in NEXT:
                    self.world.pod(workflow, task.name, NEXT[task.status], **on)
                    if task.status is TaskStatus.INITIALIZING:
                        self._prints(group, task)
                elif task.status is TaskStatus.RUNNING:
                    code = self._exits(workflow, task.name)
                    if code is not None:
                        status = "FAILED" if code else "COMPLETED"
                        said: dict[str, Any] = {"message": f"Exit code: {code}"} if code else {}
                        self.world.pod(workflow, task.name, status, code, **on, **said)

    def _prints(self, group: Group, task: Task) -> None:
        attempt = Attempt(group.workflow, group.id, group.incarnation, task.name, task.retry)
        now = (self.world.clock() - EPOCH) // timedelta(microseconds=1)
        hello = Record(Stream.STDOUT, now, f"hello from {task.name}\n".encode())
        self._logger.sent(attempt, hello, Record(Stream.STDERR, now, b"warn\n"))

    def _exits(self, workflow: WorkflowId, task: str) -> int | None:
        """None: it sleeps."""
        world = self.world
        text = spec_file(workflow, workflows=world.workflows, store=world.store).rendered
        groups = yaml.safe_load(text)["workflow"]["groups"]
        [mine] = [one for group in groups for one in group["tasks"] if one["name"] == task]
        command = " ".join([*mine["command"], *mine.get("args", [])])
        if "sleep" in command:
            return None
        exit_ = re.search(r"exit (\d+)", command)
        return int(exit_[1]) if exit_ else 0


@contextmanager
def osmo_system() -> Iterator[OsmoSystem]:
    with deployed("authorizer", XYLEM_ENVIRONMENT="local"):
        yield OsmoSystem()


def _authorized(event: Mapping[str, Any]) -> Any:
    from functions.authorizer.handler import http  # noqa: PLC0415 - its logger reads the environment

    return http(dict(event), Context("authorizer"))


def _event(request: Request) -> dict[str, Any]:
    headers = {"host": "127.0.0.1", "content-type": "application/json", **request.headers}
    if request.user is not None:
        headers["x-osmo-user"] = request.user
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "ANY /api/{proxy+}",
        "rawPath": request.path,
        "rawQueryString": urlencode(request.params, doseq=True),
        "queryStringParameters": {name: _joined(value) for name, value in request.params.items()},
        "headers": headers,
        "requestContext": {
            "http": {"method": request.method, "path": request.path, "sourceIp": "127.0.0.1"},
            "stage": "$default",
            "requestId": "request",
        },
        "isBase64Encoded": False,
    }
    if request.body is not None:
        event["body"] = json.dumps(request.body)
    return event


def _joined(value: Any) -> str:
    """API Gateway hands over what was said several times with commas between."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _node() -> Node:
    """As recorded: what is used on it is the use of a pod of the pool."""
    used = Amounts(cpu=2 * CORE, gpu=1, memory=2 * GIB, storage=GIB)
    return Node(
        name="node1",
        backend=NAME,
        allocatable=Amounts(cpu=16 * CORE, gpu=8, memory=64 * GIB, storage=200 * GIB),
        uses=(Use(PoolName("elsewhere"), "NORMAL", 1, used),),
    )
