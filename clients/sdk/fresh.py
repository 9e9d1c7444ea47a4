"""A login with another token: an access token is exchanged at the service, anything else is had at
the provider that gave the one before."""

import httpx

from clients.sdk import oidc
from clients.sdk.errors import Unauthorized, Unreachable
from clients.sdk.login import Login, is_loopback

EXCHANGE = "/api/auth/jwt/access_token"


def fresh(login: Login, *, transport: httpx.BaseTransport | None = None) -> Login:
    """With another token. Raises `ClientError`."""
    if login.access_token is not None:
        token = _exchanged(login, login.access_token, transport)
        return login.model_copy(update={"token": token})
    assert login.grant is not None, "`clients.sdk.login.ended` says that one can be had"
    given = oidc.again(login.grant, oidc.Provider(transport))
    return login.model_copy(update={"token": given.token, "grant": given.grant})


def _exchanged(login: Login, secret: str, transport: httpx.BaseTransport | None) -> str:
    """Raises `ClientError`."""
    try:
        with httpx.Client(transport=transport, trust_env=not is_loopback(login.url)) as http:
            answer = http.post(f"{login.url}{EXCHANGE}", json={"token": secret})
    except httpx.HTTPError as error:
        raise Unreachable(login.url, str(error)) from error
    if answer.status_code == httpx.codes.BAD_REQUEST:
        raise Unauthorized(f"the access token opens nothing: {_said(answer)}", status=401)
    try:
        return str(answer.raise_for_status().json()["token"])
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        raise Unreachable(login.url, f"it gives no token for an access token ({error})") from None


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return "the service does not say why"
