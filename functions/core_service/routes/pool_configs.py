"""Pools as an admin configures them, and their platforms."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field, JsonValue

from functions.core_service import pool_views
from functions.core_service.config_notes import Change, noted
from functions.core_service.identity import User
from functions.core_service.services import Has, change_configs, clusters_of
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain.config import ConfigKind
from xylem.domain.errors import UnknownPool
from xylem.domain.ids import PoolName
from xylem.domain.pool import Pool
from xylem.domain.pool_book import PoolBook, with_pool
from xylem.spec import pool_changes
from xylem.spec.pools import PlatformConfig, PoolConfig, config_of_platform, pool_of

router = APIRouter(prefix="/api/configs/pool")

MOST = 200
"""Of pools in one request."""


class PutPool(Change):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"configs": {"backend": "cluster-1", "platforms": {"a100": {}}}}
        }
    )

    configs: PoolConfig


class PutPools(Change):
    configs: Annotated[dict[Text, PoolConfig], Field(max_length=MOST)]


class PatchPool(Change):
    configs_dict: dict[str, JsonValue]


class PutPlatform(Change):
    configs: PlatformConfig


class Rename(Change):
    new_name: Text


@router.get("")
def list_configs(who: User, has: Has, verbose: bool = False, backend: str | None = None) -> View:
    book = has.pools.book()
    put = [book.pools[key] for key in sorted(book.pools)]
    chosen = [pool for pool in put if backend in (None, pool.backend)]
    return {"pools": {pool.name: _shown(pool, book, has, verbose) for pool in chosen}}


@router.get("/{name}")
def get_config(name: str, who: User, has: Has, verbose: bool = False) -> View:
    book = has.pools.book()
    return _shown(_find(name, book), book, has, verbose)


@router.put("")
def put_pools(body: PutPools, who: User, has: Has) -> None:
    def into(book: PoolBook) -> PoolBook:
        for name, config in body.configs.items():
            pool_changes.require_name(name)
            book = with_pool(pool_of(name, config, book), book)
        return book

    note = noted(body, ConfigKind.POOL, "", "Set all pool configurations")
    change_configs(into, who, has, note)


@router.put("/{name}")
def put_pool(name: str, body: PutPool, who: User, has: Has) -> None:
    pool_changes.require_name(name)
    note = noted(body, ConfigKind.POOL, name, f"Put pool {name}")
    change_configs(lambda book: with_pool(pool_of(name, body.configs, book), book), who, has, note)


@router.patch("/{name}")
def patch_pool(name: str, body: PatchPool, who: User, has: Has) -> View:
    """What is named is replaced, objects key by key, lists as a whole."""

    def into(book: PoolBook) -> PoolBook:
        pool = pool_changes.require_pool(name, book)
        return with_pool(pool_changes.patched_pool(pool, body.configs_dict, book), book)

    change_configs(into, who, has, noted(body, ConfigKind.POOL, name, f"Patch pool {name}"))
    book = has.pools.book()
    return _shown(_find(name, book), book, has, verbose=True)


@router.delete("/{name}")
def delete_pool(name: str, who: User, has: Has, body: Change | None = None) -> None:
    """Workflows that were submitted to it go on: what they need of it they took with them."""
    note = noted(body, ConfigKind.POOL, name, f"Delete pool {name}")
    change_configs(lambda book: pool_changes.without_pool(name, book), who, has, note)


@router.put("/{name}/rename")
def rename_pool(name: str, body: Rename, who: User, has: Has) -> None:
    said = f"Rename pool {name} to {body.new_name}"
    note = noted(body, ConfigKind.POOL, name, said)
    change_configs(
        lambda book: pool_changes.renamed_pool(name, body.new_name, book), who, has, note
    )


@router.get("/{name}/platform")
def list_platforms(name: str, who: User, has: Has, verbose: bool = False) -> View:
    platforms = _find(name, has.pools.book()).platforms
    return {key: config_of_platform(one) for key, one in platforms.items()}


@router.get("/{name}/platform/{platform_name}")
def get_platform(name: str, platform_name: str, who: User, has: Has, verbose: bool = False) -> View:
    pool = _find(name, has.pools.book())
    return config_of_platform(pool_changes.require_platform(platform_name, pool))


@router.put("/{name}/platform/{platform_name}")
def put_platform(name: str, platform_name: str, body: PutPlatform, who: User, has: Has) -> None:
    def into(book: PoolBook) -> PoolBook:
        pool = pool_changes.require_pool(name, book)
        changed = pool_changes.with_platform(pool, platform_name, body.configs, book)
        return with_pool(changed, book)

    said = f"Put platform {platform_name} of pool {name}"
    change_configs(into, who, has, noted(body, ConfigKind.POOL, name, said))


@router.put("/{name}/platform/{platform_name}/rename")
def rename_platform(name: str, platform_name: str, body: Rename, who: User, has: Has) -> None:
    def into(book: PoolBook) -> PoolBook:
        pool = pool_changes.require_pool(name, book)
        return with_pool(pool_changes.renamed_platform(pool, platform_name, body.new_name), book)

    said = f"Rename platform {platform_name} of pool {name} to {body.new_name}"
    change_configs(into, who, has, noted(body, ConfigKind.POOL, name, said))


def _find(name: str, book: PoolBook) -> Pool:
    """Raises `UnknownPool`."""
    found = book.pools.get(PoolName(name))
    if found is None:
        raise UnknownPool(f"Pool {name} not found.")
    return found


def _shown(pool: Pool, book: PoolBook, has: Has, verbose: bool) -> View:
    """`verbose`: with what its names come to."""
    [site] = clusters_of(has).sites([pool], nodes=False)
    shown = pool_views.pool_config(site)
    return {**shown, **pool_views.derived(pool, book)} if verbose else shown
