"""Tags of workflows: words that an admin allows, and whose workflow it is sets."""

from collections.abc import Collection

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName, WorkflowId
from xylem.domain.values import replace
from xylem.usecases import apply
from xylem.usecases.apply import Engine
from xylem.usecases.draft import Draft


def change(
    workflow: WorkflowId,
    *,
    add: Collection[str],
    remove: Collection[str],
    allowed: Collection[str],
    by: UserName,
    engine: Engine,
) -> None:
    """Also of one that ended. Raises `InvalidRequest`, in OSMO's recorded words."""
    if not add and not remove:
        raise InvalidRequest("No tags specified!", code="USER")
    if not set(add) <= set(allowed):
        raise InvalidRequest(
            "Invalid tag detected. Users can only set specified tags: "
            f"{', '.join(allowed) or 'none, until an admin sets some'}",
            code="USER",
        )

    def fold(draft: Draft) -> None:
        before = draft.workflow()
        tags = tuple(sorted({*before.tags, *add} - set(remove)))
        if tags != before.tags:
            draft.change_workflow(replace(before, tags=tags))

    apply.change(workflow, f"tagged by {by}", fold, engine=engine)
