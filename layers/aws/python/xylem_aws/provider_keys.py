"""Tokens of identity providers: verified with the keys that a provider publishes.

    whom the deployer trusts   an SSM parameter beside our keys, read again after five minutes
    a provider's keys          fetched when its first token comes, and again after ten minutes; or
                               where a token names one that is not among them, twice a minute

A provider that rotates its keys publishes the next one before it signs with it, or is asked again
when the first token of the new one comes. One that does not answer is believed by its last keys for
an hour. Nothing that a token says is an address: neither its issuer nor `jku` or `x5u` is asked.
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from http.client import HTTPException
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import jwt
from pydantic import TypeAdapter

from xylem.domain.errors import Unauthenticated, Unavailable
from xylem.domain.provider import (
    Person,
    Provider,
    person,
    require_addressed,
    require_time,
    trusted,
)
from xylem.domain.values import dataclass, replace
from xylem.protocol.message import LATER

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

PROVIDERS = "providers"
PROVIDERS_KEPT = timedelta(minutes=5)
KEYS_KEPT = timedelta(minutes=10)
"""As long as OSMO's gateway keeps them."""

KEYS_BELIEVED = timedelta(hours=1)
ASK_AGAIN = timedelta(seconds=30)
TIMEOUT_SECONDS = 3.0
MOST_BYTES = 256 * 1024

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
"""All with a pair of keys: no `none`, and no shared secret (RFC 8725, section 3.1)."""

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Known:
    """A provider's keys, by id. `asked_at`: when they were asked for last, in vain perhaps."""

    keys: Mapping[str, jwt.PyJWK]
    fetched_at: datetime
    asked_at: datetime


class ProviderTokens:
    """`read`: whom the deployer trusts; `fetch`: what lies at an address. Raises `Unavailable`."""

    def __init__(self, read: Callable[[], Sequence[Provider]], fetch: Fetch) -> None:
        self._read = read
        self._fetch = fetch
        self._providers: tuple[datetime, Sequence[Provider]] | None = None
        self._known: dict[str, _Known] = {}

    def providers(self, now: datetime) -> Sequence[Provider]:
        if self._providers is None or now - self._providers[0] > PROVIDERS_KEPT:
            self._providers = now, self._read()
        return self._providers[1]

    def verify(self, token: str, issuer: str, now: datetime) -> tuple[Person, Mapping[str, Any]]:
        """Who it is, and all that the token says. Raises `Unauthenticated`, `Unavailable`."""
        provider = trusted(issuer, self.providers(now))
        if provider is None:
            raise Unauthenticated("The token is of an issuer that nobody trusted here.")
        claims = self._claims(token, provider, now)
        require_time(claims, now.timestamp())
        require_addressed(claims, provider)
        return person(claims, provider), claims

    def _claims(self, token: str, provider: Provider, now: datetime) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthenticated("The token names no algorithm that is taken.")
            return jwt.decode(
                token,
                self._key(provider.keys_url, header.get("kid"), now),
                algorithms=ALGORITHMS,
                issuer=provider.issuer,
                audience=provider.audiences,
                options={
                    "require": ["exp", "iat", "iss", "aud", "sub"],
                    "verify_exp": False,  # with a clock that is an argument: `require_time`
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated(f"Not a token of the provider: {error}.") from None

    def _key(self, url: str, kid: object, now: datetime) -> jwt.PyJWK:
        """Raises `Unauthenticated`, `Unavailable`."""
        known = self._known.get(url)
        if known is None or now - known.fetched_at > KEYS_KEPT:
            known = self._asked(url, known, now)
        found = _named(kid, known.keys)
        if found is None and now - known.asked_at > ASK_AGAIN:
            found = _named(kid, self._asked(url, known, now).keys)
        if found is None:
            raise Unauthenticated(
                "The token was signed with a key that its provider does not name."
            )
        return found

    def _asked(self, url: str, known: _Known | None, now: datetime) -> _Known:
        """Raises `Unavailable`."""
        if known is not None and now - known.asked_at <= ASK_AGAIN:
            return known
        try:
            keys = _keys(self._fetch(url))
        except Unavailable:
            if known is None or now - known.fetched_at > KEYS_BELIEVED:
                raise
            self._known[url] = replace(known, asked_at=now)
        else:
            self._known[url] = _Known(keys, now, now)
        return self._known[url]


def _named(kid: object, keys: Mapping[str, jwt.PyJWK]) -> jwt.PyJWK | None:
    """A provider of one key need not name it (RFC 7517, section 4.5)."""
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid) if isinstance(kid, str) else None


def _keys(text: bytes) -> Mapping[str, jwt.PyJWK]:
    """Those that signatures are checked with. Raises `Unavailable`."""
    try:
        said = json.loads(text)["keys"]
        usable = [
            one
            for one in said
            if one.get("kty") in ("RSA", "EC", "OKP") and one.get("use", "sig") == "sig"
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unavailable("The provider's keys are no JSON Web Key Set.") from None
    found = {}
    for one in usable:
        try:
            found[str(one.get("kid", ""))] = jwt.PyJWK(one)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue  # of a kind that we cannot check; others may be of another
    return found


# Where it comes from ------------------------------------------------------------------------------


def read_providers(ssm: "SSMClient", path: str) -> tuple[Provider, ...]:
    try:
        found = ssm.get_parameter(Name=f"{path}/{PROVIDERS}", WithDecryption=True)
    except ssm.exceptions.ParameterNotFound:
        return ()
    return load(found["Parameter"]["Value"])


def write_providers(ssm: "SSMClient", path: str, providers: Sequence[Provider]) -> None:
    ssm.put_parameter(
        Name=f"{path}/{PROVIDERS}",
        Description="Xylem: identity providers whose tokens count; see docs/identity.md.",
        Value=dump(providers),
        Type="SecureString",
        Overwrite=True,
    )


def dump(providers: Sequence[Provider]) -> str:
    return _stored.dump_json(list(providers)).decode()


def load(text: str) -> tuple[Provider, ...]:
    return tuple(_stored.validate_json(text))


_stored: TypeAdapter[list[Provider]] = TypeAdapter(list[Provider], config=LATER)


def require_address(url: str, *, local: bool) -> None:
    """`local`: a stack on this machine, whose provider may be there, too. Raises `Unavailable`."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if not (local and parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise Unavailable(f"{url[:200]} is no address of a provider: it begins with https://")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The deployer named one address."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> NoReturn:
        raise urllib.error.HTTPError(req.full_url, code, "a redirect", headers, fp)


def fetching(*, local: bool) -> Fetch:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}) if local else urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _NoRedirect(),
    )

    def fetch(url: str) -> bytes:
        """Raises `Unavailable`."""
        require_address(url, local=local)
        try:
            with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
                text: bytes = answer.read(MOST_BYTES + 1)
        except (OSError, HTTPException) as error:
            raise Unavailable(f"The provider's keys cannot be had: {error}") from None
        if len(text) > MOST_BYTES:
            raise Unavailable(f"The provider's keys are more than {MOST_BYTES} bytes.")
        return text

    return fetch
