"""Backends: the clusters that dial in. OSMO's routes show, configure and remove them; ours, below
`/api/backend`, register and drain."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from functions.core_service import backend_views
from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has, change_configs
from functions.core_service.views import View
from xylem.domain.config import ConfigKind
from xylem.domain.errors import InvalidRequest, UnknownBackend
from xylem.domain.ids import BackendName
from xylem.domain.pool_book import BackendConfig
from xylem.spec.backends import BackendForm, put_backend
from xylem.spec.pools import NAME
from xylem.usecases import joining

router = APIRouter(prefix="/api")

ConfigName = Annotated[str, Field(pattern=NAME, max_length=63)]

NAME_CHARS = 256
"""More than any name has; DynamoDB refuses a key of more than 2 KB."""


class RegisterRequest(BaseModel):
    """`digest`: the SHA-256 of the credential, which itself never comes here."""

    digest: str
    renew: bool = False


class DeleteRequest(Change):
    force: bool = False


class PostRequest(Change):
    configs: BackendForm


@router.get("/configs/backend")
def list_backends(who: User, has: Has) -> View:
    found = joining.listed(has.backends, has.engine.clock())
    return {"backends": _views(found, has)}


@router.get("/configs/backend/{name}")
def get_backend(name: str, who: User, has: Has) -> View:
    return _shown(joining.find(_name(name), has.backends, has.engine.clock()), has)


@router.post("/configs/backend/{name}")
def post_backend(name: ConfigName, body: PostRequest, who: User, has: Has) -> None:
    """Also of one that never said hello: its first group is rendered for its scheduler."""
    note = noted(body, ConfigKind.BACKEND, name, f"Updated backend '{name}'")
    change_configs(lambda book: put_backend(BackendName(name), body.configs, book), who, has, note)


@router.delete("/configs/backend/{name}")
def delete_backend(
    name: str, who: User, has: Has, body: Annotated[DeleteRequest | None, Body()] = None
) -> None:
    force = body is not None and body.force
    if body is not None and body.expected_revision is not None:
        raise InvalidRequest("expected_revision: a backend is no config that has revisions alone.")
    joining.remove(_name(name), force=force, by=who.subject, engine=has.joining)


@router.put("/backend/{name}")
def register(name: str, body: RegisterRequest, who: User, has: Has) -> View:
    """What its operator has to be told beside its credential comes back."""
    found = joining.register(
        BackendName(name[:NAME_CHARS]),
        body.digest,
        renew=body.renew,
        by=who.subject,
        engine=has.joining,
    )
    return {**_shown(found, has), "websocket_url": has.websocket_url}


@router.put("/backend/{name}/drain")
def drain(name: str, who: User, has: Has) -> View:
    return _shown(joining.drain(_name(name), undo=False, by=who.subject, engine=has.joining), has)


@router.delete("/backend/{name}/drain")
def undrain(name: str, who: User, has: Has) -> View:
    return _shown(joining.drain(_name(name), undo=True, by=who.subject, engine=has.joining), has)


def _name(text: str) -> BackendName:
    """Raises `UnknownBackend`."""
    if len(text) > NAME_CHARS:
        raise UnknownBackend(f"Backend {text[:NAME_CHARS]}... not found: no name is that long.")
    return BackendName(text)


def _shown(it: joining.Known, has: Has) -> View:
    [view] = _views([it], has)
    return view


def _views(found: Sequence[joining.Known], has: Has) -> list[View]:
    configs = has.pools.book().backends
    return [backend_views.backend(it, configs.get(it.name, BackendConfig())) for it in found]
