"""The Worker starts groups: renders their pods and puts them into their backend's mailbox.

The mailbox rows are written in the transaction that deletes the job's own row, on condition that
this row exists and under the version of each group that was rendered. So a job that is delivered
twice, or late, or performed by a process that stalled for an hour, starts nothing that was started
or ended meanwhile. Large payloads are stored before, under a name of this job's own; one that no
row came to name is swept by the bucket's lifecycle rule.

A payload holds the tasks' tokens and what users keep: its row is sealed, and what lies in the store
is locked with a data key that is in the row. An operator of an earlier release opens no lock; what
is too large for a frame lies in the open for it. The list of secrets that the pods are given is
stored before, too, sealed: the Logger masks them once more in what is printed.

On a backend that is drained nothing starts that was not there before: the job waits. What is there
goes on, so a task of a group that runs is tried again there.
"""

import gzip
from datetime import timedelta

from xylem import manifests
from xylem.domain.errors import Conflict
from xylem.domain.group import Group, HandedOver, StartImpossible, to_start
from xylem.domain.ids import mail_id
from xylem.domain.plan import GroupPlan
from xylem.domain.values import dataclass
from xylem.domain.workflow import Workflow
from xylem.ports.backends import Mail
from xylem.ports.configs import Credentials
from xylem.ports.jobs import Job, Jobs, StartGroups
from xylem.ports.task_secrets import TaskSecrets
from xylem.ports.task_tokens import Attempt, TaskTokens
from xylem.protocol.agent import CreatePayload
from xylem.protocol.limits import INLINE_PAYLOAD_BYTES
from xylem.usecases import credentials as secrets
from xylem.usecases import intents
from xylem.usecases.apply import Engine, tell
from xylem.usecases.clusters import is_open
from xylem.usecases.draft import Draft, a_new_job
from xylem.usecases.jobs import Held
from xylem.usecases.mailbox import sealed
from xylem.usecases.specs import SpecFile, spec_key

TOKEN_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the pods need that no row says. `runtime_image` holds the Task Runtime."""

    api_url: str
    runtime_image: str
    image_pull_policy: str


def start_groups(
    job: Job,
    work: StartGroups,
    *,
    engine: Engine,
    jobs: Jobs,
    tokens: TaskTokens,
    credentials: Credentials,
    task_secrets: TaskSecrets,
    rendering: Rendering,
) -> None:
    """Perform one job. Raises `Conflict` when others were faster too often, and `Held` while the
    backend is drained: the row stays.

    A job that failed is split first, so that one group that cannot be rendered holds up no
    other."""
    if job.attempts and len(work.groups) > 1:
        _split(job, work, engine)
        return

    def fold(draft: Draft) -> None:
        workflow = draft.workflow()
        _require_open(draft, work, workflow, engine)
        spec = _spec(workflow, engine)
        for id in work.groups:
            group = draft.group(id)
            if group is None or not to_start(group) or workflow.cancel is not None:
                continue
            draft.require_uncancelled()
            if spec is None:
                draft.decide(id, StartImpossible("The workflow's stored spec is missing."))
                continue
            plan = spec.plan.group(group.name)
            try:
                given = secrets.of_group(
                    plan,
                    workflow.user,
                    pool=workflow.pool,
                    runtime_image=rendering.runtime_image,
                    credentials=credentials,
                )
            except secrets.Missing as missing:
                draft.decide(id, StartImpossible(str(missing)))
                continue
            draft.decide(id, HandedOver())
            handed = draft.group(id)
            assert handed is not None
            facts = _facts(workflow, handed, spec, given, draft, tokens, rendering)
            if known := manifests.secrets_in(plan, facts):
                task_secrets.keep(id, handed.incarnation, handed.ordinal, known, now=draft.now)
            payload = _payload(plan, facts)
            draft.add_mail(_mail(job, handed, payload, draft, engine))
        draft.done(job.id)

    cause = f"job {job.id}: start groups"
    try:
        _, commit = intents.change_whole(work.workflow, cause, fold, engine=engine)
    except _Mixed:
        _split(job, work, engine)
        return
    except Conflict:
        if jobs.load(job.id) is None:
            return
        raise
    tell(commit, engine=engine)


class _Mixed(Exception):
    """Some groups of the job may go on, and others have to wait."""


def _require_open(draft: Draft, work: StartGroups, workflow: Workflow, engine: Engine) -> None:
    """Raises `Held`, `_Mixed`."""
    if workflow.cancel is not None or is_open(engine.backends, workflow.backend):
        return
    groups = [draft.group(id) for id in work.groups]
    wanted = [group for group in groups if group is not None and to_start(group)]
    waiting = [group for group in wanted if not group.placed]
    if waiting and len(waiting) < len(wanted):
        raise _Mixed
    if waiting:
        raise Held(f"backend {workflow.backend} is drained")


def _split(job: Job, work: StartGroups, engine: Engine) -> None:
    def fold(draft: Draft) -> None:
        for id in work.groups:
            alone = StartGroups(work.workflow, (id,))
            draft.add_job(a_new_job(alone, ids=engine.ids, now=draft.now))
        draft.done(job.id)

    _, commit = intents.change(work.workflow, f"job {job.id}: split", fold, engine=engine)
    tell(commit, engine=engine)


def _spec(workflow: Workflow, engine: Engine) -> SpecFile | None:
    body = engine.store.get(spec_key(workflow.uuid))
    return SpecFile.load(body) if body is not None else None


def _payload(plan: GroupPlan, facts: manifests.GroupFacts) -> bytes:
    objects = manifests.render(plan, facts)
    return gzip.compress(CreatePayload(objects=objects).model_dump_json().encode(), mtime=0)


def _facts(
    workflow: Workflow,
    group: Group,
    spec: SpecFile,
    given: secrets.Secrets,
    draft: Draft,
    tokens: TaskTokens,
    rendering: Rendering,
) -> manifests.GroupFacts:
    fresh = [task for task in group.tasks if task.ordinal == group.ordinal]
    expires = draft.now + TOKEN_LIFE
    return manifests.GroupFacts(
        workflow=workflow.id,
        workflow_uuid=workflow.uuid,
        group=group.id,
        incarnation=group.incarnation,
        restarts=group.restarts,
        user=workflow.user,
        pool=workflow.pool,
        priority=workflow.priority,
        labels=workflow.labels,
        retries={task.name: task.retry for task in fresh},
        tokens={
            task.name: tokens.sign(
                Attempt(workflow.id, group.id, group.incarnation, task.name, task.retry),
                expires=expires,
            )
            for task in fresh
        },
        api_url=rendering.api_url,
        runtime_image=rendering.runtime_image,
        image_pull_policy=rendering.image_pull_policy,
        limits=group.limits,
        credentials=given.named,
        stores=given.stores,
        registries=given.registries,
        runtime_registry=given.runtime_registry,
        scheduling=spec.scheduling,
        topology_labels=spec.topology_labels,
        scheduler=spec.scheduler,
        backend=group.backend,
        quota=spec.quota,
        group_objects=spec.group_objects,
        variables=spec.variables,
    )


def _create_before(group: Group) -> int:
    """The create that has to be done with first, answered or not; 0: this is the first. Pods of a
    retry are named in the anchor that the create before has made."""
    given = (group.placed, *(task.ordinal for task in group.tasks))
    return max((ordinal for ordinal in given if ordinal < group.ordinal), default=0)


def _mail(job: Job, group: Group, payload: bytes, draft: Draft, engine: Engine) -> Mail:
    key = None
    inline: bytes | None = payload
    if len(payload) > INLINE_PAYLOAD_BYTES:
        key = f"payloads/{group.id}/{group.incarnation}-{group.ordinal}-{job.id}"
        operator = engine.backends.backend(group.backend)
        locks = operator is None or operator.data_keys
        content, inline = engine.seals.lock(payload) if locks else (payload, None)
        engine.store.put(key, content)
    mail = Mail(
        id=mail_id(group.id, group.incarnation, group.ordinal),
        backend=group.backend,
        workflow=group.workflow,
        kind="create",
        ordinal=group.ordinal,
        after=_create_before(group),
        written_at=draft.now,
        payload=inline,
        payload_key=key,
    )
    return sealed(mail, seals=engine.seals)
