"""Sessions as OSMO's client asks for them: refused, with the word for what does it here.

Its sockets carry binary frames, which API Gateway closes with 1003; so nothing that would come of
an answer would work. What OSMO refuses by itself is refused in its words.
"""

from typing import Annotated

from fastapi import APIRouter, Query

from functions.core_service.identity import User, require_own
from functions.core_service.names import Name
from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.errors import Forbidden, Gone, InvalidRequest, NotYet
from xylem.domain.status import WorkflowStatus
from xylem.domain.workflow import Workflow
from xylem.spec.service_configs import workflow_form
from xylem.usecases import queries

router = APIRouter(prefix="/api")

MOST_PORTS = 30
"""OSMO's max_num_ports_per_task."""

Port = Annotated[int, Query(ge=1, le=65_535)]
Ports = Annotated[list[int], Query(max_length=MOST_PORTS)]


@router.post("/workflow/{name}/exec/task/{task_name}")
def exec_in_task(name: Name, task_name: str, entry_command: str, who: User, has: Has) -> View:
    found = _running(name, "workflow:Exec", who, has)
    queries.find_task(queries.describe(found.id, workflows=has.engine.workflows), task_name)
    raise _refusal(found, "exec")


@router.post("/workflow/{name}/exec/group/{group_name}")
def exec_in_group(name: Name, group_name: str, entry_command: str, who: User, has: Has) -> View:
    raise _refusal(_running(name, "workflow:Exec", who, has), "exec")


@router.post("/workflow/{name}/portforward/{task_name}")
def forward_ports(
    name: Name,
    task_name: str,
    who: User,
    has: Has,
    task_ports: Ports = [],  # noqa: B006 - never changed
    use_udp: bool = False,
) -> View:
    if not task_ports:
        raise InvalidRequest("No port is provided!", code="USER")
    raise _refusal(_running(name, "workflow:PortForward", who, has), "port-forward")


@router.post("/workflow/{name}/webserver/{task_name}")
def open_web_server(name: Name, task_name: str, task_port: Port, who: User, has: Has) -> View:
    raise _refusal(_running(name, "workflow:PortForward", who, has), "port-forward")


@router.post("/workflow/{name}/rsync/task/{task_name}")
def rsync(name: Name, task_name: str, who: User, has: Has) -> View:
    found = queries.describe(name, workflows=has.engine.workflows, with_groups=False).workflow
    require_own(who, "workflow:Rsync", found, has)
    raise Forbidden("Rsync is not enabled for this workflow!", code="USER", workflow=found.id)


@router.get("/plugins/configs")
def get_plugins(who: User, has: Has) -> View:
    return workflow_form(has.configs.workflow()).plugins_config.model_dump()


def _running(name: str, action: str, who: User, has: Has) -> Workflow:
    """Raises `Gone`, `NotYet`, `Forbidden`, `UnknownWorkflow`."""
    found = queries.describe(name, workflows=has.engine.workflows, with_groups=False).workflow
    require_own(who, action, found, has)
    if found.status.final:
        raise Gone(f"Workflow {found.id} is not running!", code="USER", workflow=found.id)
    if found.status is not WorkflowStatus.RUNNING:
        raise NotYet(f"Workflow {found.id} is not running yet.", code="USER", workflow=found.id)
    return found


def _refusal(workflow: Workflow, command: str) -> InvalidRequest:
    return InvalidRequest(
        f"{command} is not for OSMO's client here: its sockets carry binary frames, which this API "
        "closes. Use Xylem's own client, `xylem`.",
        code="USER",
        workflow=workflow.id,
    )
