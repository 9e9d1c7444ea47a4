"""Apps: specs under a name, which others submit."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from functions.core_service import listed
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View, time
from xylem.domain.app import NAME, NAME_CHARS, App, AppVersion, version_of
from xylem.domain.errors import InvalidRequest
from xylem.usecases import apps

router = APIRouter(prefix="/api/app")

MOST_VERSIONS = 1_000
"""Of one answer."""

Name = Annotated[str, Path(pattern=NAME, max_length=NAME_CHARS)]
Spec = Annotated[Text, Body()]
Number = Annotated[int, Query(ge=1, le=10**9)]


class ListQuery(BaseModel):
    name: str = ""
    users: list[str] = []
    all_users: bool = False
    offset: int = 0
    limit: int = 20
    order: listed.Order = listed.Order.ASC


@router.get("")
def list_apps(query: Annotated[ListQuery, Query()], who: User, has: Has) -> View:
    """Without `users` and `all_users`: what the caller made a version of, or submitted."""
    everybody = query.all_users or query.users
    found = apps.page(
        apps.Filter(
            name=query.name,
            users=() if query.all_users else query.users,
            of=None if everybody else who.subject,
        ),
        apps=has.apps,
        limit=query.limit,
        offset=query.offset,
        newest_first=query.order is listed.Order.DESC,
    )
    return {"apps": [_entry(app) for app in found.apps], "more_entries": found.more}


@router.get("/user/{name}")
def get_app(
    name: Name,
    who: User,
    has: Has,
    version: Number | None = None,
    limit: int = 20,
    order: listed.Order = listed.Order.ASC,
) -> View:
    """Its newest versions; the newest last unless `order` says otherwise."""
    if not 0 < limit <= MOST_VERSIONS:
        raise InvalidRequest(f"limit is {limit}: it must be from 1 to {MOST_VERSIONS}.")
    app = apps.find(name, apps=has.apps)
    versions = app.versions if version is None else (version_of(app, version),)
    newest = versions[-limit:]
    shown = newest if order == "ASC" else newest[::-1]
    return {
        "uuid": app.uuid,
        "name": app.name,
        "description": app.description,
        "created_date": time(app.created_at),
        "owner": app.owner,
        "versions": [_version(one) for one in shown],
    }


@router.post("/user/{name}")
def create_app(name: Name, description: str, body: Spec, who: User, has: Has) -> None:
    """`body`: the YAML, as a string of JSON."""
    apps.create(
        name,
        description,
        body,
        apps=has.apps,
        store=has.engine.store,
        ids=has.engine.ids,
        by=who.subject,
        now=has.engine.clock(),
    )


@router.patch("/user/{name}")
def add_version(name: Name, body: Spec, who: User, has: Has) -> View:
    app, made = apps.add_version(
        name,
        body,
        apps=has.apps,
        store=has.engine.store,
        by=who.subject,
        now=has.engine.clock(),
    )
    return {
        "uuid": app.uuid,
        "version": made.number,
        "name": app.name,
        "created_by": made.created_by,
        "created_date": time(made.created_at),
    }


@router.delete("/user/{name}")
def delete_versions(
    name: Name,
    who: User,
    has: Has,
    version: Number | None = None,
    all_versions: bool = False,
) -> View:
    gone = apps.delete(name, version, every=all_versions, apps=has.apps, by=who.subject)
    return {"versions": gone}


@router.post("/user/{name}/rename")
def rename_app(name: Name, body: Spec, who: User, has: Has) -> str:
    apps.rename(name, body, apps=has.apps, by=who.subject)
    return body


@router.get("/user/{name}/spec", response_class=PlainTextResponse)
def get_app_spec(
    name: Name, who: User, has: Has, version: Number | None = None
) -> PlainTextResponse:
    text = apps.text_of(name, version, apps=has.apps, store=has.engine.store)
    return PlainTextResponse(text)


def _entry(app: App) -> View:
    return {
        "uuid": app.uuid,
        "name": app.name,
        "description": app.description,
        "created_date": time(app.created_at),
        "owner": app.owner,
        "latest_version": app.ready[-1].number,
    }


def _version(one: AppVersion) -> View:
    return {
        "version": one.number,
        "created_by": one.created_by,
        "created_date": time(one.created_at),
        "status": one.status,
    }
