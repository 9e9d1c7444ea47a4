"""A small scope, exhausted: every state that two groups of two tasks can come to, whatever happens
first: `make prove-scope`.

The real use cases and machines on memory ports; between them a scheduler that has no time, only
what may happen next: a job is performed, the cluster does what a mailbox row asks for, a pod ends,
news arrives, somebody cancels. At most two attempts fail, one message is delivered twice (a
doorbell of a Worker that stalled with what it had read, too), one answer is lost, and one Lambda
dies between two of its commits. Loss of news is not among them: the operator says it again, so
losing it is delaying it, and everything may be late here.

A state is what is stored, what is on its way and what the cluster holds, without what only tells
one path from another (ids of jobs, versions). Each is looked at: nothing that ended changes, no
attempt is made twice nor after its cleanup was answered, no group begins before its upstream. Where
nothing can happen any more everything has ended, and from every state such a one can be reached.
"""

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

from tests.simulation.schedule import Violation
from tests.simulation.store import Crash
from tests.stories.world import BACKEND, BOOT, CONNECTION, USER, World
from xylem.domain.errors import InvalidRequest
from xylem.domain.exits import ExitRule
from xylem.domain.group import Cleanup, Group
from xylem.domain.ids import GroupId, MailId, TaskName, mail_parts
from xylem.domain.plan import GroupPlan, Limits, Retries, TaskPlan, WorkflowPlan
from xylem.domain.status import TaskStatus
from xylem.memory.store import MemoryStore, MemoryWorkflows
from xylem.ports.backends import Mail
from xylem.ports.jobs import Job, StartGroups
from xylem.ports.workflows import Commit
from xylem.protocol.agent import Event, JobResult, PodObservation
from xylem.protocol.queues import EventsOf, ResultOf
from xylem.usecases import cancel, news
from xylem.usecases.audit import Audited

SAY_EVERY = 50_000

Attempt = tuple[GroupId, str, int]
Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Message:
    """`of`: what tells it from others; `answers`: the mailbox row that it answers."""

    said: EventsOf | ResultOf
    of: str
    answers: MailId | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """How often what may still happen."""

    failures: int = 2
    twice: int = 1
    lost: int = 1
    crashes: int = 1
    cancels: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """`pods`: what the cluster made, and whether it ended. `closed`: groups that were cleaned up.
    `stalled`: jobs as a Worker read them that did not go on yet."""

    rows: tuple[Any, ...]
    messages: tuple[Message, ...]
    pods: tuple[tuple[Attempt, bool], ...]
    done: frozenset[MailId]
    closed: frozenset[GroupId]
    stalled: tuple[Job, ...]
    scope: Scope


class _Workflows(MemoryWorkflows):
    """Dies after a commit, when it is told to."""

    dies = False

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        if self.dies:
            self.dies = False
            raise Crash("between two commits")


class _Store(MemoryStore):
    """`keep_audit` keeps nothing: it grows with the way, not with the state."""

    def keep_audit(self, change: Audited) -> None:
        pass

    def taken(self) -> tuple[Any, ...]:
        return (
            dict(self.stored_workflows),
            {id: dict(groups) for id, groups in self.stored_groups.items()},
            {id: list(earlier) for id, earlier in self.earlier_attempts.items()},
            dict(self.stored_jobs),
            dict(self.mail),
            dict(self.stored_timers),
        )

    def put_back(self, rows: tuple[Any, ...]) -> None:
        workflows, groups, earlier, jobs, mail, timers = rows
        self.stored_workflows = dict(workflows)
        self.stored_groups = {id: dict(known) for id, known in groups.items()}
        self.earlier_attempts = {id: list(known) for id, known in earlier.items()}
        self.stored_jobs = dict(jobs)
        self.mail = dict(mail)
        self.stored_timers = dict(timers)


AGAIN = (ExitRule("reschedule", ((1, 1),)),)


def _plan(tasks: int) -> WorkflowPlan:
    def group(number: int) -> GroupPlan:
        names = [TaskName(f"t{number}-{place}") for place in range(tasks)]
        made = tuple(
            TaskPlan(name, "alpine", ("work",), lead=name == names[0], exit_rules=AGAIN)
            for name in names
        )
        return GroupPlan(f"g{number}", made, ("g0",) if number else ())

    limits = Limits(retries=Retries(disrupted=1, asked=2))
    return WorkflowPlan("flow", (group(0), group(1)), limits=limits)


class Exploration:
    """`states` are the distinct ones that were found, `steps` what led from one to another."""

    def __init__(self, scope: Scope, *, tasks: int = 2) -> None:
        self.states = 0
        self.steps = 0
        self.ended = 0
        self._world = World()
        self._rows = _Store()
        self._workflows = _Workflows(self._rows)
        world = self._world
        world.rows, world.workflows, world.jobs = self._rows, self._workflows, self._rows.jobs
        self._id = world.make(_plan(tasks))
        self._first = State(self._rows.taken(), (), (), frozenset(), frozenset(), (), scope)

    def run(self) -> "Exploration":
        numbers = {self._key(self._first): 0}
        ways = Ways()
        ends: list[int] = []
        open_states = [(0, self._first)]
        while open_states:
            number, state = open_states.pop()
            if number and number % SAY_EVERY == 0:
                print(f"{len(numbers)} states, {len(open_states)} open", file=sys.stderr)
            any_left = False
            for after in self._next(state):
                any_left = True
                self.steps += 1
                self._hold(state, after)
                met = len(numbers)
                known = numbers.setdefault(self._key(after), met)
                if known == met:
                    open_states.append((known, after))
                ways.add(number, known)
            if not any_left:
                self._everything_ended(state)
                ends.append(number)
        self.states, self.ended = len(numbers), len(ends)
        if lost := self.states - ways.that_reach(ends, states=self.states):
            raise Violation("S6", f"{lost} states reach no end")
        return self

    # What may happen -----------------------------------------------------------------------------

    def _next(self, state: State) -> Iterator[State]:
        yield from self._jobs(state)
        yield from self._cluster(state)
        yield from self._news(state)
        scope = state.scope
        if scope.cancels and not self._workflow(state).status.final:
            less = replace(state, scope=replace(scope, cancels=scope.cancels - 1))
            yield from self._performed(less, self._cancel)

    def _jobs(self, state: State) -> Iterator[State]:
        for job in state.rows[3].values():
            yield from self._performed(state, partial(self._world.run, job))
            if state.scope.twice and isinstance(job.work, StartGroups):
                scope = replace(state.scope, twice=state.scope.twice - 1)
                yield replace(state, stalled=(*state.stalled, job), scope=scope)
        for job in state.stalled:
            awake = replace(state, stalled=tuple(one for one in state.stalled if one is not job))
            yield from self._performed(awake, partial(self._world.run, job))

    def _performed(self, state: State, act: Act) -> Iterator[State]:
        yield self._after(state, act)
        if state.scope.crashes:
            self._workflows.dies = True
            scope = replace(state.scope, crashes=state.scope.crashes - 1)
            yield self._after(replace(state, scope=scope), act)
            self._workflows.dies = False

    def _after(self, state: State, act: Act) -> State:
        self._rows.put_back(state.rows)
        try:
            act()
        except Crash:
            pass
        except InvalidRequest:
            return state
        self._world.doorbell.take()
        self._world.links.take()
        self._world.alarm.take()
        return replace(state, rows=self._rows.taken())

    def _cancel(self) -> None:
        cancel.cancel(self._id, by=USER, engine=self._world)

    def _cluster(self, state: State) -> Iterator[State]:
        told = {one.answers for one in state.messages}
        for mail in state.rows[4].values():
            if mail.id not in told:
                yield self._obeyed(state, mail)
        for attempt, ended in state.pods:
            if ended or attempt[0] in state.closed:
                continue
            yield self._exited(state, attempt, TaskStatus.COMPLETED, 0)
            if state.scope.failures:
                scope = replace(state.scope, failures=state.scope.failures - 1)
                less = replace(state, scope=scope)
                yield self._exited(less, attempt, TaskStatus.FAILED, 1)

    def _obeyed(self, state: State, mail: Mail) -> State:
        """What the Backend Worker makes of a mailbox row, told at once or by the next push."""
        group, _, ordinal = mail_parts(mail.id)
        status = "done"
        match mail.kind:
            case "create" if group in state.closed:
                status = "superseded"
            case "create" if mail.id not in state.done:
                stored = state.rows[1][self._id][group].value
                made = [
                    (group, task.name, task.retry)
                    for task in stored.tasks
                    if task.ordinal == ordinal
                ]
                twice = {attempt for attempt, _ in state.pods} & set(made)
                if twice:
                    raise Violation("S1", f"{twice} is made twice")
                pods = tuple(sorted((*state.pods, *((attempt, False) for attempt in made))))
                state = replace(state, pods=pods, done=state.done | {mail.id})
            case "cleanup":
                pods = tuple((one, ended or one[0] == group) for one, ended in state.pods)
                state = replace(state, closed=state.closed | {group}, pods=pods)
            case _:
                pass
        result = JobResult(workflow=self._id, job_id=mail.id, status=status)
        said = ResultOf(backend=BACKEND, connection=CONNECTION, workflow=self._id, result=result)
        message = Message(said, f"{mail.id} {status}", mail.id)
        return replace(state, messages=(*state.messages, message))

    def _exited(self, state: State, attempt: Attempt, status: TaskStatus, code: int) -> State:
        group, task, retry = attempt
        pod = PodObservation(
            workflow=self._id,
            group=group,
            incarnation=0,
            task=TaskName(task),
            retry=retry,
            uid=f"uid-{task}-{retry}",
            status=status,
            exit_code=code,
            bound=True,
        )
        said = EventsOf(
            backend=BACKEND,
            connection=CONNECTION,
            workflow=self._id,
            boot_id=BOOT,
            events=[Event(seq=1, pod=pod)],
        )
        pods = tuple((one, ended or one == attempt) for one, ended in state.pods)
        message = Message(said, f"{attempt} {code}")
        return replace(state, pods=pods, messages=(*state.messages, message))

    def _news(self, state: State) -> Iterator[State]:
        for place, message in enumerate(state.messages):
            others = (*state.messages[:place], *state.messages[place + 1 :])

            def hear(message: Message = message) -> None:
                news.apply(self._id, [message.said], engine=self._world)

            yield from self._performed(replace(state, messages=others), hear)
            if state.scope.twice:
                scope = replace(state.scope, twice=state.scope.twice - 1)
                yield self._after(replace(state, scope=scope), hear)
            if state.scope.lost and message.answers is not None:
                scope = replace(state.scope, lost=state.scope.lost - 1)
                yield replace(state, messages=others, scope=scope)

    # What must hold ------------------------------------------------------------------------------

    def _workflow(self, state: State) -> Any:
        return state.rows[0][self._id].value

    def _groups(self, state: State) -> list[Group]:
        return [stored.value for stored in state.rows[1][self._id].values()]

    def _hold(self, state: State, after: State) -> None:
        first, second = self._groups(after)
        if second.placed and first.status is not TaskStatus.COMPLETED:
            raise Violation("a group begins after its upstream", f"{first.status}")
        for was, now in zip(self._groups(state), (first, second), strict=True):
            if was.status.final and was.status is not now.status:
                raise Violation("S3", f"{was.name} was {was.status} and is {now.status}")
            for old, new in zip(was.tasks, now.tasks, strict=True):
                same = old.retry == new.retry
                if same and old.status.final and old.status is not new.status:
                    raise Violation("S3", f"{old.name} was {old.status} and is {new.status}")
                if new.retry not in (old.retry, old.retry + 1):
                    raise Violation("one next attempt", f"{old.name}: {old.retry}, {new.retry}")
                if new.disruptions > 1 or new.asked_again > 2:
                    raise Violation("each cause has its budget", f"{new}")
        was_all, now_all = self._workflow(state).status, self._workflow(after).status
        if was_all.final and was_all is not now_all:
            raise Violation("S3", f"the workflow was {was_all} and is {now_all}")
        kept = sorted((one.task.name, one.task.retry) for one in self._earlier(after))
        tasks = (*first.tasks, *second.tasks)
        wanted = sorted((task.name, retry) for task in tasks for retry in range(task.retry))
        if kept != wanted:
            raise Violation("every attempt keeps its row", f"{kept}, {wanted}")

    def _earlier(self, state: State) -> list[Any]:
        return list(state.rows[2].get(self._id, []))

    def _everything_ended(self, state: State) -> None:
        over = self._workflow(state).status.final and not state.rows[3] and not state.rows[4]
        clean = all(
            group.status.final and group.cleanup is Cleanup.DONE and group.settling is None
            for group in self._groups(state)
        )
        if not (over and clean):
            raise Violation("S6", f"nothing can happen, and not all has ended: {state}")

    # One state, whatever the way to it -----------------------------------------------------------

    def _key(self, state: State) -> int:
        groups = tuple(_of_group(group) for group in self._groups(state))
        workflow = self._workflow(state)
        return hash(
            (
                groups,
                (workflow.status, workflow.cancel is None, workflow.sweeping is None),
                tuple(sorted(_of_job(job) for job in state.rows[3].values())),
                tuple(sorted(mail.id for mail in state.rows[4].values())),
                tuple(sorted(one.of for one in state.messages)),
                state.pods,
                tuple(sorted(mail.id in state.done for mail in state.rows[4].values())),
                state.closed,
                tuple(sorted(_of_job(job) for job in state.stalled)),
                state.scope,
            )
        )


class Ways:
    """Every step, from one state to another: eight bytes each, for there are a hundred million."""

    def __init__(self) -> None:
        self._first = array("I")
        self._then = array("I")

    def add(self, first: int, then: int) -> None:
        self._first.append(first)
        self._then.append(then)

    def that_reach(self, ends: Sequence[int], *, states: int) -> int:
        """From how many of the states one of these can be reached."""
        place = array("I", bytes(4 * (states + 1)))
        for then in self._then:
            place[then] += 1
        for state, so_far in enumerate(accumulate(place)):
            place[state] = so_far
        before = array("I", bytes(4 * len(self._then)))
        for first, then in zip(self._first, self._then, strict=True):
            place[then] -= 1
            before[place[then]] = first
        reaches = bytearray(states)
        left = list(ends)
        for end in ends:
            reaches[end] = 1
        while left:
            state = left.pop()
            for first in before[place[state] : place[state + 1]]:
                if not reaches[first]:
                    reaches[first] = 1
                    left.append(first)
        return reaches.count(1)


def _of_group(group: Group) -> tuple[Any, ...]:
    settling = group.settling
    return (
        group.status,
        group.waits_for,
        group.ordinal,
        group.created,
        group.placed,
        group.cleanup,
        group.restarts,
        tuple((row.ordinal, row.kind, row.created) for row in group.pending),
        settling and (settling.ending, settling.tell, settling.cursor),
        tuple(
            (task.status, task.retry, task.ordinal, task.exit_code, task.disruptions)
            for task in group.tasks
        ),
    )


def _of_job(job: Job) -> str:
    match job.work:
        case StartGroups(groups=groups):
            return f"start {groups} {job.attempts}"
        case _:
            return f"{job.work} {job.attempts}"
