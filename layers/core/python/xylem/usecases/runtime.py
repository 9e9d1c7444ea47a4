"""What a task's pod may ask for: a new token, its barrier, its inputs, places for its outputs.

A token names one attempt, and everything here is decided by it. Outputs go under the attempt's own
prefix, so a retry never mixes its files with those of the attempt before; whoever reads a task's
output is led to the attempt that completed.
"""

import posixpath
from collections.abc import Callable
from datetime import timedelta

from xylem.domain.errors import Forbidden, InvalidRequest
from xylem.domain.group import Group
from xylem.domain.ids import WorkflowId
from xylem.domain.plan import DatasetInput, GroupPlan, TaskInput, WorkflowPlan
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.token_values import token_values
from xylem.domain.tokens import substitute
from xylem.matching import BadPattern, matching
from xylem.ports.blobs import Blobs
from xylem.ports.logs import Logs
from xylem.ports.task_tokens import Attempt, TaskTokens
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.protocol.runtime import (
    BARRIER_HOLD_SECONDS,
    PAGE_FILES,
    AtBarrier,
    Barrier,
    GroupState,
    InputFile,
    InputPage,
    InputQuery,
    OutputPage,
    OutputQuery,
    OutputTarget,
    Token,
)
from xylem.usecases.specs import SpecFile, spec_key

TOKEN_LIFE = timedelta(hours=1)
RENEWABLE_AFTER_END = timedelta(hours=24)
"""An outage of a day loses no log."""

URL_LIFE = timedelta(hours=1)
POLL_SECONDS = 0.5


def renew(attempt: Attempt, *, workflows: Workflows, tokens: TaskTokens, clock: Clock) -> Token:
    """Raises `Forbidden` when the attempt is over for good."""
    now = clock()
    _, task = live_attempt(attempt, workflows)
    if task.ended_at is not None and now - task.ended_at > RENEWABLE_AFTER_END:
        raise Forbidden(f"Task {attempt.task} ended more than a day ago.")
    token = tokens.sign(attempt, expires=now + TOKEN_LIFE)
    return Token(token=token, expires_in=int(TOKEN_LIFE.total_seconds()))


def arrive(
    attempt: Attempt,
    here: AtBarrier,
    *,
    workflows: Workflows,
    logs: Logs,
    wait: Callable[[float], None],
) -> Barrier:
    """Held until everybody who is still alive has arrived, or for twenty seconds.

    A group that began anew meets anew: who was at the barrier before still runs what is to be
    ended. So an arrival counts for one restart of the group, the one that its pod knows of."""
    known = here.restarts
    if known is None:
        known = live_attempt(attempt, workflows)[0].restarts
    logs.arrive(attempt, known)
    left: float = BARRIER_HOLD_SECONDS
    while True:
        group, _ = live_attempt(attempt, workflows)
        if known < group.restarts and here.restarts is not None:
            return Barrier(open=False, restarts=group.restarts)
        arrived = logs.arrived(attempt.group, attempt.incarnation, known)
        missing = [
            task
            for task in group.tasks
            if not task.status.final and (task.name, task.retry) not in arrived
        ]
        if not missing or left <= 0:
            return Barrier(open=not missing, restarts=known)
        wait(POLL_SECONDS)
        left -= POLL_SECONDS


def group_state(attempt: Attempt, *, workflows: Workflows) -> GroupState:
    """Raises `Forbidden` when the attempt is over for good."""
    group, _ = live_attempt(attempt, workflows)
    return GroupState(restarts=group.restarts)


def inputs(
    attempt: Attempt,
    query: InputQuery,
    *,
    workflows: Workflows,
    store: Blobs,
    data: Blobs,
    of_dataset: Callable[[DatasetInput], InputPage],
) -> InputPage:
    """One page of an input's files. Raises `InvalidRequest` for an input that is not the task's.
    `of_dataset`: of one that is a dataset, which most tasks have none of."""
    group = plan_of(attempt, workflows, store).group_of(attempt.task)
    declared = group.task(attempt.task).inputs
    if query.index >= len(declared):
        raise InvalidRequest(f"Task {attempt.task} has {len(declared)} inputs, no {query.index}.")
    wanted = declared[query.index]
    if isinstance(wanted, DatasetInput):
        return of_dataset(wanted)
    if not isinstance(wanted, TaskInput):
        raise InvalidRequest(f"Input {query.index} of task {attempt.task} is no task's output.")
    of = wanted.workflow or attempt.workflow
    prefix = _prefix(of, wanted.task, _written_by(of, wanted, workflows))
    page = data.list(prefix, cursor=query.cursor, limit=PAGE_FILES)
    paths = [blob.key.removeprefix(prefix) for blob in page.blobs]
    try:
        fits = matching(_filled(wanted.regex, attempt, group, workflows), paths)
    except BadPattern as error:
        raise InvalidRequest(f"Input {query.index} of task {attempt.task}: {error}") from None
    files = [
        InputFile(path=path, size=blob.size, url=data.get_url(blob.key, expires=URL_LIFE))
        for blob, path, fit in zip(page.blobs, paths, fits, strict=True)
        if fit
    ]
    return InputPage(files=files, cursor=page.cursor)


def _filled(regex: str, attempt: Attempt, plan: GroupPlan, workflows: Workflows) -> str:
    """The spec is stored as it was written: its tokens get their values here, as in the pod."""
    if "{{" not in regex:
        return regex
    values = token_values(
        plan.task(attempt.task),
        plan,
        workflow=attempt.workflow,
        workflow_uuid=workflows.workflow(attempt.workflow).value.uuid,
        group=attempt.group,
        incarnation=attempt.incarnation,
    )
    return substitute(regex, values)


def outputs(attempt: Attempt, query: OutputQuery, *, data: Blobs) -> OutputPage:
    """Where to put files. Raises `InvalidRequest` for a path that leads elsewhere."""
    prefix = _prefix(attempt.workflow, attempt.task, attempt.retry)
    return OutputPage(
        files=[
            OutputTarget(
                path=file.path, url=data.put_url(prefix + _inside(file.path), expires=URL_LIFE)
            )
            for file in query.files
        ]
    )


def _inside(path: str) -> str:
    parts = path.split("/")
    if path != posixpath.normpath(path) or path.startswith("/") or ".." in parts or path == ".":
        raise InvalidRequest(f"The output path {path!r} is not a plain relative path.")
    return path


def _prefix(workflow: WorkflowId, task: str, retry: int) -> str:
    return f"data/{workflow}/{task}/{retry}/"


def plan_of(attempt: Attempt, workflows: Workflows, store: Blobs) -> WorkflowPlan:
    body = store.get(spec_key(workflows.workflow(attempt.workflow).value.uuid))
    if body is None:
        raise InvalidRequest(f"The spec of {attempt.workflow} has expired.")
    return SpecFile.load(body).plan


def _written_by(of: WorkflowId, wanted: TaskInput, workflows: Workflows) -> int:
    """The attempt that is read: the newest. In its own workflow a task is only read when it has
    completed; of an earlier one it may have failed, as with OSMO."""
    shards = workflows.workflow(of).value.shards
    for stored in workflows.groups(of, shards=shards):
        task = stored.value.task(wanted.task)
        if task is None:
            continue
        if task.status is TaskStatus.COMPLETED or (wanted.workflow and task.status.final):
            return task.retry
    raise InvalidRequest(f"Task {wanted.task} has not completed: it has no output to read.")


def live_attempt(attempt: Attempt, workflows: Workflows) -> tuple[Group, Task]:
    """The row must agree with the token. Raises `Forbidden`."""
    stored = workflows.group(attempt.workflow, attempt.group)
    task = stored.value.task(attempt.task) if stored else None
    if stored is None or task is None:
        raise Forbidden(f"There is no task {attempt.task} in group {attempt.group}.")
    if (stored.value.incarnation, task.retry) != (attempt.incarnation, attempt.retry):
        raise Forbidden(f"Attempt {attempt.retry} of task {attempt.task} was replaced by another.")
    return stored.value, task
