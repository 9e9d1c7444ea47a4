"""The service: its Lambdas, the queues between them, the sweeps, and the people who use it.

Queues are as SQS has them: at least once, in any order, late; a message whose consumer died or
failed comes again when its visibility ends, three times at the most.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit

from tests.simulation.faults import Faults
from tests.simulation.operator import BACKEND
from tests.simulation.schedule import Schedule, Violation
from tests.simulation.sockets import Sockets
from tests.simulation.store import (
    Crash,
    Gate,
    SimulatedAlarm,
    SimulatedBlobs,
    SimulatedDoorbell,
    SimulatedNews,
)
from tests.simulation.variant import Variant
from xylem.domain.errors import (
    Conflict,
    Gone,
    InvalidRequest,
    InvalidSpec,
    Unavailable,
    UnknownJob,
    UnknownWorkflow,
)
from xylem.domain.ids import ConnectionId, GroupId, JobId, UserName, WorkflowId
from xylem.domain.plan import DatasetInput
from xylem.domain.values import replace
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.credentials import MemoryCredentials
from xylem.memory.seals import MemorySeals
from xylem.memory.task_secrets import MemoryTaskSecrets
from xylem.memory.time import FakeIds
from xylem.memory.tokens import MemoryTaskTokens
from xylem.ports.jobs import Deliver, Job, Notify
from xylem.ports.task_tokens import Attempt
from xylem.protocol.queues import Greeted, NodesOf, Retired, StockOf, news_message
from xylem.protocol.runtime import (
    AtBarrier,
    Barrier,
    InputPage,
    InputQuery,
    OutputFile,
    OutputQuery,
)
from xylem.usecases import (
    again,
    backends,
    cancel,
    jobs,
    log_merging,
    news,
    operators,
    runtime,
    submit,
    timers,
)
from xylem.usecases.start import Rendering, start_groups
from xylem.usecases.submit import Checked, Request

T = TypeVar("T")

VISIBLE_AGAIN = 60.0
MOST_RECEIVES = 3
BATCH = 10
RENDERING = Rendering("https://api.test", "xylem/task-runtime", "IfNotPresent")

EXPECTED = (Conflict, Unavailable)
"""What a handler may fail with because of faults. Anything else is a mistake of ours."""

USER = UserName("alice")


@dataclass(slots=True)
class _Message(Generic[T]):
    body: T
    received: int = 0


class Queue(Generic[T]):
    """`consume` gets a batch of messages with how often each was received, and returns those that
    failed; None when its process died with all of them."""

    def __init__(
        self,
        schedule: Schedule,
        faults: Faults,
        consume: Callable[[list[tuple[T, int]]], list[T] | None],
        *,
        lossy: bool,
    ) -> None:
        self.dead: list[T] = []
        self._schedule = schedule
        self._faults = faults
        self._consume = consume
        self._lossy = lossy
        self._visible: list[_Message[T]] = []

    def __len__(self) -> int:
        return len(self._visible)

    def send(self, body: T, delay: float) -> None:
        schedule, faults = self._schedule, self._faults
        if self._lossy and schedule.chance(faults.message_lost):
            schedule.fault("message lost", str(body)[:60])
            return
        message = _Message(body)
        self._come(message, delay)
        if schedule.chance(faults.message_twice):
            schedule.fault("message twice", str(body)[:60])
            self._come(_Message(body), delay)

    def _come(self, message: _Message[T], delay: float) -> None:
        late = self._schedule.chance(self._faults.message_late)
        travel = self._schedule.between(1, 120) if late else self._schedule.between(0.01, 0.2)
        self._schedule.after(delay + travel, "", partial(self._arrive, message))

    def _arrive(self, message: _Message[T]) -> None:
        """Poll at once, or leave it to the next one that comes: then both are one batch."""
        self._visible.append(message)
        waits = self._schedule.between(0, 0.5) if self._schedule.chance(0.3) else 0.0
        self._schedule.after(waits, "", self._poll)

    def _poll(self) -> None:
        if not self._visible:
            return
        if len(self._visible) > 1:
            self._schedule.random.shuffle(self._visible)
        batch, self._visible = self._visible[:BATCH], self._visible[BATCH:]
        for message in batch:
            message.received += 1
        failed = self._consume([(message.body, message.received) for message in batch])
        for message in batch:
            if failed is not None and message.body not in failed:
                continue
            if message.received >= MOST_RECEIVES:
                self.dead.append(message.body)
                self._schedule.fault("dead letter", str(message.body)[:60])
            else:
                self._schedule.after(VISIBLE_AGAIN, "", partial(self._arrive, message))


class Service:
    """What the use cases take as their engine, and the Lambdas around them."""

    def __init__(
        self, schedule: Schedule, faults: Faults, gate: Gate, sockets: Sockets, variant: Variant
    ) -> None:
        self.schedule = schedule
        self.rows = variant.store(schedule, faults, gate)
        self.workflows = self.rows.workflows
        self.jobs = self.rows.jobs
        self.timers = self.rows.timers
        self.backends = variant.backends(self.rows, gate)
        self.links = _Redirected(self, sockets, variant)
        self.store = SimulatedBlobs(gate)
        self.seals = MemorySeals()
        self.clock = gate.now
        self.ids = FakeIds()
        self.tokens = MemoryTaskTokens()
        self.credentials = MemoryCredentials()
        self.task_secrets = MemoryTaskSecrets()
        self.logs = variant.logs()
        self.chance = schedule.random.random
        self.job_queue = Queue(schedule, faults, self._perform, lossy=True)
        self.news_queue = Queue(schedule, faults, self._apply, lossy=False)
        self.timer_queue = Queue(schedule, faults, self._look, lossy=True)
        self.doorbell = SimulatedDoorbell(gate, self.job_queue.send, lambda: len(self.job_queue))
        self.alarm = SimulatedAlarm(gate, self.timer_queue.send)
        self.news = SimulatedNews(gate, self.news_queue.send)
        self.delivered: Counter[JobId] = Counter()
        self._cursed: dict[JobId, bool] = {}
        self._faults = faults
        self._gate = gate
        self._variant = variant
        self.data = MemoryBlobs()
        self.opened: Callable[[Attempt, int], None] = lambda attempt, restarts: None
        sockets.ingest = self.ingest

    def wait(self, seconds: float) -> None:
        """Between two attempts of a commit others go on, if they want to."""
        if self._faults.others_run:
            self.schedule.let_others_run(within=seconds, most=2)

    def fetched(self, url: str) -> bytes | None:
        """What is behind a presigned URL."""
        key = unquote(url.removeprefix("memory://get/").partition("?")[0])
        return self.store.plain.get(key)

    # Lambdas -------------------------------------------------------------------------------------

    def ingest(self, connection: ConnectionId, text: str) -> None:
        self._variant.heard(text, partial(self.links.push, connection))

        def take() -> None:
            operators.take(
                text,
                backend=BACKEND,
                connection=connection,
                backends=self.backends,
                links=self.links,
                news=self.news,
                clock=self.clock,
            )

        self._alone("ingest", take)

    def _alone(self, what: str, act: Callable[[], object]) -> bool:
        """An invocation of which nobody hears when it fails."""
        try:
            return self._gate.invoke(what, act)
        except EXPECTED as error:
            self.schedule.say(f"{what} failed: {error!r}")
            return False
        except (Gone, UnknownJob, InvalidRequest) as error:
            self.schedule.say(f"{what} refused: {error}")
            return True
        except Exception as error:
            raise Violation("no handler fails", f"{what} raised {error!r}") from error

    def _perform(self, batch: list[tuple[JobId, int]]) -> list[JobId] | None:
        """`functions.worker`: one after the other; a crash takes all of them along."""
        failed: list[JobId] = []

        def handle() -> None:
            for job, received in batch:
                self.delivered[job] += 1
                done = False
                try:
                    outcome = jobs.perform(
                        job, engine=self, jobs=self.jobs, run=self._run, received=received
                    )
                    done = outcome.kind in ("done", "nothing")
                except EXPECTED:
                    failed.append(job)
                    continue
                finally:
                    self.rows.costs.performed(received, done=done)
                if outcome.error is not None and not isinstance(outcome.error, EXPECTED):
                    raise Violation("no handler fails", f"job {job}: {outcome.error!r}")

        return failed if self._gate.invoke("worker", handle) else None

    def _run(self, job: Job) -> None:
        self._variant.begins(job, self.rows)
        if self._faults.job_fails and self._is_cursed(job.id):
            self.schedule.fault("job failed", job.id)
            if self.schedule.chance(0.3):
                raise Crash(f"in job {job.id}")
            raise Unavailable("what this job needs")
        start = partial(
            start_groups,
            engine=self,
            jobs=self.jobs,
            tokens=self.tokens,
            credentials=self.credentials,
            task_secrets=self.task_secrets,
            rendering=RENDERING,
        )
        merge = partial(
            log_merging.keep,
            jobs=self.jobs,
            workflows=self.workflows,
            logs=self.logs,
            store=self.store,
            ids=self.ids,
            clock=self.clock,
        )
        jobs.dispatch(
            job,
            start=start,
            merge=merge,
            notify=_nobody_wants_to_hear,
            engine=self,
            workflows=self.workflows,
        )

    def _is_cursed(self, job: JobId) -> bool:
        if job not in self._cursed:
            self._cursed[job] = self.schedule.chance(self._faults.job_fails)
        return self._cursed[job]

    def _apply(self, batch: list[tuple[str, int]]) -> list[str] | None:
        """`functions.agent.handler`: each workflow's messages succeed or fail together."""
        failed: list[str] = []
        if not self._gate.invoke("agent", lambda: self._handle_news(batch, failed)):
            return None
        return failed

    def _handle_news(self, batch: list[tuple[str, int]], failed: list[str]) -> None:
        by_workflow: dict[WorkflowId, list[tuple[str, news.OfWorkflow]]] = defaultdict(list)
        for body, _ in batch:
            message = news_message.validate_json(body)
            try:
                match message:
                    case Greeted():
                        backends.deliver_mailbox(message, engine=self)
                    case Retired():
                        backends.retire(message, links=self.links, backends=self.backends)
                    case NodesOf():
                        backends.note_nodes(message, backends=self.backends)
                    case _:
                        by_workflow[message.workflow].append((body, message))
            except EXPECTED:
                failed.append(body)
        for workflow, received in by_workflow.items():
            messages = [message for _, message in received]
            try:
                parts = [part for message in messages for part in news.parts(message)]
                told = [self._variant.news(part, self.rows) for part in parts]
                for part in told:
                    if isinstance(part, StockOf):
                        self._note(part)
                news.apply(workflow, told, engine=self)
            except Conflict:
                again = [
                    m.model_copy(update={"tries": m.tries + 1}).model_dump_json() for m in messages
                ]
                delay = news.again_after(max(m.tries for m in messages), self.chance())
                self.news.send(again, delay=delay)
            except Unavailable:
                failed += [body for body, _ in received]
            except Exception as error:
                raise Violation("no handler fails", f"news of {workflow}: {error!r}") from error

    def _note(self, stock: StockOf) -> None:
        """What an inventory makes the service ask for is bounded by what it shows."""
        groups = self.rows.stored_groups.get(stock.workflow, {})
        for anchor in stock.anchors:
            if anchor.group not in groups:
                continue
            group = groups[anchor.group].value
            pods = {
                (pod.task, pod.retry)
                for pod in stock.pods
                if (pod.group, pod.incarnation) == (group.id, group.incarnation)
            }
            self.rows.costs.shown(anchor, pods, group)

    def _look(
        self, batch: list[tuple[tuple[WorkflowId, GroupId], int]]
    ) -> list[tuple[WorkflowId, GroupId]] | None:
        failed: list[tuple[WorkflowId, GroupId]] = []

        def handle() -> None:
            for (workflow, group), _ in batch:
                try:
                    timers.look(workflow, group, engine=self)
                except EXPECTED:
                    failed.append((workflow, group))
                except Exception as error:
                    raise Violation("no handler fails", f"a timer: {error!r}") from error

        return failed if self._gate.invoke("timer", handle) else None

    def sweep(self) -> None:
        def handle() -> None:
            jobs.sweep(engine=self, jobs=self.jobs)
            timers.sweep_timers(engine=self, timers=self.timers)

        self._alone("sweep", handle)

    def disconnected(self, connection: ConnectionId) -> None:
        self._alone("disconnect", partial(self.backends.disconnected, BACKEND, connection))

    # What pods ask for ---------------------------------------------------------------------------

    def meet(self, token: str, here: AtBarrier) -> Barrier | None:
        """Of the twenty seconds of a hold one moment. None: nobody answers. Raises `Forbidden`."""

        def arrive(attempt: Attempt) -> Barrier:
            try:
                barrier = runtime.arrive(
                    attempt,
                    self._variant.meets(here),
                    workflows=self.workflows,
                    logs=self.logs,
                    wait=_hold,
                )
            except _Held:
                return Barrier(open=False, restarts=here.restarts or 0)
            if barrier.open:
                self.opened(attempt, barrier.restarts)
            return barrier

        return self._answer(token, arrive)

    def restarts(self, token: str) -> int | None:
        """As `meet`."""

        def look(attempt: Attempt) -> int:
            return runtime.group_state(attempt, workflows=self.workflows).restarts

        return self._answer(token, look)

    def inputs(self, token: str, index: int) -> list[str]:
        """The URLs of an input's files."""
        attempt = self.tokens.verify(token, self.clock(), expired_ok=True)
        query = InputQuery(index=index)
        workflows = self.rows.plain
        store, data = self.store.plain, self.data
        page = runtime.inputs(
            attempt,
            query,
            workflows=workflows,
            store=store,
            data=data,
            of_dataset=_no_dataset,
        )
        return [self._variant.reads(file.url) for file in page.files]

    def upload(self, token: str) -> None:
        """A command's only output."""
        attempt = self.tokens.verify(token, self.clock(), expired_ok=True)
        query = OutputQuery(files=[OutputFile(path="out", size=1)])
        [file] = runtime.outputs(attempt, query, data=self.data).files
        self.data.put(unquote(urlsplit(file.url).path.lstrip("/")), b"1")

    def _answer(self, token: str, answer: Callable[[Attempt], T]) -> T | None:
        """Of a route of the Logger; a token that has expired is renewed on the way."""
        answers: list[T] = []

        def handle() -> None:
            attempt = self.tokens.verify(token, self.clock(), expired_ok=True)
            answers.append(answer(attempt))

        try:
            whole = self._gate.invoke("logger", handle)
        except EXPECTED:
            return None
        return answers[0] if whole else None

    # People --------------------------------------------------------------------------------------

    def submit(self, request: submit.Request, checked: submit.Checked) -> WorkflowId | None:
        """None: the caller heard of no id."""
        made: list[WorkflowId] = []
        self._alone("submit", lambda: made.append(submit.submit(request, checked, engine=self)))
        return made[0] if made else None

    def again(
        self,
        earlier: WorkflowId,
        key: str | None,
        check: Callable[[Request], Checked],
        *,
        restart: bool,
    ) -> WorkflowId | InvalidRequest | InvalidSpec | None:
        """The routes that begin an earlier workflow again. None: the caller heard of no id."""
        answers: list[WorkflowId | InvalidRequest | InvalidSpec] = []

        def begin() -> None:
            begun = again.restart if restart else again.resubmission
            try:
                request = begun(earlier, by=USER, workflows=self.workflows, store=self.store)
                request = self._variant.again(replace(request, idempotency=key), self)
                answers.append(submit.submit(request, check(request), engine=self))
            except (InvalidRequest, InvalidSpec) as refusal:
                answers.append(refusal)

        self._alone("again", begin)
        return answers[0] if answers else None

    def cancel(self, workflow: WorkflowId, *, force: bool) -> None:
        def do() -> None:
            try:
                cancel.cancel(workflow, by=USER, force=force, engine=self)
            except UnknownWorkflow as error:
                raise Conflict(str(error)) from error

        self.schedule.say(f"cancel {workflow}{' by force' if force else ''}")
        self._alone("cancel", do)

    def tend_parked_jobs(self) -> None:
        """An admin looks at what is parked."""
        for job in self.rows.jobs.parked(limit=100):
            self.rows.costs.counts["admin"] += 1
            if self.schedule.chance(0.2):
                drop = partial(jobs.drop, job.id, by="bob", engine=self, jobs=self.jobs)
                self._alone("drop", drop)
            else:
                self._alone("retry", partial(jobs.retry, job.id, engine=self, jobs=self.jobs))


def _nobody_wants_to_hear(job: Job, work: Notify | Deliver) -> None:
    raise AssertionError(f"{job.id} tells {work.workflow}, of which nobody wants to hear")


class _Held(Exception):
    """The Logger would look again in half a second."""


def _hold(seconds: float) -> None:
    raise _Held


class _Redirected:
    """The sockets, with what a variant makes of where something is pushed to."""

    def __init__(self, service: Service, sockets: Sockets, variant: Variant) -> None:
        self._service = service
        self._sockets = sockets
        self._variant = variant
        self.look: Callable[[ConnectionId, str], None] = lambda connection, text: None

    def push(self, connection: ConnectionId, text: str) -> None:
        current = self._service.backends.connection(BACKEND)
        self.look(connection, text)
        self._sockets.push(self._variant.connection(connection, current), text)

    def close(self, connection: ConnectionId) -> None:
        self._sockets.close(connection)


def _no_dataset(wanted: DatasetInput) -> InputPage:
    raise AssertionError(f"no spec of the simulation reads {wanted.dataset}")
