"""The whole system in one process: the real use cases and machines on memory ports, with a cluster
that does what the test says.

Nothing happens by itself. `settle()` delivers doorbells and news until there are none; a test that
wants them late, twice or never delivers them itself. Rings of timers wait for `ring()`, which
delivers those whose time has come.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.builders import NOON
from xylem.domain.errors import Conflict
from xylem.domain.group import Group
from xylem.domain.ids import (
    BackendName,
    ConnectionId,
    GroupId,
    JobId,
    PoolName,
    UserName,
    WorkflowId,
)
from xylem.domain.plan import WorkflowPlan
from xylem.domain.pool import Platform, Pool
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.values import replace
from xylem.manifests import names
from xylem.memory.answers import MemoryAnswers
from xylem.memory.apps import MemoryApps
from xylem.memory.backends import MemoryBackends
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.catalog import MemoryCatalog, MemoryDatasetStore
from xylem.memory.configs import MemoryConfigs
from xylem.memory.connections import MemoryConnections
from xylem.memory.credentials import MemoryCredentials
from xylem.memory.identity import MemoryIdentity
from xylem.memory.logs import MemoryLogs
from xylem.memory.outside import MemoryMailer, MemoryOutside
from xylem.memory.queues import MemoryAlarm, MemoryDoorbell, MemoryLinks, MemoryNewsQueue
from xylem.memory.seals import MemorySeals
from xylem.memory.sessions import MemorySessions
from xylem.memory.store import MemoryStore
from xylem.memory.task_secrets import MemoryTaskSecrets
from xylem.memory.time import FakeClock, FakeIds
from xylem.memory.tokens import MemoryTaskTokens
from xylem.ports.jobs import Job, MergeLog
from xylem.protocol import agent
from xylem.protocol.queues import Greeted, NodesOf, Retired, news_message
from xylem.usecases import (
    backend_tests,
    backends,
    cancel,
    jobs,
    log_merging,
    news,
    notifying,
    operators,
    partition,
    submit,
    timers,
)
from xylem.usecases.queries import Described, describe
from xylem.usecases.session_tokens import HmacSessionTokens
from xylem.usecases.start import Rendering, start_groups
from xylem.usecases.submit import Request

if TYPE_CHECKING:
    from xylem.ports.catalog import DatasetConfigs
    from xylem.ports.workflows import Workflows

BACKEND = BackendName("cluster-1")
CONNECTION = ConnectionId("connection-1")
BOOT = "boot-1"
USER = UserName("alice")


@dataclass
class Cluster:
    """What the operator of the backend was told, and what it has said so far."""

    jobs: list[agent.Job] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    rejected: list[agent.Rejected] = field(default_factory=list)
    invites: list[agent.Invite] = field(default_factory=list)
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
            case agent.Invite() as invite:
                self.invites.append(invite)
            case agent.Welcome() | agent.Refusal():
                pass


class World:
    def __init__(self, backend: BackendName = BACKEND, *, data_keys: bool = True) -> None:
        self.backend = backend
        self.data_keys = data_keys
        self.clock = FakeClock(NOON)
        self.ids = FakeIds()
        self.rows = MemoryStore()
        self.workflows: Workflows = self.rows.workflows
        self.jobs = self.rows.jobs
        self.backends = MemoryBackends(self.rows)
        self.links = MemoryLinks()
        self.connections = MemoryConnections()
        self.store = MemoryBlobs()
        self.seals = MemorySeals()
        self.logs = MemoryLogs()
        self.doorbell = MemoryDoorbell()
        self.alarm = MemoryAlarm()
        self.timers = self.rows.timers
        self.news = MemoryNewsQueue()
        self.configs = self.pools = MemoryConfigs()
        self.tokens = MemoryTaskTokens()
        self.credentials = MemoryCredentials()
        self.identity = MemoryIdentity()
        self.apps = MemoryApps()
        self.answers = MemoryAnswers()
        self.outside = MemoryOutside()
        self.mailer = MemoryMailer()
        self.task_secrets = MemoryTaskSecrets()
        self.sessions = MemorySessions()
        self.session_tokens = HmacSessionTokens({"k1": bytes(range(32))}, "k1")
        self.catalog = MemoryCatalog()
        self.dataset_configs: DatasetConfigs = self.configs
        self.dataset_store = MemoryDatasetStore(self.clock)
        self.waited: list[float] = []
        self.wait: Callable[[float], None] = self.waited.append
        self.chance: Callable[[], float] = lambda: 0.5
        self.cluster = Cluster()
        self.connection = CONNECTION
        self.rung: list[tuple[datetime, WorkflowId, GroupId]] = []
        platforms = {"default": Platform()}
        pool = Pool(PoolName("default"), backend, default_platform="default", platforms=platforms)
        self.pools.put(pool, author=USER, now=NOON)
        self.dial(CONNECTION)

    # People ------------------------------------------------------------------------------------

    def submit(self, spec: str, **options: Any) -> WorkflowId:
        return self.submit_request(submit.Request(text=spec, user=USER, **options))

    def submit_request(self, request: Request, *, pool: str = "default") -> WorkflowId:
        checked = submit.check(
            request,
            pool,
            pools=self.pools,
            configs=self.configs,
            workflows=self.workflows,
            credentials=self.credentials,
            dataset_configs=self.dataset_configs,
        )
        return submit.submit(request, checked, engine=self)

    def make(self, plan: WorkflowPlan, **options: Any) -> WorkflowId:
        """Submit what no text is needed for."""
        request = submit.Request(text="", user=USER, **options)
        pool = self.pools.pool("default")
        return submit.submit(request, submit.Checked(plan, "", None, pool), engine=self)

    def configure(self, **changes: Any) -> None:
        """Fields of the config of workflows."""
        self.configs.change_workflow(
            lambda config: replace(config, **changes), author=USER, now=self.clock()
        )

    def cancel(self, workflow: WorkflowId, **options: Any) -> None:
        cancel.cancel(workflow, by=USER, engine=self, **options)
        self.listen()

    def look(self, workflow: WorkflowId) -> Described:
        return describe(workflow, workflows=self.workflows)

    def group(self, workflow: WorkflowId, name: str) -> Group:
        return next(group for group in self.look(workflow).groups if group.name == name)

    def task(self, workflow: WorkflowId, name: str) -> Task:
        found = [task for group in self.look(workflow).groups if (task := group.task(name))]  # type: ignore[arg-type]
        return found[0]

    # The service -------------------------------------------------------------------------------

    def perform(self, job: JobId, *, received: int = 1) -> jobs.Outcome:
        return jobs.perform(job, engine=self, jobs=self.jobs, run=self.run, received=received)

    def run_of(self, job: JobId) -> Callable[["World"], None]:
        """What a process does that was rung for this job, and read its row, some time ago."""
        found = self.jobs.load(job)
        assert found is not None
        return lambda process: process.run(found)

    def run(self, found: Job) -> None:
        """What the Worker does with a job once its doorbell was answered."""
        rendering = Rendering("https://api.test", "xylem/task-runtime", "IfNotPresent")

        jobs.dispatch(
            found,
            start=lambda job, work: start_groups(
                job,
                work,
                engine=self,
                jobs=self.jobs,
                tokens=self.tokens,
                credentials=self.credentials,
                task_secrets=self.task_secrets,
                rendering=rendering,
            ),
            merge=self.merge,
            notify=lambda job, work: notifying.perform(job, work, engine=self),
            engine=self,
            workflows=self.workflows,
        )

    def merge(self, job: Job, work: MergeLog) -> None:
        log_merging.keep(
            job,
            work,
            jobs=self.jobs,
            workflows=self.workflows,
            logs=self.logs,
            store=self.store,
            ids=self.ids,
            clock=self.clock,
        )

    def apply(self, bodies: Iterable[str]) -> None:
        """As the Agent does with one batch."""
        by_workflow: dict[WorkflowId, list[news.OfWorkflow]] = {}
        for body in bodies:
            match news_message.validate_json(body):
                case Greeted() as greeted:
                    backends.deliver_mailbox(greeted, engine=self)
                case Retired() as retired:
                    backends.retire(retired, links=self.links, backends=self.backends)
                case NodesOf() as nodes:
                    backends.note_nodes(nodes, backends=self.backends)
                    backend_tests.tell_changed(nodes, pools=self.pools, links=self.links)
                case message:
                    by_workflow.setdefault(message.workflow, []).append(message)
        for workflow, messages in by_workflow.items():
            news.apply(workflow, messages, engine=self)
        self.listen()

    def sweep(self) -> tuple[int, int]:
        swept = jobs.sweep(engine=self, jobs=self.jobs)
        self.listen()
        return swept

    def sweep_timers(self) -> int:
        swept = timers.sweep_timers(engine=self, timers=self.timers)
        self.listen()
        return swept

    def ring(self) -> int:
        """Deliver the timers' rings whose time has come: how many."""
        self.listen()
        due = [rung for rung in self.rung if rung[0] <= self.clock()]
        self.rung = [rung for rung in self.rung if rung[0] > self.clock()]
        for _, workflow, group in due:
            timers.look(workflow, group, engine=self)
        self.listen()
        return len(due)

    def settle(self) -> None:
        """Deliver everything that is on its way, and what that sets going."""
        while True:
            rung, bodies = self.doorbell.take(), self.news.take()
            if not rung and not bodies:
                break
            for job in rung:
                self.perform(job)
            self.apply(bodies)
        self.listen()

    def later(self, wait: timedelta) -> None:
        self.clock.advance(wait)

    # The cluster -------------------------------------------------------------------------------

    def dial(self, connection: ConnectionId, *, boot: str = BOOT, version: str = "1") -> None:
        """The operator says hello over this connection, and from then on everything."""
        self.connection = connection
        self.say(
            agent.Hello(
                backend=self.backend,
                cluster_uid="uid",
                boot_id=boot,
                version=version,
                data_keys=self.data_keys,
            )
        )
        self.settle()

    def say(self, message: agent.FromOperator) -> None:
        """The operator says something; it reaches the news queue and no further."""
        operators.take(
            message.model_dump_json(),
            backend=self.backend,
            connection=self.connection,
            backends=self.backends,
            links=self.links,
            news=self.news,
            clock=self.clock,
        )
        self.listen()

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

    def made_and_seen(self, workflow: WorkflowId, task: str, status: str, **more: Any) -> int:
        """Every create that was pushed is answered in one frame with news of a task's pod; the
        number that this was said with."""
        mine = [job for job in self.cluster.jobs if job.kind == "create"]
        self.cluster.jobs = [job for job in self.cluster.jobs if job not in mine]
        self.cluster.seq += 1
        pod = self.seen(workflow, task, status, **more)
        self.say(
            agent.Bundle(
                boot_id=BOOT,
                events=[agent.Event(seq=self.cluster.seq, pod=pod)],
                results=[
                    agent.JobResult(workflow=job.workflow, job_id=job.job_id, status="done")
                    for job in mine
                ],
            )
        )
        return self.cluster.seq

    def bodies(self, message: agent.OperatorMessage) -> list[str]:
        """What ingest would make of a frame, were frames of any size."""
        return list(partition.split(message, backend=self.backend, connection=self.connection))

    def observed(self, workflow: WorkflowId, *pods: agent.PodObservation) -> None:
        """The question that was pushed last is answered with these pods."""
        asked = [job for job in self.cluster.jobs if job.kind == "observe"][-1]
        self.cluster.jobs.remove(asked)
        self.say(
            agent.JobResult(
                workflow=workflow, job_id=asked.job_id, status="done", observations=list(pods)
            )
        )

    def pod(
        self, workflow: WorkflowId, task: str, status: str, code: int | None = None, **more: Any
    ) -> int:
        """News of a task's pod; the number that it was said with."""
        self.cluster.seq += 1
        seen = self.seen(workflow, task, status, code, **more)
        self.say(agent.News(boot_id=BOOT, events=[agent.Event(seq=self.cluster.seq, pod=seen)]))
        return self.cluster.seq

    def seen(
        self, workflow: WorkflowId, task: str, status: str, code: int | None = None, **more: Any
    ) -> agent.PodObservation:
        group = next(g for g in self.look(workflow).groups if g.task(task))  # type: ignore[arg-type]
        known = group.task(task)  # type: ignore[arg-type]
        assert known is not None
        pod = {
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
        return agent.PodObservation.model_validate(pod)

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

    def listen(self) -> None:
        """Take what was pushed, and the rings of timers that were set."""
        now = self.clock()
        self.rung += [
            (now + delay, workflow, group) for workflow, group, delay in self.alarm.take()
        ]
        for connection, text in self.links.take():
            if connection.startswith("connection-"):
                self.cluster.hears(text)


__all__ = ["BACKEND", "BOOT", "CONNECTION", "USER", "Cluster", "Conflict", "World"]
