"""Pools: which there are, and an admin's word on one of them."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from functions.core_service import views
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain.access import require_admin
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.pool import Platform, Pool
from xylem.protocol.limits import OFFLINE_AFTER

router = APIRouter(prefix="/api")


class PlatformConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: Text = ""


class PoolConfig(BaseModel):
    """What this release lets an admin say of a pool."""

    model_config = ConfigDict(extra="forbid")

    backend: Annotated[str, Field(pattern=r"^[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$")]
    description: Text = ""
    default_platform: Text | None = None
    platforms: Mapping[Text, PlatformConfig] = {}


class PutPoolRequest(BaseModel):
    configs: PoolConfig
    description: Text = ""


PoolNameParameter = Annotated[str, Field(pattern=r"^[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$")]


class PoolQuery(BaseModel):
    pools: list[str] = []


@router.get("/pool")
def list_pools(query: Annotated[PoolQuery, Query()], who: User, has: Has) -> View:
    online = {
        backend.name
        for backend in has.backends.all()
        if backend.connection and has.engine.clock() - backend.last_seen <= OFFLINE_AFTER
    }
    found = [pool for pool in has.pools.all() if not query.pools or pool.name in query.pools]
    return {"pools": {one.name: views.pool(one, online=one.backend in online) for one in found}}


@router.put("/configs/pool/{name}")
def put_pool(name: PoolNameParameter, body: PutPoolRequest, who: User, has: Has) -> None:
    require_admin(who)
    config = body.configs
    if config.default_platform and config.default_platform not in config.platforms:
        raise InvalidRequest(
            f"default_platform is {config.default_platform}: name one of the pool's platforms, "
            f"{', '.join(sorted(config.platforms)) or 'of which there are none'}."
        )
    pool = Pool(
        name=PoolName(name),
        backend=BackendName(config.backend),
        description=config.description,
        default_platform=config.default_platform,
        platforms={
            key: Platform(description=one.description) for key, one in config.platforms.items()
        },
    )
    has.pools.put(pool, author=who.subject, now=has.engine.clock())
