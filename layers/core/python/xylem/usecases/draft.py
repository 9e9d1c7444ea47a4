"""One commit in the making: rows as they were read, and what became of them.

A use case tells a draft what happened to which group. The draft loads what that touches, lets
`decide` decide, follows the effects to the groups downstream and to the workflow, and at the end
amounts to one `Commit`: all rows that changed, each under the version that was read, with the jobs
and the mail that the decisions asked for. It reads and writes only what the decisions touch; a
workflow of which one group of a hundred moves costs that group's rows.

Rejected: a repository that loads the whole workflow and saves it (a gang of 500 would rewrite 500
rows for each pod), and saving each group on its own (a crash between two would leave half a
change).
"""

import gzip
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from xylem.domain import workflow as workflows
from xylem.domain.effects import CleanUp, Effect, GroupEnded, Observe, Refused, StartGroup
from xylem.domain.group import Group, GroupEvent, UpstreamCompleted, UpstreamFailed, decide
from xylem.domain.ids import BackendName, GroupId, JobId, MailId, WorkflowId, mail_id
from xylem.domain.status import TaskStatus
from xylem.domain.workflow import Workflow
from xylem.ports import Change, Commit, Ids, Job, Mail, StartGroups, Stored, Workflows
from xylem.protocol.agent import CleanupPayload
from xylem.protocol.limits import TRANSACTION_ACTIONS

RING_AGAIN_AFTER = timedelta(seconds=15)
"""The process that commits a job rings for it at once; this long after, the Monitor does."""

GROUPS_PER_JOB = 30
ACTIONS_KEPT_FREE = 5
"""In a start job's transaction, beside its groups: its own row, the audit row, and room."""


class Draft:
    """`now` is the time of the decision, the same for all of the commit."""

    def __init__(
        self, workflow: WorkflowId, *, store: Workflows, ids: Ids, now: datetime, cause: str
    ) -> None:
        self.now = now
        self._id = workflow
        self._store = store
        self._ids = ids
        self._cause = cause
        self._read: dict[GroupId, Stored[Group] | None] = {}
        self._groups: dict[GroupId, Group] = {}
        self._workflow_read: Stored[Workflow] | None = None
        self._workflow: Workflow | None = None
        self._ready: list[GroupId] = []
        self._mail: list[Mail] = []
        self._mail_done: list[tuple[BackendName, MailId]] = []
        self._mail_dropped: list[tuple[BackendName, MailId]] = []
        self._jobs_done: list[JobId] = []

    def group(self, id: GroupId) -> Group | None:
        """As it is now in this draft; None where the workflow has no such group."""
        if id not in self._read:
            stored = self._store.group(self._id, id)
            self._read[id] = stored
            if stored:
                self._groups[id] = stored.value
        return self._groups.get(id)

    def workflow(self) -> Workflow:
        """Raises `UnknownWorkflow`."""
        if self._workflow is None:
            self._workflow_read = self._store.workflow(self._id)
            self._workflow = self._workflow_read.value
        return self._workflow

    def decide(self, group: GroupId, event: GroupEvent) -> Refused | None:
        """Something happened to a group that exists. What follows elsewhere follows at once."""
        refused: Refused | None = None
        waiting: deque[tuple[GroupId, GroupEvent]] = deque([(group, event)])
        while waiting:
            id, happened = waiting.popleft()
            before = self.group(id)
            if before is None:
                raise KeyError(id)
            after, effects = decide(before, happened, self.now)
            self._groups[id] = after
            self._count(before, after)
            for effect in effects:
                waiting.extend(self._follow(after, effect))
                if isinstance(effect, Refused) and id == group:
                    refused = effect
        return refused

    def add_mail(self, mail: Mail) -> None:
        self._mail.append(mail)

    def answered(self, backend: BackendName, mail: MailId) -> None:
        """The mailbox row goes with this commit, on condition that it is there."""
        self._mail_done.append((backend, mail))

    def done(self, job: JobId) -> None:
        """The job's row goes with this commit, on condition that it is there."""
        self._jobs_done.append(job)

    def commit(self) -> Commit | None:
        """None: nothing changed, and nothing is to be written."""
        changed = tuple(
            Change(read.version, read.value, self._groups[id])
            for id, read in self._read.items()
            if read is not None and self._groups[id] != read.value
        )
        moved = self._workflow_read
        if moved is not None and moved.value == self._workflow:
            moved = None
        if not (changed or moved or self._mail or self._mail_done or self._jobs_done):
            return None
        return Commit(
            workflow=self._id,
            cause=self._cause,
            at=self.now,
            workflow_change=Change(moved.version, moved.value, self.workflow()) if moved else None,
            groups=changed,
            jobs=start_jobs(
                self._id, [self._groups[id] for id in self._ready], ids=self._ids, now=self.now
            ),
            jobs_done=tuple(self._jobs_done),
            mail=tuple(self._mail),
            mail_done=tuple(self._mail_done),
            mail_dropped=tuple(self._mail_dropped),
        )

    def _count(self, before: Group, after: Group) -> None:
        if after.status is before.status:
            return
        if after.status.final:
            at = after.ended_at
        elif after.status is TaskStatus.RUNNING:
            at = after.started_at
        else:
            return
        self._workflow = workflows.group_moved(self.workflow(), after.status, at or self.now)

    def _follow(self, group: Group, effect: Effect) -> Sequence[tuple[GroupId, GroupEvent]]:
        match effect:
            case StartGroup():
                self._ready.append(group.id)
            case CleanUp(incarnation=incarnation, ordinal=ordinal, superseded=superseded):
                payload = CleanupPayload().model_dump_json().encode()
                mail = self._order(group, incarnation, ordinal, "cleanup")
                self._mail.append(replace(mail, payload=gzip.compress(payload, mtime=0)))
                self._mail_dropped.extend(
                    (group.backend, mail_id(group.id, incarnation, old)) for old in superseded
                )
            case Observe(incarnation=incarnation, ordinal=ordinal):
                self._mail.append(self._order(group, incarnation, ordinal, "observe"))
            case GroupEnded(status=status):
                news: GroupEvent = UpstreamFailed() if status.failed else UpstreamCompleted()
                return [(id, news) for id in group.downstream]
            case Refused():
                pass
        return ()

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


def start_jobs(
    workflow: WorkflowId, groups: Sequence[Group], *, ids: Ids, now: datetime
) -> tuple[Job, ...]:
    """One job for as many ready groups as its own transaction will hold: each group's row, the
    rows of its tasks and its mailbox row."""
    batches: list[list[GroupId]] = []
    room = 0
    for group in groups:
        actions = 2 + len(group.tasks)
        if actions > room or len(batches[-1]) == GROUPS_PER_JOB:
            batches.append([])
            room = TRANSACTION_ACTIONS - ACTIONS_KEPT_FREE
        batches[-1].append(group.id)
        room -= actions
    return tuple(
        Job(
            id=JobId(ids()),
            work=StartGroups(workflow, tuple(batch)),
            next_ring_at=now + RING_AGAIN_AFTER,
            not_before=now,
        )
        for batch in batches
    )
