"""Tokens in; principals out, or `Unauthenticated`.

For an operator one row is read: what an admin decided about its backend. Of a person who comes with
a token of some minutes nothing is read; of others whether they were called back since
(`xylem.usecases.signing_out`), and of whom a provider knows, the roles that are kept of him. What
that takes is imported for them alone. The HTTP API's caller is never an operator.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Protocol

from xylem.domain.access import ADMIN, USER, Principal, operator_of
from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import UserName
from xylem.domain.provider import said_issuer
from xylem.domain.registration import admit, read_credential
from xylem.domain.values import replace
from xylem.ports.backends import Backends
from xylem.ports.configs import Configs
from xylem.ports.identity import Identity
from xylem.ports.tokens import Providers
from xylem.usecases.signing_out import require_signed_in

BEARER = "bearer "


class Verifier(Protocol):
    def verify(self, token: str, now: datetime) -> Principal:
        """Raises `Unauthenticated`."""
        ...


class Settings(Protocol):
    @property
    def environment(self) -> str: ...
    @property
    def api_url(self) -> str: ...


class Has(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def verifier(self) -> Verifier: ...
    @property
    def providers(self) -> Providers: ...
    @property
    def configs(self) -> Configs: ...
    @property
    def backends(self) -> Backends: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...


def asking(event: Mapping[str, Any], has: Has) -> tuple[Principal, dict[str, str]]:
    """Of a request to the HTTP API: whose it is, and what of him is handed on."""
    headers = _lower(event.get("headers"))
    found = _principal(headers, _source(event), has)
    if found.kind == "user":
        require_signed_in(found, identity=lambda: has.identity)
    return found, {**context_of(found), **(_said(headers) if not _bearer(headers) else {})}


def dialling(event: Mapping[str, Any], has: Has) -> Principal:
    """Who opens a socket: an operator with its credential or with a token, or a person."""
    headers = _lower(event.get("headers"))
    credential = read_credential(_bearer(headers))
    if credential is not None:
        admit(has.backends.registration(credential.backend), credential.digest)
        return operator_of(credential.backend)
    found = _principal(headers, _source(event), has)
    if found.backend is not None and found.signed_at is not None:
        admit(has.backends.registration(found.backend), found.signed_at)
    if found.kind == "user":
        require_signed_in(found, identity=lambda: has.identity, opening=True)
    return found


def context_of(found: Principal) -> dict[str, str]:
    context = {
        "kind": found.kind,
        "subject": str(found.subject),
        "roles": ",".join(sorted(found.roles)),
    }
    if found.token:
        context["token"] = found.token
    return {**context, "backend": str(found.backend)} if found.backend else context


def _principal(headers: Mapping[str, str], source: str, has: Has) -> Principal:
    if token := _bearer(headers):
        issuer = said_issuer(token)
        if issuer is not None and issuer != has.settings.api_url:
            return _of_a_provider(token, issuer, has)
        return has.verifier.verify(token, has.clock())
    name = headers.get("x-osmo-user", "").strip()
    if name and has.settings.environment == "local" and _is_this_machine(source):
        roles = frozenset(_words(headers.get("x-osmo-roles"))) or frozenset({ADMIN, USER})
        token_name = headers.get("x-osmo-token-name", "").strip() or None
        return Principal("user", UserName(name), roles, token=token_name)
    raise Unauthenticated("no bearer token")


def _of_a_provider(token: str, issuer: str, has: Has) -> Principal:
    """With the roles that are kept of him, which his login may have changed."""
    from xylem.usecases import users  # noqa: PLC0415 - see above

    now = has.clock()
    known, claims = has.providers.verify(token, issuer, now)
    signed_at = datetime.fromtimestamp(claims["iat"], UTC)
    until = datetime.fromtimestamp(claims["exp"], UTC)
    came = Principal("user", known.name, signed_at=signed_at, until=until)
    require_signed_in(came, identity=lambda: has.identity, always=True)
    user = users.sign_in(
        known.name, known.external, known=has.configs.roles(), identity=has.identity, now=now
    )
    return replace(came, roles=user.role_names)


def _is_this_machine(source: str) -> bool:
    """A word without a signature is believed of whoever could read the keys as well."""
    try:
        return ip_address(source).is_loopback
    except ValueError:
        return False


def _source(event: Mapping[str, Any]) -> str:
    """Of a request, or of the one that opens a socket."""
    context = event.get("requestContext") or {}
    return str((context.get("http") or context.get("identity") or {}).get("sourceIp", ""))


def _said(headers: Mapping[str, str]) -> dict[str, str]:
    """What OSMO's gateway would say of a caller, and in dev mode he says himself: it is shown to
    him, and decides nothing."""
    names = {"x-osmo-roles": "said_roles", "x-osmo-allowed-pools": "said_pools"}
    return {word: ",".join(_words(headers.get(name))) for name, word in names.items()}


def _words(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def _bearer(headers: Mapping[str, str]) -> str:
    given = headers.get("authorization", "")
    return given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}
