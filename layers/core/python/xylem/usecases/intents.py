"""Changes of more rows than one transaction holds, finished step by step by whoever meets them.

    settle   a group ended: its quiet tasks end with it, then the groups downstream are told
    sweep    a workflow was created or cancelled: each of its groups is started, or cancelled

The commit that decided such a change wrote the intent and a job that finishes it; whoever wants to
decide about the same group or workflow finishes it before. A step is one transaction: it moves the
cursor under the version of the row that holds the intent, and writes every other row under the
version that it read of it. So steps may be done twice, by two processes at once, and after a crash
between any two of them: one of each wins. The last one clears the intent and takes its job away,
whether or not that is still there, because the cursor was the arbiter.

A step is no decision of its own: it writes to groups that have open intents themselves, else two
intents could wait for each other. A group that it ends, with groups downstream or many tasks, gets
an intent and a job in the same transaction.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from xylem.domain.errors import TooLarge
from xylem.domain.group import Cancelled, Group, to_start
from xylem.domain.ids import GroupId, WorkflowId
from xylem.domain.transitions import ended_by
from xylem.domain.values import replace
from xylem.domain.workflow import Sweeping, Workflow, swept
from xylem.ports.jobs import Job
from xylem.ports.stored import Stored
from xylem.ports.workflows import Commit
from xylem.usecases import apply
from xylem.usecases.apply import Engine
from xylem.usecases.draft import QUIET_ENDS, Draft, Unsettled, upstream_ended

T = TypeVar("T")

STEP_ROWS = 60
"""Rows of groups and tasks that one step writes. Beside them there is room for what these bring
along: an order, an intent's job, a counter for each shard, the workflow with its list entries."""

START_PAGE = 900
"""Groups: 30 jobs start them."""

CANCEL_PAGE = 25
"""Groups: a step cancels 20 of one task each."""


def change(
    workflow: WorkflowId,
    cause: str,
    fold: Callable[[Draft], T],
    *,
    engine: Engine,
    defer: bool = False,
) -> tuple[T, Commit | None]:
    """`apply.change`, with every intent finished that stands in the way of a decision."""
    while True:
        try:
            return apply.change(workflow, cause, fold, engine=engine, defer=defer)
        except Unsettled as found:
            settle_group(workflow, found.group, engine=engine, job=None)


def change_whole(
    workflow: WorkflowId, cause: str, fold: Callable[[Draft], T], *, engine: Engine
) -> tuple[T, Commit | None]:
    """In one transaction if it fits one, else with intents for what follows."""
    try:
        return change(workflow, cause, fold, engine=engine)
    except TooLarge:
        return change(workflow, cause, fold, engine=engine, defer=True)


def settle_group(workflow: WorkflowId, group: GroupId, *, engine: Engine, job: Job | None) -> None:
    """Until nothing is left of the intent; `job` is the one that does it, if one does. Raises
    `Conflict` when others were faster too often: they go on from where it stands."""
    _step_by_step(
        workflow, f"settling {group}", lambda draft: _settle_step(draft, group, job), engine
    )


def sweep_workflow(workflow: WorkflowId, *, engine: Engine, job: Job | None) -> None:
    """As `settle_group`, for the groups of a workflow."""
    _step_by_step(
        workflow, "visiting all groups", lambda draft: _sweep_step(draft, engine, job), engine
    )


def _step_by_step(
    workflow: WorkflowId, cause: str, step: Callable[[Draft], bool], engine: Engine
) -> None:
    more = True
    while more:
        more, commit = apply.change(workflow, cause, step, engine=engine, defer=True, step=True)
        apply.tell(commit, engine=engine)


def _settle_step(draft: Draft, id: GroupId, job: Job | None) -> bool:
    """Whether there is another one."""
    group = draft.group(id)
    if group is None or group.settling is None:
        if job is not None:
            draft.dropped(job.id)
        return False
    settling = group.settling
    if settling.cursor < len(group.tasks):
        return _end_quiet_tasks(draft, group)
    told = settling.cursor - len(group.tasks)
    left = group.downstream[told:] if settling.tell else ()
    if not left:
        draft.change_group(replace(group, settling=None))
        draft.dropped(settling.job)
        return False
    some = _that_fit(draft, left)
    draft.decide_all((other, upstream_ended(group.status)) for other in some)
    cursor = settling.cursor + len(some)
    draft.change_group(replace(group, settling=replace(settling, cursor=cursor)))
    return True


def _end_quiet_tasks(draft: Draft, group: Group) -> bool:
    settling = group.settling
    assert settling is not None
    assert settling.ending is not None, "without one the cursor begins behind the tasks"
    begin, until = settling.cursor, min(settling.cursor + STEP_ROWS, len(group.tasks))
    at = group.ended_at or draft.now
    some = (ended_by(settling.ending, task, at) for task in group.tasks[begin:until])
    tasks = (*group.tasks[:begin], *some, *group.tasks[until:])
    draft.change_group(replace(group, tasks=tasks, settling=replace(settling, cursor=until)))
    return True


def _that_fit(draft: Draft, groups: Sequence[GroupId]) -> list[GroupId]:
    """At least one of them; what ends with more tasks than a few has an intent for these."""
    fitting: list[GroupId] = []
    rows = 0
    for id in groups:
        group = draft.group(id)
        rows += _rows(group) if group else 1
        if fitting and rows > STEP_ROWS:
            break
        fitting.append(id)
    return fitting


def _rows(group: Group) -> int:
    live = sum(not task.status.final for task in group.tasks)
    return 3 + (live if live <= QUIET_ENDS else 0)


def _sweep_step(draft: Draft, engine: Engine, job: Job | None) -> bool:
    workflow = draft.workflow()
    sweeping = workflow.sweeping
    if sweeping is None:
        if job is not None:
            draft.dropped(job.id)
        return False
    if sweeping.shard >= workflow.shards:
        draft.change_workflow(swept(workflow, draft.now))
        draft.dropped(sweeping.job)
        return False
    starting = sweeping.kind == "start"
    limit = START_PAGE if starting else CANCEL_PAGE
    page = engine.workflows.shard(workflow.id, sweeping.shard, after=sweeping.after, limit=limit)
    if not page:
        onward = Sweeping(sweeping.job, sweeping.kind, sweeping.shard + 1)
        draft.change_workflow(replace(workflow, sweeping=onward))
        return True
    last = _start(draft, page) if starting else _cancel(draft, page, workflow)
    # The decisions may have moved the workflow itself.
    now = draft.workflow()
    draft.change_workflow(replace(now, sweeping=replace(sweeping, after=last)))
    return True


def _start(draft: Draft, page: Sequence[Stored[Group]]) -> GroupId:
    draft.start_later([stored.value for stored in page if to_start(stored.value)])
    return page[-1].value.id


def _cancel(draft: Draft, page: Sequence[Stored[Group]], workflow: Workflow) -> GroupId:
    cancel = workflow.cancel
    assert cancel is not None, "a cancel is written with its intent"
    rows = 0
    last = page[0].value.id
    chosen: list[GroupId] = []
    for stored in page:
        rows += 1 + _rows(stored.value) + len(stored.value.pending)
        if chosen and rows > STEP_ROWS:
            break
        last = stored.value.id
        draft.take(last, stored)
        chosen.append(last)
    event = Cancelled(cancel.by, cancel.message, cancel.force)
    draft.decide_all((id, event) for id in chosen)
    return last
