"""Configs of the whole service: what holds for it, and for all workflows."""

from collections.abc import Callable

from fastapi import APIRouter
from pydantic import JsonValue

from functions.core_service import config_views
from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.config import ConfigKind, ServiceConfig, WorkflowConfig
from xylem.spec import service_configs
from xylem.spec.service_configs import ServiceForm, WorkflowForm

router = APIRouter(prefix="/api/configs")


class PatchRequest(Change):
    configs_dict: dict[str, JsonValue]


class PutWorkflow(Change):
    configs: WorkflowForm


class PutService(Change):
    configs: ServiceForm


@router.get("/workflow")
def get_workflow_config(who: User, has: Has) -> View:
    return config_views.workflow(has.configs.workflow())


@router.put("/workflow")
def put_workflow_config(body: PutWorkflow, who: User, has: Has) -> View:
    config = service_configs.workflow_config(body.configs)
    return _change_workflow(lambda _: config, body, "Updated workflow configuration", who, has)


@router.patch("/workflow")
def patch_workflow_config(body: PatchRequest, who: User, has: Has) -> View:
    """What is named is replaced, objects key by key, lists as a whole."""

    def into(config: WorkflowConfig) -> WorkflowConfig:
        form = service_configs.workflow_form(config)
        return service_configs.workflow_config(service_configs.patched(form, body.configs_dict))

    return _change_workflow(into, body, "Patched workflow configuration", who, has)


@router.get("/service")
def get_service_config(who: User, has: Has) -> View:
    return config_views.service(has.configs.service(), has.signer)


@router.put("/service")
def put_service_config(body: PutService, who: User, has: Has) -> View:
    config = service_configs.service_config(body.configs)
    return _change_service(lambda _: config, body, "Updated service configuration", who, has)


@router.patch("/service")
def patch_service_config(body: PatchRequest, who: User, has: Has) -> View:
    """As of workflows."""

    def into(config: ServiceConfig) -> ServiceConfig:
        form = service_configs.service_form(config)
        return service_configs.service_config(service_configs.patched(form, body.configs_dict))

    return _change_service(into, body, "Patched service configuration", who, has)


def _change_workflow(
    into: Callable[[WorkflowConfig], WorkflowConfig],
    body: Change,
    otherwise: str,
    who: User,
    has: Has,
) -> View:
    after = has.configs.change_workflow(
        into,
        author=who.subject,
        now=has.engine.clock(),
        note=noted(body, ConfigKind.WORKFLOW, "", otherwise),
    )
    return config_views.workflow(after)


def _change_service(
    into: Callable[[ServiceConfig], ServiceConfig],
    body: Change,
    otherwise: str,
    who: User,
    has: Has,
) -> View:
    after = has.configs.change_service(
        into,
        author=who.subject,
        now=has.engine.clock(),
        note=noted(body, ConfigKind.SERVICE, "", otherwise),
    )
    return config_views.service(after, has.signer)
