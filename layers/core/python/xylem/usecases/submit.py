"""A user submits a workflow: from the text of a request to rows that run by themselves.

Everything that can be wrong is found before the first write. Then the spec goes to the store under
the workflow's uuid, which nobody else knows yet. What fits one transaction is made by it, reachable
and started at once. A larger workflow is laid in several:

    reserve    takes the number, and writes the job that will remove what is laid, in ten minutes
    lay        rows that nobody can reach, each transaction only while the removal has not begun
    create     makes the workflow reachable, with an intent that starts it; the removal goes

So a crash anywhere leaves either a whole workflow, or rows and an object that nothing names and
that are taken away.

A submission that is refused leaves nothing, unless an admin wants to see those, too
(`keep_refused_submissions`): then a workflow is kept where OSMO keeps one, once its name is known.
It is FAILED_SUBMISSION, has no groups, and says why. A mere validation leaves none.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import count

from xylem import spec
from xylem.domain.app import AppUse
from xylem.domain.config import WorkflowConfig
from xylem.domain.errors import Conflict, InvalidSpec, TooMany
from xylem.domain.group import Group, bare, to_start
from xylem.domain.ids import (
    SHARDS,
    GroupId,
    JobId,
    TaskName,
    UserName,
    WorkflowId,
    WorkflowUuid,
    shard_of,
)
from xylem.domain.node import CORE, Amounts
from xylem.domain.placement import Choice
from xylem.domain.plan import GroupPlan, TaskPlan, WorkflowPlan
from xylem.domain.pool import Pool, bounded, scheduling, wanted
from xylem.domain.status import WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.transitions import ready
from xylem.domain.values import dataclass, field, replace
from xylem.domain.workflow import Counts, Sweeping, Workflow, amount
from xylem.ports.catalog import DatasetConfigs
from xylem.ports.configs import Configs, Credentials, Pools
from xylem.ports.jobs import Job, RemoveWorkflow, SweepWorkflow
from xylem.ports.listing import Scope
from xylem.ports.workflows import Creation, Laying, Reservation, Workflows
from xylem.protocol.limits import TRANSACTION_ACTIONS
from xylem.usecases import asked, dataset_names, placing
from xylem.usecases.apply import Engine
from xylem.usecases.clusters import Clusters
from xylem.usecases.draft import a_new_job, start_jobs
from xylem.usecases.earlier import resolved
from xylem.usecases.footprint import creation_actions
from xylem.usecases.specs import SpecFile, spec_key

NUMBER_ATTEMPTS = 20
"""Two submissions of one name at the same moment take the same number; one of them takes the next.
"""

ONE_SHARD_TASKS = 200
"""A small workflow's counters are in its own row, and its groups in one partition; those of a
larger one are spread over 16. Where more groups than that end at the same time, half of the commits
would lose against each other at the one row."""

REMOVE_AFTER = timedelta(minutes=10)
"""A submission takes 30 s at the most: API Gateway gives up waiting then, and so does the
Lambda."""

REFUSAL_CHARS = 4_000
"""Of what a refused submission was told: it is in the workflow's row."""

LAY_ACTIONS = TRANSACTION_ACTIONS - 4
"""Of one part: beside its rows the check of the removal, the audit row, and room."""


@dataclass(frozen=True, slots=True)
class Request:
    """A submission as it came in. `idempotency`: the caller's key, if it gave one; `fingerprint`:
    what that came with. `parent`: the workflow whose stored spec `text` is, or a part of it; that
    has no template any more."""

    text: str
    user: UserName
    template: str | None = None
    set_variables: Sequence[str] = ()
    set_string_variables: Sequence[str] = ()
    env_vars: Sequence[str] = ()
    labels: Sequence[str] = ()
    priority: str = "NORMAL"
    idempotency: str | None = None
    fingerprint: str = ""
    parent: WorkflowId | None = None
    app: AppUse | None = None
    heard_by: tuple[str, ...] = ()
    """Who is to hear of its end."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission that can be carried out. `text`: its spec as it is kept, after template and
    defaults; `template`: what was written, where that was one."""

    plan: WorkflowPlan
    text: str
    template: str | None
    pool: Pool
    placement: Choice | None = None
    asked: Mapping[TaskName, Amounts] = field(default_factory=dict)
    """What tasks ask for themselves, where they do."""


def check(
    request: Request,
    pool: str,
    *,
    pools: Pools,
    configs: Configs,
    workflows: Workflows,
    credentials: Credentials,
    dataset_configs: DatasetConfigs,
    clusters: Clusters | None = None,
    admin: bool = False,
) -> Checked:
    """Everything that does not need a row of its own. `pool`: one name, or several with commas
    between them, of which the one is chosen that starts it soonest. `clusters` None: nothing is
    asked of them. Raises `UnknownPool`, `InvalidSpec`."""
    named = placing.named(pool, pools)
    rendered = render(request)
    specification = spec.read(
        rendered, env_vars=request.env_vars, labels=request.labels, written=request.text
    )
    known, placement = placing.place(
        specification, named, request.priority, clusters=clusters, admin=admin
    )
    plan = resolved(_placed(specification.plan, known), workflows, of=specification)
    plan = configured(plan, configs.workflow())
    plan = dataset_names.pinned(plan, dataset_configs, of=specification)
    written = request.text if request.text != rendered else None
    asked.require(plan, request.user, pool=known.name, credentials=credentials, of=specification)
    text = spec.stored_text(specification, default_platform=known.default_platform)
    template = request.template or written
    return Checked(plan, text, template, known, placement, _asked(specification.plan))


def _asked(plan: WorkflowPlan) -> dict[TaskName, Amounts]:
    """Of the plan before it has the pool's defaults."""
    wanted_by = {
        task.name: Amounts(
            cpu=(task.resources.cpu or 0) * CORE,
            gpu=task.resources.gpu or 0,
            memory=task.resources.memory or 0,
            storage=task.resources.storage or 0,
        )
        for group in plan.groups
        for task in group.tasks
    }
    return {name: amounts for name, amounts in wanted_by.items() if amounts != Amounts()}


def configured(plan: WorkflowPlan, config: WorkflowConfig) -> WorkflowPlan:
    """The plan within what an admin allows. Raises `InvalidSpec`."""
    tasks = sum(len(group.tasks) for group in plan.groups)
    if tasks > config.max_num_tasks:
        raise InvalidSpec(
            f"workflow has {tasks} tasks; an admin allows {config.max_num_tasks} "
            "(max_num_tasks of the config workflow). Divide it into several.",
            code="USER",
        )
    return replace(plan, limits=replace(plan.limits, retries=config.retries))


def require_room(
    request: Request, checked: Checked, *, workflows: Workflows, configs: Configs
) -> None:
    """Of workflows that have not ended, if an admin limits them. Two who submit at the same moment
    may both find the last place. Raises `TooMany`."""
    config, pool = configs.workflow(), checked.pool.name
    limits = (
        (config.max_num_workflows, Scope("user", request.user), f"{request.user} has"),
        (config.max_num_workflows_per_pool, Scope("pool", pool), f"Pool {pool} has"),
    )
    for most, scope, whose in limits:
        if most is not None and workflows.unfinished(scope) >= most:
            raise TooMany(
                f"{whose} {most} workflows that have not ended, which is the most that an admin "
                "allows: submit it when one has ended, or cancel one."
            )


def render(request: Request) -> str:
    """The spec after its template. Raises `InvalidSpec`."""
    if request.parent is not None:
        return request.text
    return spec.render(
        request.text,
        set_variables=request.set_variables,
        set_string_variables=request.set_string_variables,
    )


def made_before(request: Request, *, engine: Engine) -> WorkflowId | None:
    """What was made of this very request, whatever has changed since: it is not checked again.
    Raises `KeyReused`."""
    if request.idempotency is None:
        return None
    return engine.workflows.made_under(
        request.user, request.idempotency, request=request.fingerprint, now=engine.clock()
    )


def submit(request: Request, checked: Checked, *, engine: Engine) -> WorkflowId:
    """The new workflow's id, or that of an earlier submission with the same idempotency key.

    Raises `KeyReused` where that was another one; `Conflict` when twenty others of the same name
    were faster, one after the other."""
    earlier = made_before(request, engine=engine)
    if earlier is not None:
        return earlier
    uuid = WorkflowUuid(engine.ids())
    file = SpecFile(
        plan=checked.plan,
        rendered=checked.text,
        template=checked.template,
        scheduling=scheduling(checked.pool),
        topology_labels={one.key: one.label for one in checked.pool.topology_keys},
        scheduler=checked.pool.scheduler,
        quota=checked.pool.quota,
        group_objects=checked.pool.group_objects,
        variables=checked.pool.variables if checked.pool.group_objects else {},
    )
    engine.store.put(spec_key(uuid), file.dump())
    for _ in range(NUMBER_ATTEMPTS):
        number = engine.workflows.next_number(checked.plan.name)
        creation = _creation(request, checked, uuid, number, engine)
        try:
            id, jobs = _create(creation, engine)
        except Conflict:
            continue
        if id == creation.workflow.id and jobs:
            engine.doorbell.ring([job.id for job in jobs])
        return id
    raise Conflict(
        f"{NUMBER_ATTEMPTS} other workflows of the name {checked.plan.name} were submitted "
        "at the same time: submit it again.",
        workflow=checked.plan.name,
    )


def keep_refusal(
    request: Request, pool: str, refused: InvalidSpec, *, pools: Pools, engine: Engine
) -> WorkflowId | None:
    """The id under which a refused submission is found again. None: it has no name, or twenty
    others of that name were faster; who submitted hears why it was refused all the same."""
    if refused.kept_as is None:
        return None
    known = placing.named(pool, pools)[0]
    uuid, now = WorkflowUuid(engine.ids()), engine.clock()
    for _ in range(NUMBER_ATTEMPTS):
        number = engine.workflows.next_number(refused.kept_as)
        workflow = Workflow(
            id=WorkflowId(f"{refused.kept_as}-{number}"),
            uuid=uuid,
            name=refused.kept_as,
            user=request.user,
            pool=known.name,
            backend=known.backend,
            submitted_at=now,
            ended_at=now,
            status=WorkflowStatus.FAILED_SUBMISSION,
            priority=request.priority,
            parent=request.parent,
            app=request.app,
            refusal=str(refused)[:REFUSAL_CHARS],
        )
        with suppress(Conflict):
            return engine.workflows.create(Creation(workflow, number, groups=(), jobs=()))
    return None


def _create(creation: Creation, engine: Engine) -> tuple[WorkflowId, tuple[Job, ...]]:
    """Its id, and the jobs to ring for. Raises `Conflict`."""
    if creation_actions(creation) <= TRANSACTION_ACTIONS and creation.workflow.shards == 1:
        return engine.workflows.create(creation), creation.jobs
    workflow = creation.workflow
    removal = a_new_job(
        RemoveWorkflow(workflow.id),
        ids=engine.ids,
        now=workflow.submitted_at,
        delay=REMOVE_AFTER,
    )
    engine.workflows.reserve(
        Reservation(
            workflow=workflow.id,
            name=workflow.name,
            number=creation.number,
            removal=removal,
            by=workflow.user,
            at=workflow.submitted_at,
        )
    )
    for part in layings(creation, removal.id):
        engine.workflows.lay(part)
    start = a_new_job(SweepWorkflow(workflow.id), ids=engine.ids, now=engine.clock())
    started = replace(workflow, sweeping=Sweeping(start.id, "start"))
    last = replace(creation, workflow=started, groups=(), jobs=(start,), removal=removal.id)
    return engine.workflows.create(last), last.jobs


def layings(creation: Creation, removal: JobId) -> Iterator[Laying]:
    """The rows of the groups in parts that fit a transaction each, in the order of the spec. A
    group with more tasks than one holds is divided; its own row comes with the first of them."""
    workflow = creation.workflow
    counts = _counts_by_shard((group.id for group in creation.groups), workflow.shards)
    numbers = count(1)
    groups: list[Group] = []
    positions: list[int] = []
    tasks: list[tuple[GroupId, int, Task]] = []

    def part() -> Laying:
        made = Laying(
            workflow=workflow,
            part=next(numbers),
            groups=tuple(groups),
            positions=tuple(positions),
            removal=removal,
            tasks=tuple(tasks),
        )
        groups.clear()
        positions.clear()
        tasks.clear()
        return made

    if counts:
        yield replace(part(), counts=counts)
    room = LAY_ACTIONS
    for position, group in enumerate(creation.groups):
        if (groups or tasks) and 1 + len(group.tasks) > room:
            yield part()
            room = LAY_ACTIONS
        fitting = group.tasks[: room - 1]
        groups.append(replace(group, tasks=fitting))
        positions.append(position)
        room -= 1 + len(fitting)
        for place, task in enumerate(group.tasks[len(fitting) :], len(fitting)):
            if not room:
                yield part()
                room = LAY_ACTIONS
            tasks.append((group.id, place, bare(group, task)))
            room -= 1
    if groups or tasks:
        yield part()


def _counts_by_shard(groups: Iterable[GroupId], shards: int) -> dict[int, Counts]:
    """Nothing where the counts are in the workflow's own row."""
    if shards == 1:
        return {}
    live = Counter(map(shard_of, groups))
    return {shard: Counts(live[shard]) for shard in range(shards)}


def _placed(plan: WorkflowPlan, pool: Pool) -> WorkflowPlan:
    """Tasks that name no platform, or ask for nothing, get the pool's defaults, for good: a later
    change of the pool does not move a workflow that was submitted before. What the pool says of
    exit codes comes after what the task says."""

    def on_platform(task: TaskPlan) -> TaskPlan:
        platform = task.resources.platform or pool.default_platform
        asked = wanted(task.resources, pool, pool.platforms.get(platform or ""))
        return replace(
            task,
            resources=replace(asked, platform=platform),
            exit_rules=(*task.exit_rules, *pool.exit_rules),
        )

    groups = (
        replace(group, tasks=tuple(on_platform(task) for task in group.tasks))
        for group in plan.groups
    )
    limits = bounded(plan.limits, pool, plan.own_limits)
    return replace(plan, groups=tuple(groups), limits=limits)


def _creation(
    request: Request,
    checked: Checked,
    uuid: WorkflowUuid,
    number: int,
    engine: Engine,
) -> Creation:
    now = engine.clock()
    plan = checked.plan
    tasks = sum(len(group.tasks) for group in plan.groups)
    shards = 1 if tasks <= ONE_SHARD_TASKS else SHARDS
    ids = {group.name: _group_id(engine.ids(), at % shards) for at, group in enumerate(plan.groups)}
    counts = _counts_by_shard(ids.values(), shards)
    workflow = Workflow(
        id=WorkflowId(f"{plan.name}-{number}"),
        uuid=uuid,
        name=plan.name,
        user=request.user,
        pool=checked.pool.name,
        backend=checked.pool.backend,
        submitted_at=now,
        counts=Counts(len(plan.groups) if shards == 1 else 0),
        shards=shards,
        amounts={shard: amount(of_shard) for shard, of_shard in counts.items()},
        priority=request.priority,
        labels=plan.labels,
        parent=request.parent,
        app=request.app,
        heard_by=request.heard_by,
        templated=checked.template is not None,
        limits=plan.limits,
        placement=checked.placement,
    )
    downstream = _downstream(plan, ids)
    groups = [
        ready(_group(group, ids[group.name], workflow, downstream[group.name], checked.asked), now)[
            0
        ]
        for group in plan.groups
    ]
    starting = [group for group in groups if to_start(group)]
    return Creation(
        workflow=workflow,
        number=number,
        groups=tuple(groups),
        jobs=start_jobs(workflow.id, starting, ids=engine.ids, now=now),
        idempotency=request.idempotency,
        request=request.fingerprint,
    )


def _group_id(fresh: str, shard: int) -> GroupId:
    return GroupId(f"{shard:x}{fresh[1:]}")


def _downstream(plan: WorkflowPlan, ids: Mapping[str, GroupId]) -> dict[str, list[GroupId]]:
    downstream: dict[str, list[GroupId]] = {group.name: [] for group in plan.groups}
    for group in plan.groups:
        for name in group.upstream:
            downstream[name].append(ids[group.name])
    return downstream


def _group(
    group: GroupPlan,
    id: GroupId,
    workflow: Workflow,
    downstream: Sequence[GroupId],
    asked: Mapping[TaskName, Amounts],
) -> Group:
    return Group(
        id=id,
        workflow=workflow.id,
        name=group.name,
        backend=workflow.backend,
        tasks=tuple(
            Task(
                TaskName(task.name),
                lead=task.lead,
                exit_rules=task.exit_rules,
                wants=asked.get(task.name),
            )
            for task in group.tasks
        ),
        waits_for=len(group.upstream),
        downstream=tuple(downstream),
        ignore_nonlead_status=group.ignore_nonlead_status,
        shards=workflow.shards,
        limits=workflow.limits,
        waiting_since=workflow.submitted_at if workflow.limits.waiting else None,
    )
