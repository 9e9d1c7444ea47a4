"""One commit in the making: rows as they were read, and what became of them.

A use case tells a draft what happened to which group. The draft loads what that touches, lets
`decide` decide, follows the effects to the groups downstream and to the workflow, and at the end
amounts to one `Commit`: all rows that changed, each under the version that was read, with the jobs
and the mail that the decisions asked for. It reads and writes only what the decisions touch; a
workflow of which one group of a hundred moves costs that group's rows.

Where all that follows from one piece of news does not fit one transaction, the draft is told to
`defer`: it still writes what happened, and of the groups that ended by it an intent each
(`domain.group.Settling`) with the job that finishes it. A group with an open intent is not decided
about (`Unsettled`): whoever meets one finishes it first (`usecases.intents`). The steps of an
intent are no decisions: they write to other groups whether or not these have intents open.

Rejected: a repository that loads the whole workflow and saves it (a gang of 500 would rewrite 500
rows for each pod), and saving each group on its own (a crash between two would leave half a
change).
"""

import gzip
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from xylem.domain import workflow as workflows
from xylem.domain.effects import (
    CleanUp,
    Effect,
    GroupEnded,
    Observe,
    Refused,
    Replaced,
    StartGroup,
)
from xylem.domain.group import (
    Ending,
    Group,
    GroupEvent,
    ObserveAnswered,
    Settling,
    UpstreamCompleted,
    UpstreamFailed,
    to_start,
    within,
)
from xylem.domain.ids import (
    BackendName,
    GroupId,
    JobId,
    MailId,
    TaskName,
    WorkflowId,
    mail_id,
    shard_of,
)
from xylem.domain.status import TaskStatus
from xylem.domain.task import PodSeen, Task
from xylem.domain.transitions import decide
from xylem.domain.values import replace
from xylem.domain.workflow import Counts, Workflow
from xylem.ports.backends import Mail
from xylem.ports.jobs import Job, Notify, SettleGroup, StartGroups, Work
from xylem.ports.stored import Change, Stored
from xylem.ports.workflows import Commit, Workflows
from xylem.ports.world import Ids

RING_AGAIN_AFTER = timedelta(seconds=15)
"""The process that commits a job rings for it at once; this long after, the Monitor does."""

GROUPS_PER_JOB = 30
"""Two rows each, in a transaction of 100 with the job's own row, the check for a cancel and the
audit row. More would fit; but a job that fails, fails for all of its groups."""

QUIET_ENDS = 20
"""A group may end with so many tasks that had no news of their own without an intent for them."""


class Unsettled(Exception):
    """The intent of this group has to be finished before anything else is decided about it."""

    def __init__(self, group: GroupId) -> None:
        super().__init__(group)
        self.group = group


@dataclass(slots=True)
class _Ended:
    """A group that ended in this draft. `spoke`: tasks that ended by news of their own."""

    tell: bool = False
    spoke: set[TaskName] = field(default_factory=set)


class Draft:
    """`now` is the time of the decision, the same for all of the commit. `step`: of an intent."""

    def __init__(
        self,
        workflow: WorkflowId,
        *,
        store: Workflows,
        ids: Ids,
        now: datetime,
        cause: str,
        defer: bool = False,
        step: bool = False,
    ) -> None:
        self.now = now
        self.ids = ids
        self._id = workflow
        self._store = store
        self._cause = cause
        self._defer = defer
        self._step = step
        self._read: dict[GroupId, Stored[Group] | None] = {}
        self._groups: dict[GroupId, Group] = {}
        self._workflow_read: Stored[Workflow] | None = None
        self._workflow: Workflow | None = None
        self._counts_read: dict[int, Stored[Counts]] = {}
        self._counts: dict[int, Counts] = {}
        self._ended: dict[GroupId, _Ended] = {}
        self._ready: list[GroupId] = []
        self._replaced: dict[GroupId, list[Task]] = {}
        self._uncancelled = False
        self._jobs: list[Job] = []
        self._mail: list[Mail] = []
        self._mail_done: list[tuple[BackendName, MailId]] = []
        self._mail_dropped: list[tuple[BackendName, MailId]] = []
        self._jobs_done: list[JobId] = []
        self._jobs_dropped: list[JobId] = []

    def group(self, id: GroupId) -> Group | None:
        """As it is now in this draft; None where the workflow has no such group."""
        if id not in self._read:
            self.take(id, self._store.group(self._id, id))
        return self._groups.get(id)

    def take(self, id: GroupId, stored: Stored[Group] | None) -> None:
        """What was read of the group elsewhere, by a consistent read."""
        if id not in self._read:
            self._read[id] = stored
            if stored:
                self._groups[id] = stored.value

    def all_groups(self) -> list[GroupId]:
        """Of a workflow of one shard."""
        stored = self._store.groups(self._id)
        for one in stored:
            self.take(one.value.id, one)
        return [one.value.id for one in stored]

    def workflow(self) -> Workflow:
        """Raises `UnknownWorkflow`."""
        if self._workflow is None:
            self._workflow_read = self._store.workflow(self._id)
            self._workflow = self._workflow_read.value
        return self._workflow

    def decide(self, group: GroupId, event: GroupEvent) -> Refused | None:
        """Something happened to a group that exists. What follows elsewhere follows at once."""
        return self.decide_all([(group, event)])

    def decide_all(self, happened: Iterable[tuple[GroupId, GroupEvent]]) -> Refused | None:
        """All of it, and then what follows. Returns what was refused of it. Raises `Unsettled`."""
        refused: Refused | None = None
        first = deque(happened)
        own = len(first)
        while first:
            id, event = first.popleft()
            before = self.group(id)
            if before is None:
                raise KeyError(id)
            if before.settling and not self._step:
                raise Unsettled(id)
            after, effects = decide(before, event, self.now)
            self._groups[id] = after
            self._note_end(before, after, event)
            self._count(before, after)
            for effect in effects:
                first.extend(self._follow(after, effect))
                if isinstance(effect, Refused) and own > 0:
                    refused = effect
            own -= 1
        return refused

    def change_group(self, group: Group) -> None:
        """Of an intent's step: what is written of the group itself."""
        self._groups[group.id] = group

    def change_workflow(self, workflow: Workflow) -> None:
        self.workflow()
        self._workflow = workflow

    def require_uncancelled(self) -> None:
        """The commit holds only if the workflow's row holds no cancel."""
        self._uncancelled = True

    def add_job(self, job: Job) -> None:
        self._jobs.append(job)

    def start_later(self, groups: Sequence[Group]) -> None:
        """Jobs that start these groups."""
        self._ready.extend(group.id for group in groups)
        for group in groups:
            self._groups.setdefault(group.id, group)

    def add_mail(self, mail: Mail) -> None:
        self._mail.append(mail)

    def answered(self, backend: BackendName, mail: MailId) -> None:
        """The mailbox row goes with this commit, on condition that it is there."""
        self._mail_done.append((backend, mail))

    def done(self, job: JobId) -> None:
        """The job's row goes with this commit, on condition that it is there."""
        self._jobs_done.append(job)

    def dropped(self, job: JobId) -> None:
        """The job's row goes with this commit, whether or not it is there."""
        self._jobs_dropped.append(job)

    def commit(self) -> Commit | None:
        """None: nothing changed, and nothing is to be written."""
        if self._defer:
            self._open_intents()
        changed = tuple(
            Change(read.version, read.value, self._groups[id])
            for id, read in self._read.items()
            if read is not None and self._groups[id] != read.value
        )
        moved = self._workflow_read
        if moved is not None and moved.value == self._workflow:
            moved = None
        counts = {
            shard: Change(read.version, read.value, self._counts[shard])
            for shard, read in self._counts_read.items()
            if read.value != self._counts[shard]
        }
        starting = [
            self._groups[id] for id in dict.fromkeys(self._ready) if to_start(self._groups[id])
        ]
        jobs = (*self._jobs, *start_jobs(self._id, starting, ids=self.ids, now=self.now))
        if moved and _ends(moved.value, self.workflow()) and moved.value.heard_by:
            jobs = (*jobs, a_new_job(Notify(self._id), ids=self.ids, now=self.now))
        gone = self._jobs_done or self._jobs_dropped or self._mail_done
        if not (changed or moved or counts or jobs or self._mail or gone):
            return None
        return Commit(
            workflow=self._id,
            cause=self._cause,
            at=self.now,
            workflow_change=Change(moved.version, moved.value, self.workflow()) if moved else None,
            counts=counts,
            groups=changed,
            uncancelled=self._uncancelled,
            replaced={id: tuple(ended) for id, ended in self._replaced.items()},
            owner=self.workflow() if self._replaced else None,
            jobs=jobs,
            jobs_done=tuple(self._jobs_done),
            jobs_dropped=tuple(self._jobs_dropped),
            mail=tuple(self._mail),
            mail_done=tuple(self._mail_done),
            mail_dropped=tuple(self._mail_dropped),
        )

    # What follows --------------------------------------------------------------------------------

    def _note_end(self, before: Group, after: Group, event: GroupEvent) -> None:
        spoke = self._ended.setdefault(after.id, _Ended()).spoke
        match event:
            case PodSeen(task=task):
                spoke.add(task)
            case ObserveAnswered(tasks=part):
                spoke.update(task.name for task in after.tasks if within(task, part))
            case _:
                pass

    def _count(self, before: Group, after: Group) -> None:
        if after.status is before.status:
            return
        if after.status.final:
            at = after.ended_at
        elif after.status is TaskStatus.RUNNING:
            at = after.started_at
        else:
            return
        shard = shard_of(after.id)
        counts = workflows.counted(self._counts_of(after, shard), after.status)
        if after.shards == 1:
            self._workflow = workflows.moved(self.workflow(), shard, counts, at or self.now)
            return
        known = self._counts[shard]
        self._counts[shard] = counts
        if workflows.amount(known) != workflows.amount(counts):
            self._workflow = workflows.moved(self.workflow(), shard, counts, at or self.now)

    def _counts_of(self, group: Group, shard: int) -> Counts:
        if group.shards == 1:
            return self.workflow().counts
        if shard not in self._counts:
            self._counts_read[shard] = self._store.counts(self._id, shard)
            self._counts[shard] = self._counts_read[shard].value
        return self._counts[shard]

    def _follow(self, group: Group, effect: Effect) -> Sequence[tuple[GroupId, GroupEvent]]:
        match effect:
            case StartGroup():
                self._ready.append(group.id)
            case Replaced(attempt=attempt):
                self._ready.append(group.id)
                self._replaced.setdefault(group.id, []).append(attempt)
            case CleanUp(incarnation=incarnation, ordinal=ordinal, superseded=superseded):
                mail = self._order(group, incarnation, ordinal, "cleanup")
                self._mail.append(replace(mail, payload=_how_to_clean(force=effect.force)))
                self._mail_dropped.extend(
                    (group.backend, mail_id(group.id, incarnation, old)) for old in superseded
                )
            case Observe(incarnation=incarnation, ordinal=ordinal):
                self._mail.append(self._order(group, incarnation, ordinal, "observe"))
            case GroupEnded(status=status):
                self._ended[group.id].tell = True
                if not self._defer or not group.downstream:
                    return [(id, upstream_ended(status)) for id in group.downstream]
            case Refused():
                pass
        return ()

    def _open_intents(self) -> None:
        """Of each group that ended here what may be written later is: tasks that had no news of
        their own, where these are many, and word to the groups downstream."""
        for id, ended in self._ended.items():
            read, group = self._read[id], self._groups[id]
            if read is None or read.value.status.final or not group.status.final:
                continue
            before = {task.name: task for task in read.value.tasks}
            quiet = [
                task
                for task in group.tasks
                if task.name not in ended.spoke and task != before[task.name]
            ]
            many = len(quiet) > QUIET_ENDS
            if not many and not (ended.tell and group.downstream):
                continue
            ending = None
            if many:
                ending = Ending(quiet[0].status, quiet[0].message, quiet[0].exit_code)
                held = {task.name: before[task.name] for task in quiet}
                tasks = tuple(held.get(task.name, task) for task in group.tasks)
                group = replace(group, tasks=tasks)
            job = a_new_job(SettleGroup(self._id, id), ids=self.ids, now=self.now)
            self._jobs.append(job)
            cursor = 0 if many else len(group.tasks)
            settling = Settling(job.id, ending, ended.tell, cursor)
            self._groups[id] = replace(group, settling=settling)
        self._ended.clear()

    def _order(self, group: Group, incarnation: int, ordinal: int, kind: str) -> Mail:
        return Mail(
            id=mail_id(group.id, incarnation, ordinal),
            backend=group.backend,
            workflow=self._id,
            kind="cleanup" if kind == "cleanup" else "observe",
            ordinal=ordinal,
            after=0,
            written_at=self.now,
        )


@cache
def _how_to_clean(*, force: bool) -> bytes:
    """The payload of a cleanup: there are two of them, so each is packed once."""
    from xylem.protocol.agent import CleanupPayload  # noqa: PLC0415 - a submission does without

    payload = CleanupPayload(grace_seconds=0 if force else None, force=force)
    return gzip.compress(payload.model_dump_json().encode(), mtime=0)


def _ends(before: Workflow, after: Workflow) -> bool:
    return after.status.final and not before.status.final


def upstream_ended(status: TaskStatus) -> GroupEvent:
    """What a group downstream hears of it."""
    return UpstreamFailed() if status.failed else UpstreamCompleted()


def a_new_job(work: Work, *, ids: Ids, now: datetime, delay: timedelta = timedelta()) -> Job:
    """To be done at once, or not before `delay` has passed; then the Monitor rings."""
    return Job(
        id=JobId(ids()),
        work=work,
        next_ring_at=now + (delay or RING_AGAIN_AFTER),
        not_before=now + delay,
    )


def start_jobs(
    workflow: WorkflowId, groups: Sequence[Group], *, ids: Ids, now: datetime
) -> tuple[Job, ...]:
    """One job for as many ready groups as its own transaction will hold: each group's row and its
    mailbox row; the tasks have their start from their group."""
    batches = [groups[at : at + GROUPS_PER_JOB] for at in range(0, len(groups), GROUPS_PER_JOB)]
    return tuple(
        a_new_job(StartGroups(workflow, tuple(group.id for group in batch)), ids=ids, now=now)
        for batch in batches
    )
