"""What a cluster said of a workflow's pods."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from functions.core_service.identity import User, require_read
from functions.core_service.names import NAME_CHARS, Name
from functions.core_service.services import Has
from xylem.usecases import events

router = APIRouter(prefix="/api/workflow/{name}/events")


@router.get("", response_class=PlainTextResponse)
def get_events(
    name: Name,
    who: User,
    has: Has,
    task_name: Annotated[str | None, Query(max_length=NAME_CHARS)] = None,
    retry_id: int | None = None,
) -> PlainTextResponse:
    """What is there now: it ends, where OSMO's goes on until the workflow is cleaned up."""
    workflows = has.engine.workflows
    require_read(who, workflows.workflow(workflows.resolve(name)).value, has)
    lines = events.text(name, task=task_name, retry=retry_id, workflows=workflows)
    return PlainTextResponse("".join(f"{line}\n" for line in lines))
