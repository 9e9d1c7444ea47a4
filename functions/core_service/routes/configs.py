"""Configs of the whole service. Today: what an admin sets for all workflows."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain.access import require_admin
from xylem.domain.config import MOST_TASKS, WorkflowConfig

router = APIRouter(prefix="/api/configs")

MOST_RETRIES = 1_000

Retries = Annotated[int, Field(ge=0, le=MOST_RETRIES)]


class WorkflowChanges(BaseModel):
    """What this release lets an admin set; what is not named stays as it is."""

    model_config = ConfigDict(extra="forbid")

    max_num_tasks: Annotated[int, Field(ge=1, le=MOST_TASKS)] = MOST_TASKS
    max_retry_per_task: Retries = 0
    max_retry_disrupted: Retries = 0
    keep_refused_submissions: bool = False


class PatchWorkflowRequest(BaseModel):
    configs_dict: WorkflowChanges
    description: Text = ""


@router.get("/workflow")
def get_workflow_config(who: User, has: Has) -> View:
    require_admin(who)
    return _view(has.configs.workflow())


@router.patch("/workflow")
def patch_workflow_config(body: PatchWorkflowRequest, who: User, has: Has) -> View:
    require_admin(who)
    changes = body.configs_dict.model_dump(exclude_unset=True)
    now = has.engine.clock()
    return _view(has.configs.patch_workflow(changes, author=who.subject, now=now))


def _view(config: WorkflowConfig) -> View:
    return {
        "max_num_tasks": config.max_num_tasks,
        "max_retry_per_task": config.max_retry_per_task,
        "max_retry_disrupted": config.max_retry_disrupted,
        "keep_refused_submissions": config.keep_refused_submissions,
    }
