"""Whether the user, or else the pool, has the credentials that a plan asks for: checked when it is
submitted.

It is apart from `credentials`, which the Worker needs, because it tells places in the spec, and
what reads specs is nothing to start a Worker with.
"""

from collections.abc import Mapping, Sequence

from xylem import spec
from xylem.domain.credential import keeper_of
from xylem.domain.ids import PoolName, UserName
from xylem.domain.plan import CredentialUse, TaskPlan, WorkflowPlan
from xylem.ports.configs import Credentials
from xylem.usecases.credentials import lacking


def require(
    plan: WorkflowPlan,
    user: UserName,
    *,
    pool: PoolName,
    credentials: Credentials,
    of: spec.Specification | None = None,
) -> None:
    """Raises `InvalidSpec` with all that is wrong, by task. Reads nothing for a plan that names
    none. `of`: what the user wrote of it."""
    uses = [
        (task, use) for group in plan.groups for task in group.tasks for use in task.credentials
    ]
    if not uses:
        return
    keys = {
        known.name: known.keys
        for owner in (keeper_of(pool), user)
        for known in credentials.all(owner)
    }
    problems = []
    for task, use in uses:
        if text := _fault(task, use, keys):
            at = spec.place_of(task.name, plan, of.written if of else None)
            problems.append(spec.problem("CREDENTIAL", (*at, "credentials", use.name), text))
    if problems:
        raise spec.refusal(of.on_lines(problems) if of else problems, kept_as=plan.name)


def _fault(task: TaskPlan, use: CredentialUse, keys: Mapping[str, Sequence[str]]) -> str | None:
    if use.name not in keys:
        return (
            f"Task {task.name} asks for the credential {use.name}, which neither you have nor its "
            f"pool: `xylem credential set {use.name} --payload KEY=VALUE` makes it."
        )
    if missing := lacking(use, keys[use.name]):
        return (
            f"Task {task.name} asks for {', '.join(missing)} of the credential {use.name}, "
            f"which has {', '.join(keys[use.name])}."
        )
    return None
