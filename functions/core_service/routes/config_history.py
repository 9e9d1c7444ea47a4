"""The history of configs, and what an admin does with it."""

from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from functions.core_service import config_views, listed
from functions.core_service.config_notes import MOST_REVISION, Change, Tags, noted
from functions.core_service.identity import User
from functions.core_service.services import Has, change_configs
from functions.core_service.views import View
from xylem.domain import granting
from xylem.domain.access import require
from xylem.domain.config import ConfigKind
from xylem.domain.errors import InvalidRequest
from xylem.usecases import config_history

router = APIRouter(prefix="/api/configs")

Number = Annotated[int, Field(gt=0, le=MOST_REVISION)]


class HistoryQuery(BaseModel):
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(gt=0, le=1_000)] = 20
    order: listed.Order = listed.Order.ASC
    config_types: list[listed.ConfigHistoryType] = []
    name: str | None = None
    revision: Number | None = None
    tags: list[str] = []
    created_before: datetime | None = None
    created_after: datetime | None = None
    at_timestamp: datetime | None = None
    omit_data: bool = False

    @field_validator("at_timestamp")
    @classmethod
    def alone(cls, at: datetime | None, known: ValidationInfo) -> datetime | None:
        for other in ("created_before", "created_after"):
            if at is not None and known.data.get(other) is not None:
                raise ValueError(f"Cannot specify both at_timestamp and {other}")
        return at


class RollBackRequest(Change):
    model_config = ConfigDict(json_schema_extra={"example": {"config_type": "POOL", "revision": 3}})

    config_type: ConfigKind
    revision: Number


class TagsRequest(BaseModel):
    set_tags: Annotated[Tags, Field(min_length=1)] | None = None
    delete_tags: Annotated[Tags, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def any(self) -> Self:
        if self.set_tags is None and self.delete_tags is None:
            raise ValueError("At least one of set_tags or delete_tags must be provided")
        return self


@router.get("/history")
def get_history(query: Annotated[HistoryQuery, Query()], who: User, has: Has) -> View:
    wanted = config_history.Filter(
        kinds=[ConfigKind(one) for one in query.config_types] or tuple(ConfigKind),
        name=query.name,
        number=query.revision,
        tags=query.tags,
        before=_utc(query.created_before),
        after=_utc(query.created_after),
        at=_utc(query.at_timestamp),
    )
    found = config_history.page(
        wanted,
        rows=has.configs.rows,
        limit=query.limit,
        offset=query.offset,
        newest_first=query.order is listed.Order.DESC,
    )
    with_data = not query.omit_data
    return {"configs": [config_views.revision(one, with_data=with_data) for one in found]}


@router.get("/diff")
def get_diff(
    config_type: listed.ConfigHistoryType,
    first_revision: Number,
    second_revision: Number,
    who: User,
    has: Has,
) -> View:
    first, second = (
        config_history.find(ConfigKind(config_type), number, rows=has.configs.rows)
        for number in (first_revision, second_revision)
    )
    return {"first_data": config_views.data(first), "second_data": config_views.data(second)}


@router.post("/history/rollback")
def roll_back(body: RollBackRequest, who: User, has: Has) -> None:
    """A change of that kind of config, for whoever may change it in any other way."""
    kind = body.config_type
    require(who, "config:Update", f"config/{kind.lower()}", has.configs.roles)
    config_history.roll_back(
        kind,
        body.revision,
        configs=has.configs,
        change_book=lambda into, note: change_configs(into, who, has, note),
        require_roles=lambda before, after: granting.require(
            who, granting.gained(before, after), lambda: before
        ),
        author=who.subject,
        now=has.engine.clock(),
        note=noted(body, kind, "", ""),
    )


@router.delete("/history/{config_type}/revision/{revision}")
def delete_revision(config_type: str, revision: Number, who: User, has: Has) -> None:
    kind = _kind(config_type)
    config_history.delete(kind, revision, rows=has.configs.rows, by=who.subject)


@router.post("/history/{config_type}/revision/{revision}/tags")
def tag_revision(
    config_type: str, revision: Number, body: TagsRequest, who: User, has: Has
) -> None:
    config_history.tag(
        _kind(config_type),
        revision,
        add=body.set_tags or (),
        remove=body.delete_tags or (),
        rows=has.configs.rows,
    )


def _kind(text: str) -> ConfigKind:
    """Raises `InvalidRequest`, in OSMO's recorded words."""
    try:
        return ConfigKind(text.upper())
    except ValueError:
        raise InvalidRequest(f'Invalid config type "{text[:63]}"', code="USER") from None


def _utc(at: datetime | None) -> datetime | None:
    """OSMO's clients send naive UTC."""
    if at is None or at.tzinfo is not None:
        return at
    return at.replace(tzinfo=UTC)
