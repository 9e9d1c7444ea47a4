"""Logging in with an identity provider: the three ways to a token, and a fresh one of an old.

    browser              authorisation code with PKCE, back to this machine's loopback (RFC 8252)
    device               a code that is typed in elsewhere, where there is no browser (RFC 8628)
    client_credentials   a program with a secret of its own (RFC 6749, section 4.4)

The service says where the provider is (`GET /api/auth/login`, as OSMO's does); the provider's
token then is what the service is asked with. Of people that is the ID token, as OSMO's client
sends it. It comes over TLS from the provider itself, which stands for its signature here (OpenID
Connect Core 1.0, section 3.1.3.7, 6); the service verifies it each time.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from clients.sdk.errors import BadInput, Unauthorized, Unreachable
from clients.sdk.login import Grant, checked_url, claims_of, is_loopback

SCOPE = "openid profile offline_access"
"""OSMO's; the last asks for a token that refreshes others."""

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
WAIT_SECONDS = 300
SLOWER_SECONDS = 5
"""RFC 8628, section 3.5: by so much the interval grows at each `slow_down`."""

_TIMEOUT = httpx.Timeout(30, connect=5)


class LoginInfo(BaseModel):
    """Where people log in, as the service says it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    device_endpoint: str | None = None
    device_client_id: str | None = None
    browser_endpoint: str | None = None
    browser_client_id: str | None = None
    token_endpoint: str | None = None
    logout_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """`token`: what the service is asked with. `grant`: how another is had."""

    token: str
    grant: Grant | None


@dataclass(frozen=True, slots=True)
class Provider:
    """`transport`: instead of the network, in tests."""

    transport: httpx.BaseTransport | None = field(default=None)

    def info(self, url: str) -> LoginInfo:
        """Raises `Unreachable`, `BadInput`."""
        answer = self._sent("GET", f"{checked_url(url)}/api/auth/login")
        try:
            return LoginInfo.model_validate_json(answer.content)
        except ValidationError:
            raise BadInput(f"{url} does not say how to log in: is it a Xylem service?") from None

    def token(self, url: str, said: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
        """Status and body. Raises `Unreachable`, `BadInput`."""
        answer = self._sent("POST", checked_url(url), said)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Unreachable(url, f"it answers {answer.status_code} without JSON")
        return answer.status_code, body

    def _sent(self, method: str, url: str, said: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            with httpx.Client(
                transport=self.transport, timeout=_TIMEOUT, trust_env=not is_loopback(url)
            ) as http:
                return http.request(method, url, data=dict(said) if said else None)
        except httpx.HTTPError as error:
            raise Unreachable(url, str(error)) from error


# In a browser -------------------------------------------------------------------------------------


def browser(
    info: LoginInfo,
    provider: Provider,
    *,
    open_page: Callable[[str], None],
    port: int = 0,
    wait_seconds: float = WAIT_SECONDS,
) -> Given:
    """`open_page` gets the address of the provider's page. Raises `BadInput`, `Unauthorized`,
    `Unreachable`."""
    endpoint, client, token_url = (
        checked_url(_named(info.browser_endpoint, "browser_endpoint")),
        _named(info.browser_client_id, "browser_client_id"),
        checked_url(_named(info.token_endpoint, "token_endpoint")),
    )
    verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
    with _Listener(port, wait_seconds) as listener:
        back = f"http://localhost:{listener.server_port}"
        query = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": back,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        separator = "&" if urlsplit(endpoint).query else "?"
        open_page(f"{endpoint}{separator}{urlencode(query)}")
        code = listener.code(state)
    status, body = provider.token(
        token_url,
        {
            "grant_type": "authorization_code",
            "client_id": client,
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": back,
        },
    )
    given = _given(status, body, token_url, client)
    if claims_of(given.token).get("nonce") != nonce:
        raise Unauthorized("the provider answered another login than this one", status=401)
    return given


def challenge_of(verifier: str) -> str:
    """RFC 7636, section 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Listener(HTTPServer):
    """Of the one request that the browser comes back with; others (icons, a second tab, somebody
    else on this machine) are told that this is not it."""

    def __init__(self, port: int, wait_seconds: float) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Page)
        except OSError as error:
            raise BadInput(f"port {port} is taken: choose --callback-port ({error})") from error
        self.timeout = wait_seconds
        self.expected = ""
        self.came: Mapping[str, list[str]] | None = None
        self.late = False

    def handle_timeout(self) -> None:
        self.late = True

    def code(self, state: str) -> str:
        """Raises `Unauthorized`."""
        self.expected = state
        while self.came is None and not self.late:
            self.handle_request()
        if self.came is None:
            raise _refused("nobody came back from the provider's page in time")
        if code := self.came.get("code"):
            return code[0]
        raise _refused(
            " ".join(self.came.get("error_description", self.came.get("error", ["no code"])))
        )


class _Page(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 10  # of a browser that opens a connection and says nothing

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        [state] = query.get("state", [""])[:1]
        mine = secrets.compare_digest(state.encode(), self.server.expected.encode())
        if mine:
            self.server.came = query
        good = mine and "code" in query
        says = "You are logged in: go back to your terminal." if good else "This is no login."
        body = f"<!doctype html><title>Xylem</title><p>{escape(says)}</p>".encode()
        self.send_response(200 if good else 400)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The address holds the code."""


# Elsewhere ----------------------------------------------------------------------------------------


def device(
    info: LoginInfo,
    provider: Provider,
    *,
    tell: Callable[[str, str], None],
    sleep: Callable[[float], None],
) -> Given:
    """`tell` gets an address and the code to type in there. Raises `BadInput`, `Unauthorized`,
    `Unreachable`."""
    endpoint, client, token_url = (
        checked_url(_named(info.device_endpoint, "device_endpoint")),
        _named(info.device_client_id, "device_client_id"),
        checked_url(_named(info.token_endpoint, "token_endpoint")),
    )
    status, begun = provider.token(endpoint, {"client_id": client, "scope": SCOPE})
    if status != httpx.codes.OK:
        raise _refused(_why(begun))
    tell(
        str(begun.get("verification_uri_complete") or begun.get("verification_uri")),
        str(begun.get("user_code")),
    )
    interval = _seconds(begun.get("interval"), SLOWER_SECONDS)
    left = _seconds(begun.get("expires_in"), WAIT_SECONDS)
    asked = {
        "grant_type": DEVICE_GRANT,
        "client_id": client,
        "device_code": str(begun.get("device_code")),
    }
    while left > 0:
        sleep(interval)
        left -= interval
        status, body = provider.token(token_url, asked)
        match body.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval += SLOWER_SECONDS
            case _:
                return _given(status, body, token_url, client)
    raise _refused("nobody typed the code in in time")


def client_credentials(
    info: LoginInfo, provider: Provider, *, client: str, secret: str, scope: str | None = None
) -> Given:
    """Raises `BadInput`, `Unauthorized`, `Unreachable`."""
    url = checked_url(_named(info.token_endpoint, "token_endpoint"))
    grant = Grant(kind="client", token_url=url, client_id=client, secret=secret, scope=scope)
    return again(grant, provider)


# A fresh one --------------------------------------------------------------------------------------


def again(grant: Grant, provider: Provider) -> Given:
    """Another token of the same. Raises `BadInput`, `Unauthorized`, `Unreachable`."""
    scope = {"scope": grant.scope} if grant.scope else {}
    match grant.kind:
        case "refresh":
            said = {"grant_type": "refresh_token", "refresh_token": grant.secret}
            status, body = provider.token(
                grant.token_url, {**said, "client_id": grant.client_id, **scope}
            )
            given = _given(status, body, grant.token_url, grant.client_id)
            # A provider that does not rotate them says nothing (RFC 6749, section 6).
            return Given(given.token, given.grant or grant)
        case "client":
            said = {"grant_type": "client_credentials", "client_secret": grant.secret}
            status, body = provider.token(
                grant.token_url, {**said, "client_id": grant.client_id, **scope}
            )
            return Given(_given(status, body, grant.token_url, grant.client_id).token, grant)


def _given(status: int, body: Mapping[str, Any], url: str, client: str) -> Given:
    """Raises `Unauthorized`."""
    token = body.get("id_token") or body.get("access_token")
    if status != httpx.codes.OK or not isinstance(token, str):
        raise _refused(_why(body))
    refresh = body.get("refresh_token")
    if not isinstance(refresh, str):
        return Given(token, None)
    return Given(token, Grant(kind="refresh", token_url=url, client_id=client, secret=refresh))


def _why(body: Mapping[str, Any]) -> str:
    return str(body.get("error_description") or body.get("error") or "it says nothing")[:500]


def _seconds(said: object, otherwise: float) -> float:
    return float(said) if isinstance(said, int | float) and said > 0 else otherwise


def _named(value: str | None, name: str) -> str:
    """Raises `BadInput`."""
    if not value:
        raise BadInput(
            f"the service names no {name} of an identity provider, so there is no such login: use"
            " --token-file FILE, or ask an admin (docs/identity.md)"
        )
    return value


def _refused(why: str) -> Unauthorized:
    return Unauthorized(f"the identity provider gives no token: {why}", status=401)
