"""A user submits a workflow: from the text of a request to rows that run by themselves.

Everything that can be wrong is found before the first write. Then the spec goes to the store under
the workflow's uuid, which nobody else knows yet, and one transaction makes the workflow reachable
with the jobs that start it. A crash between the two leaves an object that nothing names, and no
workflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xylem import spec
from xylem.domain.errors import Conflict, InvalidSpec, TooLarge
from xylem.domain.group import Group, ready
from xylem.domain.ids import GroupId, TaskName, UserName, WorkflowId, WorkflowUuid
from xylem.domain.plan import GroupPlan, TaskPlan, WorkflowPlan
from xylem.domain.pool import Pool
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.workflow import Workflow
from xylem.ports import Creation, Pools
from xylem.usecases.apply import Engine
from xylem.usecases.draft import start_jobs
from xylem.usecases.specs import SpecFile, spec_key

MOST_ROWS = 80
"""Groups and tasks together. Creating them, and ending all of them at once when the first fails,
each take one transaction of at most 100 actions, with up to 20 rows beside them."""

NUMBER_ATTEMPTS = 20
"""Two submissions of one name at the same moment take the same number; one of them takes the next.
"""

ONE_SHARD = "0"
"""A workflow of this size has all its groups in shard 0: the first digit of their ids says so."""


@dataclass(frozen=True, slots=True)
class Request:
    """A submission as it came in. `idempotency`: the caller's key, if it gave one."""

    text: str
    user: UserName
    template: str | None = None
    set_variables: Sequence[str] = ()
    set_string_variables: Sequence[str] = ()
    env_vars: Sequence[str] = ()
    labels: Sequence[str] = ()
    priority: str = "NORMAL"
    idempotency: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission that can be carried out. `text`: its spec as it is kept, after template and
    defaults; `template`: what was written, where that was one."""

    plan: WorkflowPlan
    text: str
    template: str | None
    pool: Pool


def check(request: Request, pool: str, *, pools: Pools) -> Checked:
    """Everything that does not need a row of its own. Raises `UnknownPool`, `InvalidSpec`."""
    known = pools.pool(pool)
    rendered = render(request)
    specification = spec.read(rendered, env_vars=request.env_vars, labels=request.labels)
    spec.check_pool(specification.plan, known)
    plan = _placed(specification.plan, known)
    rows = len(plan.groups) + sum(len(group.tasks) for group in plan.groups)
    if rows > MOST_ROWS:
        raise InvalidSpec(
            f"The workflow has {rows} groups and tasks together; this release creates a "
            f"workflow in one transaction, which holds at most {MOST_ROWS}. Split it into smaller "
            "workflows.",
            workflow=plan.name,
        )
    written = request.text if request.text != rendered else None
    text = spec.stored_text(specification, default_platform=known.default_platform)
    return Checked(plan, text, request.template or written, known)


def render(request: Request) -> str:
    """The spec after its template. Raises `InvalidSpec`."""
    return spec.render(
        request.text,
        set_variables=request.set_variables,
        set_string_variables=request.set_string_variables,
    )


def submit(request: Request, checked: Checked, *, engine: Engine) -> WorkflowId:
    """The new workflow's id, or that of an earlier submission with the same idempotency key.

    Raises `Conflict` when twenty others of the same name were faster, one after the other."""
    uuid = WorkflowUuid(engine.ids())
    file = SpecFile(plan=checked.plan, rendered=checked.text, template=checked.template)
    engine.store.put(spec_key(uuid), file.dump())
    for _ in range(NUMBER_ATTEMPTS):
        number = engine.workflows.next_number(checked.plan.name)
        creation = _creation(request, checked, uuid, number, engine)
        try:
            id = engine.workflows.create(creation)
        except Conflict:
            continue
        except TooLarge as error:
            raise InvalidSpec(str(error), workflow=checked.plan.name) from error
        if id == creation.workflow.id and creation.jobs:
            engine.doorbell.ring([job.id for job in creation.jobs])
        return id
    raise Conflict(
        f"{NUMBER_ATTEMPTS} other workflows of the name {checked.plan.name} were submitted "
        "at the same time: submit it again.",
        workflow=checked.plan.name,
    )


def _placed(plan: WorkflowPlan, pool: Pool) -> WorkflowPlan:
    """Tasks that name no platform get the pool's default, for good: a later change of the pool does
    not move a workflow that was submitted before."""

    def on_platform(task: TaskPlan) -> TaskPlan:
        platform = task.resources.platform or pool.default_platform
        return replace(task, resources=replace(task.resources, platform=platform))

    groups = (
        replace(group, tasks=tuple(on_platform(task) for task in group.tasks))
        for group in plan.groups
    )
    return replace(plan, groups=tuple(groups))


def _creation(
    request: Request,
    checked: Checked,
    uuid: WorkflowUuid,
    number: int,
    engine: Engine,
) -> Creation:
    now = engine.clock()
    plan = checked.plan
    workflow = Workflow(
        id=WorkflowId(f"{plan.name}-{number}"),
        uuid=uuid,
        name=plan.name,
        user=request.user,
        pool=checked.pool.name,
        backend=checked.pool.backend,
        submitted_at=now,
        live=len(plan.groups),
        priority=request.priority,
        labels=plan.labels,
        templated=checked.template is not None,
    )
    ids = {group.name: GroupId(ONE_SHARD + engine.ids()[1:]) for group in plan.groups}
    groups = [ready(_group(group, plan, ids, workflow), now)[0] for group in plan.groups]
    starting = [group for group in groups if group.status is TaskStatus.PROCESSING]
    return Creation(
        workflow=workflow,
        number=number,
        groups=tuple(groups),
        jobs=start_jobs(workflow.id, starting, ids=engine.ids, now=now),
        idempotency=request.idempotency,
    )


def _group(
    group: GroupPlan, plan: WorkflowPlan, ids: dict[str, GroupId], workflow: Workflow
) -> Group:
    return Group(
        id=ids[group.name],
        workflow=workflow.id,
        name=group.name,
        backend=workflow.backend,
        tasks=tuple(Task(TaskName(task.name), lead=task.lead) for task in group.tasks),
        waits_for=len(group.upstream),
        downstream=tuple(ids[other.name] for other in plan.groups if group.name in other.upstream),
        ignore_nonlead_status=group.ignore_nonlead_status,
    )
