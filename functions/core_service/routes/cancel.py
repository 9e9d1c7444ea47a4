"""The end of a workflow, asked for."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from functions.core_service.identity import User, require_own
from functions.core_service.names import Name
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.errors import InvalidRequest
from xylem.usecases import cancel, queries

router = APIRouter(prefix="/api/workflow/{name}/cancel")

MESSAGE_CHARS = 1_000
"""It is written into every task that is cancelled."""


class CancelQuery(BaseModel):
    message: str | None = None
    force: bool = False


@router.post("")
def cancel_workflow(
    name: Name, query: Annotated[CancelQuery, Query()], who: User, has: Has
) -> View:
    """Answers when the cancel is recorded; clusters end what they hold in their own time."""
    found = queries.describe(name, workflows=has.engine.workflows, with_groups=False).workflow
    require_own(who, "workflow:Cancel", found, has)
    message = query.message or ""
    if len(message) > MESSAGE_CHARS:
        raise InvalidRequest(
            f"message has {len(message)} characters; the most is {MESSAGE_CHARS}.", code="USER"
        )
    id = cancel.cancel(
        found.id, by=who.subject, message=message, force=query.force, engine=has.engine
    )
    return {"name": id}
