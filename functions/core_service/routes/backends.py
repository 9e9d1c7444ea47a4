"""Backends: the clusters that dial in. OSMO's routes show and remove them; ours, below
`/api/backend`, register and drain."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel

from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View, time
from xylem.domain.access import require_admin
from xylem.domain.errors import UnknownBackend
from xylem.domain.ids import BackendName
from xylem.usecases import joining

router = APIRouter(prefix="/api")

NAME_CHARS = 256
"""More than any name has; DynamoDB refuses a key of more than 2 KB."""


class RegisterRequest(BaseModel):
    """`digest`: the SHA-256 of the credential, which itself never comes here."""

    digest: str
    renew: bool = False


class DeleteRequest(BaseModel):
    description: Text | None = None
    tags: list[Text] | None = None
    force: bool = False


@router.get("/configs/backend")
def list_backends(who: User, has: Has) -> View:
    found = joining.listed(has.backends, has.engine.clock())
    return {"backends": [_view(one) for one in found]}


@router.get("/configs/backend/{name}")
def get_backend(name: str, who: User, has: Has) -> View:
    return _view(joining.find(_name(name), has.backends, has.engine.clock()))


@router.delete("/configs/backend/{name}")
def delete_backend(
    name: str, who: User, has: Has, body: Annotated[DeleteRequest | None, Body()] = None
) -> None:
    require_admin(who)
    force = body is not None and body.force
    joining.remove(_name(name), force=force, by=who.subject, engine=has.joining)


@router.put("/backend/{name}")
def register(name: str, body: RegisterRequest, who: User, has: Has) -> View:
    """What its operator has to be told beside its credential comes back."""
    require_admin(who)
    found = joining.register(
        BackendName(name[:NAME_CHARS]),
        body.digest,
        renew=body.renew,
        by=who.subject,
        engine=has.joining,
    )
    return {**_view(found), "websocket_url": has.websocket_url}


@router.put("/backend/{name}/drain")
def drain(name: str, who: User, has: Has) -> View:
    require_admin(who)
    return _view(joining.drain(_name(name), undo=False, by=who.subject, engine=has.joining))


@router.delete("/backend/{name}/drain")
def undrain(name: str, who: User, has: Has) -> View:
    require_admin(who)
    return _view(joining.drain(_name(name), undo=True, by=who.subject, engine=has.joining))


def _name(text: str) -> BackendName:
    """Raises `UnknownBackend`."""
    if len(text) > NAME_CHARS:
        raise UnknownBackend(f"Backend {text[:NAME_CHARS]}... not found: no name is that long.")
    return BackendName(text)


def _view(it: joining.Known) -> View:
    """OSMO's fields, then ours. What OSMO keeps here and Xylem elsewhere, or not at all, has the
    value that it has there before anybody sets it."""
    backend, registered = it.backend, it.registration
    since = time(it.since)
    return {
        "name": it.name,
        "description": "",
        "version": backend.version if backend is not None else "",
        "k8s_uid": backend.cluster_uid if backend is not None else "",
        "k8s_namespace": "",
        "dashboard_url": "",
        "grafana_url": "",
        "tests": [],
        "scheduler_settings": {
            "scheduler_type": "kai",
            "scheduler_name": "kai-scheduler",
            "scheduler_timeout": 30,
        },
        "node_conditions": {"rules": {"Ready": "True"}, "prefix": "osmo.nvidia.com/"},
        "last_heartbeat": time(backend.last_seen) if backend is not None else since,
        "created_date": since,
        "router_address": "",
        "online": it.online,
        "joined": backend is not None,
        "draining": it.state == "draining",
        "registered_by": registered.by if registered is not None else "",
    }
