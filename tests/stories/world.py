"""The whole system in one process: the real use cases and machines on memory ports, with a cluster
that does what the test says.

Nothing happens by itself. `settle()` delivers doorbells and news until there are none; a test that
wants them late, twice or never delivers them itself.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.builders import NOON
from xylem.domain.errors import Conflict
from xylem.domain.group import Group
from xylem.domain.ids import BackendName, ConnectionId, JobId, PoolName, UserName, WorkflowId
from xylem.domain.pool import Platform, Pool
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.manifests import names
from xylem.memory.backends import MemoryBackends
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.configs import MemoryPools
from xylem.memory.queues import MemoryDoorbell, MemoryLinks, MemoryNewsQueue
from xylem.memory.store import MemoryStore
from xylem.memory.time import FakeClock, FakeIds
from xylem.memory.tokens import MemoryTaskTokens
from xylem.ports import Job
from xylem.protocol import agent
from xylem.protocol.queues import Greeted, Retired, news_message
from xylem.usecases import jobs, news, operators, submit
from xylem.usecases.queries import Described, describe
from xylem.usecases.start import Rendering, start_groups

BACKEND = BackendName("cluster-1")
CONNECTION = ConnectionId("connection-1")
BOOT = "boot-1"
USER = UserName("alice")


@dataclass
class Cluster:
    """What the operator of `BACKEND` was told, and what it has said so far."""

    jobs: list[agent.Job] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    rejected: list[agent.Rejected] = field(default_factory=list)
    seq: int = 0

    def hears(self, text: str) -> None:
        match agent.agent_message.validate_json(text):
            case agent.Jobs(jobs=pushed):
                self.jobs += pushed
            case agent.Ack(ranges=ranges):
                for first, last in ranges:
                    self.acknowledged |= set(range(first, last + 1))
            case agent.Rejected() as rejected:
                self.rejected.append(rejected)
            case agent.Welcome() | agent.Refusal():
                pass


class World:
    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.ids = FakeIds()
        self.rows = MemoryStore()
        self.workflows = self.rows.workflows
        self.jobs = self.rows.jobs
        self.backends = MemoryBackends(self.rows)
        self.links = MemoryLinks()
        self.store = MemoryBlobs()
        self.doorbell = MemoryDoorbell()
        self.news = MemoryNewsQueue()
        self.pools = MemoryPools()
        self.tokens = MemoryTaskTokens()
        self.waited: list[float] = []
        self.wait: Callable[[float], None] = self.waited.append
        self.chance: Callable[[], float] = lambda: 0.5
        self.cluster = Cluster()
        platforms = {"default": Platform()}
        pool = Pool(PoolName("default"), BACKEND, default_platform="default", platforms=platforms)
        self.pools.put(pool, author=USER, now=NOON)
        self.say(agent.Hello(backend=BACKEND, cluster_uid="uid", boot_id=BOOT, version="1"))
        self.settle()

    # People ------------------------------------------------------------------------------------

    def submit(self, spec: str, **options: Any) -> WorkflowId:
        request = submit.Request(text=spec, user=USER, **options)
        checked = submit.check(request, "default", pools=self.pools)
        return submit.submit(request, checked, engine=self)

    def look(self, workflow: WorkflowId) -> Described:
        return describe(workflow, workflows=self.workflows)

    def group(self, workflow: WorkflowId, name: str) -> Group:
        return next(group for group in self.look(workflow).groups if group.name == name)

    def task(self, workflow: WorkflowId, name: str) -> Task:
        found = [task for group in self.look(workflow).groups if (task := group.task(name))]  # type: ignore[arg-type]
        return found[0]

    # The service -------------------------------------------------------------------------------

    def perform(self, job: JobId) -> jobs.Outcome:
        rendering = Rendering("https://api.test", "xylem/task-runtime", "IfNotPresent")

        def run(found: Job) -> None:
            jobs.dispatch(
                found,
                start=lambda job, work: start_groups(
                    job, work, engine=self, jobs=self.jobs, tokens=self.tokens, rendering=rendering
                ),
            )

        return jobs.perform(job, engine=self, jobs=self.jobs, run=run)

    def apply(self, bodies: Iterable[str]) -> None:
        """As the Agent does with one batch."""
        by_workflow: dict[WorkflowId, list[news.OfWorkflow]] = {}
        for body in bodies:
            match news_message.validate_json(body):
                case Greeted() as greeted:
                    operators.deliver_mailbox(greeted, engine=self)
                case Retired() as retired:
                    operators.retire(retired, links=self.links, backends=self.backends)
                case message:
                    by_workflow.setdefault(message.workflow, []).append(message)
        for workflow, messages in by_workflow.items():
            news.apply(workflow, messages, engine=self)
        self._listen()

    def sweep(self) -> tuple[int, int]:
        swept = jobs.sweep(engine=self, jobs=self.jobs)
        self._listen()
        return swept

    def settle(self) -> None:
        """Deliver everything that is on its way, and what that sets going."""
        while True:
            rung, bodies = self.doorbell.take(), self.news.take()
            if not rung and not bodies:
                break
            for job in rung:
                self.perform(job)
            self.apply(bodies)
        self._listen()

    def later(self, wait: timedelta) -> None:
        self.clock.advance(wait)

    # The cluster -------------------------------------------------------------------------------

    def say(self, message: agent.FromOperator, *, connection: ConnectionId = CONNECTION) -> None:
        """The operator says something; it reaches the news queue and no further."""
        operators.take(
            message.model_dump_json(),
            backend=BACKEND,
            connection=connection,
            backends=self.backends,
            links=self.links,
            news=self.news,
            clock=self.clock,
        )
        self._listen()

    def answer(self, *, status: str = "done", kind: str | None = None) -> None:
        """Every job that was pushed is answered, of one kind or of all."""
        mine = [job for job in self.cluster.jobs if kind in (None, job.kind)]
        self.cluster.jobs = [job for job in self.cluster.jobs if job not in mine]
        for job in mine:
            self.say(
                agent.JobResult.model_validate(
                    {"workflow": job.workflow, "job_id": job.job_id, "status": status}
                )
            )

    def pod(
        self, workflow: WorkflowId, task: str, status: str, code: int | None = None, **more: Any
    ) -> int:
        """News of a task's pod; the number that it was said with."""
        group = next(g for g in self.look(workflow).groups if g.task(task))  # type: ignore[arg-type]
        known = group.task(task)  # type: ignore[arg-type]
        assert known is not None
        self.cluster.seq += 1
        seen = {
            "workflow": workflow,
            "group": group.id,
            "incarnation": group.incarnation,
            "task": task,
            "retry": known.retry,
            "uid": f"uid-{task}-{known.retry}",
            "status": TaskStatus(status),
            "exit_code": code,
            "bound": True,
            **more,
        }
        event = agent.Event.model_validate({"seq": self.cluster.seq, "pod": seen})
        self.say(agent.News(boot_id=BOOT, events=[event]))
        return self.cluster.seq

    def up(self, workflow: WorkflowId, *tasks: str) -> None:
        for task in tasks:
            for status in ("SCHEDULING", "INITIALIZING", "RUNNING"):
                self.pod(workflow, task, status)

    def exit(self, workflow: WorkflowId, task: str, code: int) -> None:
        self.pod(workflow, task, "FAILED" if code else "COMPLETED", code)

    def objects(self, job: agent.Job) -> list[dict[str, Any]]:
        """What a create carries."""
        assert job.payload is not None
        body = gzip.decompress(base64.b64decode(job.payload))
        return list(json.loads(body)["objects"])

    def pods(self, job: agent.Job) -> list[str]:
        """The tasks whose pods a create makes."""
        return [
            item["metadata"]["annotations"][names.TASK]
            for item in self.objects(job)
            if item["kind"] == "Pod"
        ]

    def _listen(self) -> None:
        for connection, text in self.links.take():
            if connection.startswith("connection-"):
                self.cluster.hears(text)


__all__ = ["BACKEND", "BOOT", "CONNECTION", "USER", "Cluster", "Conflict", "World"]
