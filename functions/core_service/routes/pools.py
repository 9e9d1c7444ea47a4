"""Pools and resources: which there are and what is free."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from functions.core_service import pool_views
from functions.core_service.identity import User
from functions.core_service.services import Has, clusters_of
from functions.core_service.views import View
from xylem.domain.errors import InvalidRequest
from xylem.domain.placement import Site

router = APIRouter(prefix="/api")

NODE_CHARS = 253


class PoolQuery(BaseModel):
    """Without a name: all."""

    pools: list[str] = []
    all_pools: bool = True


class ResourceQuery(BaseModel):
    pools: list[str] = []
    platforms: list[str] = []
    all_pools: bool = False
    concise: bool = False


@router.get("/pool")
def list_pools(query: Annotated[PoolQuery, Query()], who: User, has: Has) -> View:
    found = _sites(has, query.pools, all_pools=query.all_pools, nodes=False)
    return {"pools": {one.pool.name: pool_views.pool(one) for one in found}}


@router.get("/pool_quota")
def list_quotas(query: Annotated[PoolQuery, Query()], who: User, has: Has) -> View:
    return pool_views.quotas(_sites(has, query.pools, all_pools=query.all_pools))


@router.get("/resources")
def list_resources(query: Annotated[ResourceQuery, Query()], who: User, has: Has) -> View:
    """OSMO's `concise` is another shape: one entry for each platform of a pool."""
    named = [] if query.all_pools else query.pools
    sites = _sites(has, named)
    if query.concise:
        return {"pools": pool_views.concise(sites, platforms=query.platforms)}
    shown = [
        pool_views.resource(one, platforms=query.platforms) for one in pool_views.places(sites)
    ]
    filtered = bool(named or query.platforms)
    return {"resources": [one for one in shown if one["pool_platform_labels"] or not filtered]}


@router.get("/resources/{name}")
def get_resource(name: str, who: User, has: Has) -> View:
    found = [one for one in pool_views.places(_sites(has, [])) if one.node.name == name]
    if not found:
        raise InvalidRequest(f"Resource {name[:NODE_CHARS]} not found.", code="DATABASE")
    return {"resources": [pool_views.resource(one) for one in found]}


def _sites(has: Has, names: list[str], *, all_pools: bool = True, nodes: bool = True) -> list[Site]:
    """Those that are named, of which there may be none; without a name all."""
    if not names and not all_pools:
        raise InvalidRequest("No pool selected!", code="USER")
    pools = [pool for pool in has.pools.all() if not names or pool.name in names]
    return clusters_of(has).sites(pools, nodes=nodes)
