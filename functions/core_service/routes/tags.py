"""Tags of workflows, and which there may be."""

from typing import Annotated

from fastapi import APIRouter, Query

from functions.core_service.identity import User, require_own
from functions.core_service.names import Name
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.usecases import queries, tags

router = APIRouter(prefix="/api")

MOST = 50

Tags = Annotated[list[str], Query(max_length=MOST)]


@router.get("/tag")
def list_tags(who: User, has: Has) -> View:
    return {"tags": list(has.configs.workflow().tags)}


@router.post("/workflow/{name}/tag")
def tag_workflow(
    name: Name,
    who: User,
    has: Has,
    add: Tags = [],  # noqa: B006 - never changed
    remove: Tags = [],  # noqa: B006 - never changed
) -> None:
    found = queries.describe(name, workflows=has.engine.workflows, with_groups=False).workflow
    require_own(who, "workflow:Update", found, has)
    tags.change(
        found.id,
        add=add,
        remove=remove,
        allowed=has.configs.workflow().tags,
        by=who.subject,
        engine=has.engine,
    )
