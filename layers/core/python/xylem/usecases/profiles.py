"""What a user sets for himself: where his workflows go, and whether he is told of them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from xylem.domain.access import Principal, may
from xylem.domain.identity import AccessToken, Profile
from xylem.domain.ids import UserName
from xylem.domain.role import Roles
from xylem.domain.values import replace
from xylem.ports.configs import Pools
from xylem.ports.identity import Identity
from xylem.usecases.users import ensure


def change(
    user: UserName,
    changes: Mapping[str, Any],
    *,
    identity: Identity,
    pools: Pools,
    now: datetime,
) -> Profile:
    """Raises `UnknownPool`."""
    if "pool" in changes:
        pools.pool(changes["pool"])
    ensure(user, identity=identity, now=now)
    profile = replace(identity.profile(user), **changes)
    identity.keep_profile(user, profile)
    return profile


def token_of(principal: Principal, *, identity: Identity) -> AccessToken | None:
    """The access token that it came with, where that is still there."""
    if principal.token is None:
        return None
    known = identity.tokens(principal.subject)
    return next((one for one in known if one.name == principal.token), None)


def pools_of(principal: Principal, *, pools: Pools, stored: Callable[[], Roles]) -> list[str]:
    """Those that it may submit to, by name."""
    names = [pool.name for pool in pools.all()]
    return [name for name in names if may(principal, "workflow:Create", f"pool/{name}", stored)]
