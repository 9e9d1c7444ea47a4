"""Why groups of a workflow do not run yet: what each waits for, since when, what would change it.

A group passes through the same gates in the same order, and waits at one of them:

    upstream    other groups have to complete
    start_job   the Worker has to render it; a job that failed too often is parked for an admin
    backend     its cluster is away, or is drained
    mailbox     its cluster was asked to make the pods, and did not answer yet
    scheduler   its pods wait for a node: room, taints, quota
    start       its pods are bound; images are pulled, inputs are downloaded

`asked` reads what there is (rows of the workflow, jobs, backend, nodes) once, whatever the number
of groups; `explained` is pure. Groups that want the same of the same nodes are explained once: a
thousand of them are a few kinds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from xylem.domain.deadlines import deadline
from xylem.domain.detail import TaskDetail, words
from xylem.domain.errors import InvalidRequest, UnknownPool
from xylem.domain.group import Group
from xylem.domain.ids import GroupId, TaskName
from xylem.domain.placement import Gang, Outlook, Site, Survey, Want, gang, outlook, survey
from xylem.domain.plan import WorkflowPlan
from xylem.domain.status import TaskStatus
from xylem.domain.values import dataclass, field, replace
from xylem.domain.workflow import Workflow
from xylem.ports.blobs import Blobs
from xylem.ports.configs import Pools
from xylem.ports.jobs import Job, Jobs, StartGroups
from xylem.ports.workflows import Workflows
from xylem.usecases.clusters import Clusters
from xylem.usecases.queries import AttemptKey, Described, describe, spec_file

MOST_JOBS = 500
"""That are looked through for start jobs of this workflow, each of the waiting and the parked."""

LOOK_AHEAD = timedelta(hours=1)
"""A job's next ring is a quarter of an hour away at the most."""

MOST_DETAILS = 2_000
"""Of a workflow, that are looked through: a megabyte or two."""

IN_CLUSTER = frozenset({TaskStatus.SCHEDULING, TaskStatus.INITIALIZING})

NAMED = 5
"""Groups and tasks that a sentence names."""

Gate = Literal["upstream", "start_job", "backend", "mailbox", "scheduler", "quota", "start"]


@dataclass(frozen=True, slots=True)
class Reason:
    """`at`: when something happens by itself, if nothing changes before."""

    gate: Gate
    message: str
    change: str
    since: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A live group that does not run, and what it waits for: the first reason is the nearest."""

    group: str
    status: TaskStatus
    since: datetime
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an answer rests on. `jobs`: of each group that has one; `site` None: its pool is
    gone; `plan` None: the spec has expired; `details`: what clusters said of attempts."""

    workflow: Workflow
    groups: tuple[Group, ...]
    now: datetime
    jobs: Mapping[GroupId, Job] = field(default_factory=dict)
    site: Site | None = None
    plan: WorkflowPlan | None = None
    details: Mapping[AttemptKey, TaskDetail] = field(default_factory=dict)


def asked(
    id_or_uuid: str,
    *,
    workflows: Workflows,
    jobs: Jobs,
    pools: Pools,
    clusters: Clusters,
    store: Blobs,
) -> Facts:
    """Raises `UnknownWorkflow`."""
    found = describe(id_or_uuid, workflows=workflows)
    facts = Facts(found.workflow, found.groups, clusters.clock())
    live = [group for group in found.groups if not group.status.final]
    if any(group.status is TaskStatus.PROCESSING and not group.placed for group in live):
        facts = replace(facts, jobs=_jobs_of(found, jobs, facts.now))
    if any(group.status is not TaskStatus.WAITING for group in live):
        facts = replace(facts, site=_site(found.workflow, pools, clusters))
    if any(group.status is TaskStatus.SCHEDULING for group in live):
        facts = replace(facts, plan=_plan(found.workflow, workflows, store))
    if any(group.status in IN_CLUSTER for group in live):
        it = found.workflow
        told = workflows.details(it.id, shards=it.shards, limit=MOST_DETAILS)
        facts = replace(facts, details={(one.group, one.task, one.retry): one for one in told})
    return facts


def _jobs_of(found: Described, jobs: Jobs, now: datetime) -> dict[GroupId, Job]:
    known = [*jobs.due(now + LOOK_AHEAD, limit=MOST_JOBS), *jobs.parked(limit=MOST_JOBS)]
    return {
        group: job
        for job in known
        if isinstance(job.work, StartGroups) and job.work.workflow == found.workflow.id
        for group in job.work.groups
    }


def _site(workflow: Workflow, pools: Pools, clusters: Clusters) -> Site | None:
    try:
        pool = pools.pool(workflow.pool)
    except UnknownPool:
        return None
    return clusters.site(replace(pool, backend=workflow.backend))


def _plan(workflow: Workflow, workflows: Workflows, store: Blobs) -> WorkflowPlan | None:
    try:
        return spec_file(workflow.id, workflows=workflows, store=store).plan
    except InvalidRequest:
        return None


# Pure -------------------------------------------------------------------------------------------


def explained(facts: Facts) -> list[Waiting]:
    """Every live group that does not run, in the order of the spec."""
    explain = _Explainer(facts)
    waiting = (
        group
        for group in facts.groups
        if not group.status.final and group.status is not TaskStatus.RUNNING
    )
    return [
        Waiting(group.name, group.status, _since(group, facts.workflow), tuple(explain.of(group)))
        for group in waiting
    ]


def _since(group: Group, workflow: Workflow) -> datetime:
    match group.status:
        case TaskStatus.WAITING:
            return workflow.submitted_at
        case TaskStatus.SCHEDULING:
            return group.scheduling_since or group.scheduling_at or workflow.submitted_at
        case TaskStatus.INITIALIZING:
            return group.initializing_at or group.scheduling_at or workflow.submitted_at
        case _:
            return group.processing_at or workflow.submitted_at


class _Explainer:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._upstream: dict[GroupId, list[Group]] = defaultdict(list)
        for group in facts.groups:
            for id in group.downstream:
                if group.status is not TaskStatus.COMPLETED:
                    self._upstream[id].append(group)
        self._outlooks: dict[tuple[object, ...], Outlook] = {}
        self._surveyed: Survey | None = None
        self._plans = {group.name: group for group in facts.plan.groups} if facts.plan else {}

    def of(self, group: Group) -> Iterable[Reason]:
        match group.status:
            case TaskStatus.WAITING:
                yield self._by_upstream(group)
            case TaskStatus.SCHEDULING:
                yield from self._away()
                yield from self._by_scheduler(group)
                yield from self._by_word(group)
            case TaskStatus.INITIALIZING:
                yield from self._away()
                yield self._by_start(group)
                yield from self._by_word(group)
            case _ if group.placed:
                yield from self._away()
                yield self._by_mailbox(group)
            case _:
                yield self._by_start_job(group)

    def _by_upstream(self, group: Group) -> Reason:
        upstream = self._upstream.get(group.id, [])
        if not upstream:
            return Reason(
                "upstream",
                "All of its upstream groups have completed; it is about to be told.",
                "Nothing to do: this takes a moment.",
                self._facts.workflow.submitted_at,
            )
        shown = ", ".join(f"{one.name} ({one.status})" for one in upstream[:NAMED])
        more = f" and {len(upstream) - NAMED} more" if len(upstream) > NAMED else ""
        words = "group" if len(upstream) == 1 else f"{len(upstream)} groups"
        return Reason(
            "upstream",
            f"It waits for the {words} {shown}{more}.",
            "They complete; what these wait for is told with them.",
            max(_since(one, self._facts.workflow) for one in upstream),
            deadline(group),
        )

    def _by_start_job(self, group: Group) -> Reason:
        job = self._facts.jobs.get(group.id)
        since = group.processing_at
        site, backend = self._facts.site, self._facts.workflow.backend
        if site is not None and not site.open and not (job is not None and job.parked):
            return Reason(
                "backend",
                f"Backend {backend} is drained: nothing starts there that was not there before.",
                f"An administrator opens it again (`xylem backend drain {backend} --undo`); it "
                "starts a few minutes later.",
                since,
                deadline(group),
            )
        if job is None:
            sweeping = self._facts.workflow.sweeping is not None
            return Reason(
                "start_job",
                "It waits to be given a start job: its workflow is still being started."
                if sweeping
                else "Its start job is being done, or is far back in the queue.",
                "Nothing to do: what was forgotten is rung for again within a quarter of an hour.",
                since,
            )
        failed = f"failed {job.attempts} times; the last error: {job.last_error or 'unknown'}"
        if job.parked:
            return Reason(
                "start_job",
                f"Its start job {job.id} is parked: it {failed}",
                f"An administrator mends the cause, then `xylem job retry {job.id}`.",
                since,
            )
        return Reason(
            "start_job",
            f"Its start job {job.id} {failed}" if job.attempts else f"Its start job is {job.id}.",
            "The Worker does it when it is rung for again."
            if job.attempts
            else "The Worker does it.",
            since,
            job.next_ring_at,
        )

    def _away(self) -> Iterable[Reason]:
        site, backend = self._facts.site, self._facts.workflow.backend
        if site is None or site.online:
            return
        since = site.since
        yield Reason(
            "backend",
            f"Backend {backend} is away." if since else f"Backend {backend} never connected.",
            "Its operator connects again: see that it runs in the cluster and reaches the service.",
            since,
        )

    def _by_mailbox(self, group: Group) -> Reason:
        open_still = [row for row in group.pending if row.kind == "create"]
        backend = self._facts.workflow.backend
        if not open_still:
            return Reason(
                "mailbox",
                f"Backend {backend} has made its pods, and has not told of them yet.",
                "Nothing to do: its operator tells what it sees.",
                group.processing_at,
            )
        asked_at = min(row.asked_at for row in open_still)
        return Reason(
            "mailbox",
            f"Backend {backend} was asked to make its pods, and did not answer yet.",
            "Its operator answers. It is asked again every minute while it is connected.",
            asked_at,
            deadline(group),
        )

    def _by_scheduler(self, group: Group) -> Iterable[Reason]:
        since = group.scheduling_since or group.scheduling_at
        at = deadline(group)
        found = self._outlook(group)
        if found is None or not found.reasons or found.outcome in ("offline", "maintenance"):
            if found is None and any(self._words(group)):
                return
            yield Reason(
                "scheduler",
                "Its pods wait for a node, as far as is known there is room."
                if found is not None and found.outcome == "now"
                else "Its pods wait for a node; nothing is known of the nodes of its cluster.",
                "The scheduler of the cluster binds them; `kubectl describe pod` has its word.",
                since,
                at,
            )
            return
        for text in found.reasons:
            quota = text.startswith("Quota:")
            yield Reason(
                "quota" if quota else "scheduler",
                text,
                "Work of the pool ends, or an administrator raises its quota."
                if quota
                else "Work on these nodes ends, or nodes of the platform are added.",
                since,
                at,
            )

    def _by_word(self, group: Group) -> Iterable[Reason]:
        """What the cluster itself says, once for all tasks of which it says the same."""
        by_word: dict[tuple[Gate, str], list[TaskDetail]] = {}
        for gate, said, told in self._words(group):
            by_word.setdefault((gate, said), []).append(told)
        for (gate, said), tasks in list(by_word.items())[:NAMED]:
            shown = ", ".join(one.task for one in tasks[:NAMED])
            more = f" and {len(tasks) - NAMED} more" if len(tasks) > NAMED else ""
            yield Reason(
                gate,
                f"The cluster says of {shown}{more}: {said}",
                CHANGES[gate],
                min(one.told_at for one in tasks),
                deadline(group),
            )

    def _words(self, group: Group) -> Iterable[tuple[Gate, str, TaskDetail]]:
        """Of those of its tasks that still are as they were when it was said."""
        for task in group.tasks:
            told = self._facts.details.get((group.id, task.name, task.retry))
            if told is None or told.status is not task.status or task.status not in IN_CLUSTER:
                continue
            if said := words(told.detail, told.status):
                by_scheduler = task.status is TaskStatus.SCHEDULING and not any(
                    container.state == "waiting" for container in told.detail.containers
                )
                yield "scheduler" if by_scheduler else "start", said, told

    def _outlook(self, group: Group) -> Outlook | None:
        """Of those of its tasks that have no node yet."""
        site, plan = self._facts.site, self._plans.get(group.name)
        if site is None or plan is None or site.nodes is None:
            return None
        waiting = {task.name for task in group.tasks if task.node is None}
        wants = [want for want in gang(plan, site.pool).wants if want.task in waiting]
        kinds = tuple(sorted(map(_kind, wants)))
        if kinds not in self._outlooks:
            self._surveyed = self._surveyed or survey(site)
            self._outlooks[kinds] = outlook(
                replace(site, online=True),
                [Gang(group.name, tuple(replace(want, task=TaskName("")) for want in wants))],
                self._facts.workflow.priority,
                admin=True,
                surveyed=self._surveyed,
            )
        return self._outlooks[kinds]

    def _by_start(self, group: Group) -> Reason:
        starting = [task for task in group.tasks if task.status is TaskStatus.INITIALIZING]
        shown = ", ".join(task.name for task in starting[:NAMED])
        more = f" and {len(starting) - NAMED} more" if len(starting) > NAMED else ""
        said = next((task.message for task in starting if task.message), "")
        return Reason(
            "start",
            f"Images are pulled or inputs downloaded for {shown}{more}."
            + (f" The cluster says: {said}" if said else ""),
            "They are there; else the group's start timer ends it.",
            min((task.received_at for task in starting if task.received_at), default=None),
            deadline(group),
        )


CHANGES: Mapping[Gate, str] = {
    "scheduler": "The scheduler of the cluster binds the pods when what it names is there.",
    "start": "What it names is there; else the group's timers end it.",
}
"""What would change what the cluster says."""


def _kind(want: Want) -> tuple[str, int, int, int, int, tuple[str, ...]]:
    sizes = want.amounts
    return (
        want.platform or "",
        sizes.gpu,
        sizes.cpu,
        sizes.memory,
        sizes.storage,
        want.excluded,
    )
