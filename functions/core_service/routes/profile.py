"""What a user sets for himself, and what the service knows of him."""

from fastapi import APIRouter
from pydantic import BaseModel

from functions.core_service.identity import SaidOf, User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View, time
from xylem.usecases import profiles

router = APIRouter(prefix="/api")


class UserProfile(BaseModel):
    """What is not said stays as it is; what is not known is passed over, as with OSMO."""

    email_notification: bool | None = None
    slack_notification: bool | None = None
    pool: Text | None = None


@router.get("/profile/settings")
def get_profile(who: User, said: SaidOf, has: Has) -> View:
    profile = has.identity.profile(who.subject)
    token = profiles.token_of(who, identity=has.identity)
    pools = said.pools
    if pools is None:
        pools = profiles.pools_of(who, pools=has.pools, stored=has.configs.roles)
    return {
        "profile": {
            "username": who.subject,
            "email_notification": profile.email_notification,
            "slack_notification": profile.slack_notification,
            "pool": profile.pool,
        },
        "roles": sorted(who.roles) if said.roles is None else said.roles,
        "pools": pools,
        "token": None
        if who.token is None
        else {"name": who.token, "expires_at": time(token.expires_at) if token else None},
    }


@router.post("/profile/settings")
def set_profile(body: UserProfile, who: User, has: Has, set_default_backend: bool = False) -> None:
    profiles.change(
        who.subject,
        body.model_dump(exclude_none=True),
        identity=has.identity,
        pools=has.pools,
        now=has.engine.clock(),
    )


@router.get("/users")
def list_user_names(who: User, has: Has) -> list[str]:
    return [user.id for user in has.identity.users()]
