"""What an admin does to pools that are there: part of one is set, one is renamed, one goes.

A pool is patched as OSMO does it, over the whole config as it reads back, and checked as a whole.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import PoolName
from xylem.domain.pool import Platform, Pool
from xylem.domain.pool_book import PoolBook
from xylem.domain.values import replace
from xylem.spec.backend_tests import require_pods
from xylem.spec.pools import NAME, NAME_CHARS, PlatformConfig, PoolConfig, config_of, pool_of
from xylem.spec.service_configs import merged


def require_fitting(book: PoolBook) -> None:
    """What is named in it is there, whoever came first. Raises `InvalidRequest`."""
    for pool in book.pools.values():
        pool_of(pool.name, PoolConfig.model_validate(config_of(pool)), book)
    for name, test in book.backend_tests.items():
        for template in test.pod_templates:
            if template not in book.pod_templates:
                raise InvalidRequest(
                    f"Backend test {name} names the pod template {template}, which is not there.",
                    code="USER",
                )
    for backend, config in book.backends.items():
        for name in config.tests:
            if name not in book.backend_tests:
                raise InvalidRequest(
                    f"Backend {backend} names the test {name}, which is not there.", code="USER"
                )
    require_pods(book)


def patched_pool(pool: Pool, changes: Mapping[str, Any], book: PoolBook) -> Pool:
    """What is named is replaced, objects key by key, lists as a whole. Raises
    `InvalidRequest`."""
    whole = merged(config_of(pool), changes)
    try:
        config = PoolConfig.model_validate(whole)
    except ValidationError as error:
        raise InvalidRequest(str(error).replace("PoolConfig", "Pool"), code="USAGE") from None
    return pool_of(pool.name, config, book)


def renamed_pool(name: str, to: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest`."""
    pool = require_pool(name, book)
    require_name(to)
    if to in book.pools:
        raise InvalidRequest(f"Pool {to} already exists.", code="USER")
    rest = {key: one for key, one in book.pools.items() if key != name}
    return replace(book, pools={**rest, PoolName(to): replace(pool, name=PoolName(to))})


def without_pool(name: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest`."""
    require_pool(name, book)
    return replace(book, pools={key: one for key, one in book.pools.items() if key != name})


def require_pool(name: str, book: PoolBook) -> Pool:
    """Raises `InvalidRequest`, in OSMO's recorded words."""
    found = book.pools.get(PoolName(name))
    if found is None:
        raise InvalidRequest(f"Pool {name} not found", code="USER")
    return found


def require_name(name: str) -> None:
    """Raises `InvalidRequest`, in OSMO's recorded words."""
    if re.fullmatch(NAME, name) is None or len(name) > NAME_CHARS:
        raise InvalidRequest(
            f'Pool name "{name[:NAME_CHARS]}" is not valid! Name can only be alphanumeric and '
            "contain dash or underscore.",
            code="USER",
        )


def with_platform(pool: Pool, name: str, config: PlatformConfig, book: PoolBook) -> Pool:
    """Raises `InvalidRequest`."""
    whole = PoolConfig.model_validate(config_of(pool))
    whole.platforms[name] = config
    return pool_of(pool.name, whole, book)


def renamed_platform(pool: Pool, name: str, to: str) -> Pool:
    """Raises `InvalidRequest`."""
    require_platform(name, pool)
    if re.fullmatch(NAME, to) is None or len(to) > NAME_CHARS:
        raise InvalidRequest(f'Platform name "{to[:NAME_CHARS]}" is not valid!', code="USER")
    if to in pool.platforms:
        raise InvalidRequest(f"Platform {to} already exists in pool {pool.name}.", code="USER")
    platforms = {to if key == name else key: one for key, one in pool.platforms.items()}
    default = to if pool.default_platform == name else pool.default_platform
    return replace(pool, platforms=platforms, default_platform=default)


def require_platform(name: str, pool: Pool) -> Platform:
    """Raises `InvalidRequest`."""
    found = pool.platforms.get(name)
    if found is None:
        raise InvalidRequest(f"Platform {name} not found in pool {pool.name}", code="USER")
    return found
