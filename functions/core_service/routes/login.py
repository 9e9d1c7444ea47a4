"""What is asked without a token: how to get one, and what one is checked with.

Open to whoever reaches the API, so nothing here is anybody's but what the caller's own secret
opens.
"""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr

from functions.core_service.services import Has
from functions.core_service.views import View
from xylem.domain.errors import InvalidRequest
from xylem.domain.provider import Provider
from xylem.spec.service_configs import LoginForm, service_form
from xylem.usecases import users

router = APIRouter(prefix="/api/auth")


class TokenRequest(BaseModel):
    token: SecretStr


@router.get("/login")
def get_login(has: Has) -> View:
    """Where clients log in: with the provider that the deployer trusts, but for what an admin said
    otherwise."""
    now, said = has.engine.clock(), service_form(has.configs.service()).service_auth.login_info
    provider = next(iter(has.providers.providers(now)), None)
    return {**_of(provider), **said.model_dump(exclude_none=True)}


@router.get("/keys")
def get_keys(has: Has) -> dict[str, list[Any]]:
    """RFC 7517: a JSON Web Key Set."""
    return {"keys": list(has.signer.public_keys().values())}


@router.post("/jwt/access_token")
def exchange(body: TokenRequest, has: Has) -> View:
    return _exchanged(body.token.get_secret_value(), has)


@router.get("/jwt/access_token")
def exchange_by_query(access_token: SecretStr, has: Has) -> View:
    """OSMO's older clients: the token stands in the address, which is logged on its way."""
    return _exchanged(access_token.get_secret_value(), has)


@router.post("/jwt/refresh_token")
def refresh(
    body: TokenRequest, workflow_id: str, group_name: str, task_name: str, retry_id: int = 0
) -> View:
    raise _unknown_refresh_token()


@router.get("/jwt/refresh_token", name="refresh_by_query")
def refresh_by_query(
    refresh_token: SecretStr,
    workflow_id: str,
    group_name: str,
    task_name: str,
    retry_id: int = 0,
) -> View:
    raise _unknown_refresh_token()


def _unknown_refresh_token() -> InvalidRequest:
    """OSMO's control container turns such a token into one that its user's roles go with. Ours has
    a token for its attempt alone, and renews it with the Logger: nobody has one of these."""
    return InvalidRequest(
        "Refresh token is invalid: a task's token is renewed by its own sidecar, and opens nothing "
        "of its user's. Ask for an access token (`xylem token set`).",
        code="USER",
    )


def _of(provider: Provider | None) -> View:
    if provider is None:
        return LoginForm().model_dump()
    client = provider.audiences[0]
    return LoginForm(
        device_endpoint=provider.device_url,
        device_client_id=client if provider.device_url else None,
        browser_endpoint=provider.authorize_url,
        browser_client_id=client if provider.authorize_url else None,
        token_endpoint=provider.token_url,
        logout_endpoint=provider.logout_url,
    ).model_dump()


def _exchanged(secret: str, has: Has) -> View:
    token, ends = users.exchange(
        secret, identity=has.identity, signer=has.signer, now=has.engine.clock()
    )
    return {"token": token, "expires_at": int(ends.timestamp())}
