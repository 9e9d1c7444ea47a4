"""Secrets that a user keeps with the service, and which of them opens what.

    GENERIC    keys and values of the user's choice
    REGISTRY   a login at a registry of images; its profile is the registry's host
    DATA       keys of an object store; its profile is the URL below which they open

A payload is sealed before it is stored and never shown again, not even to whose it is. A
`Credential` holds it in the open, so its text (in a log, in an error) leaves it out.
`KnownCredential` is what may be shown.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import PoolName, UserName
from xylem.domain.values import dataclass, field

NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9_-]*[a-zA-Z0-9])?", re.ASCII)
KEY = re.compile(r"(?!\.\.)[-._a-zA-Z0-9]+", re.ASCII)
"""Of a payload: what may be a key of a Kubernetes Secret, and so the name of a file, too."""

NAME_CHARS = 63
KEY_CHARS = 100
MOST_KEYS = 100
PAYLOAD_BYTES = 32 * 1024
"""Kubernetes takes 1 MiB in a Secret, DynamoDB 400 KB in a row; keys and certificates need less."""

URL_CHARS = 1024

DOCKER_HUB = "registry-1.docker.io"
"""What `docker.io` and its other names stand for, as in OSMO."""

HUB_NAMES = ("docker.io", "index.docker.io")

SCHEMES = ("swift", "s3", "gs", "tos", "azure")
ENDPOINT = re.compile(rf"({'|'.join(SCHEMES)})://[^\s/?#@]+(/[^\s?#]*)?")
OVERRIDE = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
STYLES = ("virtual", "path", "auto")


class CredentialKind(StrEnum):
    GENERIC = "GENERIC"
    REGISTRY = "REGISTRY"
    DATA = "DATA"


@dataclass(frozen=True, slots=True)
class KnownCredential:
    name: str
    kind: CredentialKind
    profile: str | None
    keys: tuple[str, ...]
    """Of its payload, sorted. A spec names them; they are no secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    name: str
    kind: CredentialKind
    profile: str | None
    payload: Mapping[str, str] = field(repr=False)

    @property
    def known(self) -> KnownCredential:
        return KnownCredential(self.name, self.kind, self.profile, tuple(sorted(self.payload)))


def generic(name: str, payload: Mapping[str, str]) -> Credential:
    """Raises `InvalidRequest`, as the other two."""
    if not payload:
        raise _wrong("A credential without a key holds nothing: give it KEY=VALUE.")
    return _made(name, CredentialKind.GENERIC, None, payload)


def registry(name: str, *, host: str, username: str, auth: str) -> Credential:
    profile = _with_hub(host.rstrip("/")) or DOCKER_HUB
    if re.fullmatch(r"[^\s/@]+(/[^\s/@]+)*", profile) is None or len(profile) > URL_CHARS:
        raise _wrong("registry: give its host alone, e.g. nvcr.io, or a path of it: nvcr.io/team.")
    payload = {"registry": profile, "username": username, "auth": auth}
    return _made(name, CredentialKind.REGISTRY, profile, payload)


def data(
    name: str,
    *,
    endpoint: str,
    access_key_id: str,
    access_key: str,
    region: str | None = None,
    override_url: str | None = None,
    addressing_style: str | None = None,
) -> Credential:
    profile = endpoint.rstrip("/")
    if ENDPOINT.fullmatch(profile) is None or len(profile) > URL_CHARS:
        raise _wrong(
            "endpoint: give the address of a bucket, e.g. s3://bucket, in one of the schemes "
            f"{', '.join(SCHEMES)}. A store of your own is named by override_url."
        )
    if override_url is not None and (
        OVERRIDE.fullmatch(override_url) is None or len(override_url) > URL_CHARS
    ):
        raise _wrong("override_url: give the store's address, e.g. https://store.example:9000.")
    if addressing_style is not None and addressing_style not in STYLES:
        raise _wrong(f"addressing_style: say one of {', '.join(STYLES)}.")
    optional = {
        "region": region,
        "override_url": override_url,
        "addressing_style": addressing_style,
    }
    payload = {
        "endpoint": profile,
        "access_key_id": access_key_id,
        "access_key": access_key,
        **{key: value for key, value in optional.items() if value is not None},
    }
    return _made(name, CredentialKind.DATA, profile, payload)


def keeper_of(pool: PoolName) -> UserName:
    """Who has what an admin keeps for all that runs in a pool: no name of a person has a slash."""
    return UserName(f"pool/{pool}")


def opening(url: str, known: Iterable[KnownCredential]) -> KnownCredential | None:
    """The keys for a URL of an object store: those of the longest profile that it lies below."""
    fitting = (
        one
        for one in known
        if one.kind is CredentialKind.DATA and one.profile and _below(url, one.profile)
    )
    return max(fitting, key=lambda one: (len(one.profile or ""), one.name), default=None)


def pulling(image: str, known: Iterable[KnownCredential]) -> KnownCredential | None:
    """The login for an image: that of the longest profile that it lies below."""
    fitting = (
        one
        for one in known
        if one.kind is CredentialKind.REGISTRY and one.profile and lies_in(image, one.profile)
    )
    return max(fitting, key=lambda one: (len(one.profile or ""), one.name), default=None)


def lies_in(image: str, profile: str) -> bool:
    return _below(_place(image.partition("@")[0]), _with_hub(profile))


def _place(image: str) -> str:
    """With its registry. As Docker reads it, a first part without a dot and a port is no host, and
    stands for a folder of Docker Hub (https://pkg.go.dev/github.com/distribution/reference)."""
    host, slash, _ = image.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return _untagged(_with_hub(image))
    return _untagged(f"{DOCKER_HUB}/{image}")


def _untagged(image: str) -> str:
    folder, slash, name = image.rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def _with_hub(place: str) -> str:
    host, slash, rest = place.partition("/")
    return f"{DOCKER_HUB}{slash}{rest}" if host in HUB_NAMES else place


def secret_keys(keys: Iterable[str]) -> frozenset[str]:
    """Of a payload with these keys: those whose values are to be masked where a task prints them.
    A store's address and a user's name are none."""
    given = frozenset(keys)
    for fields, secret in _SECRET_FIELDS.items():
        if fields <= given <= fields | _OPTIONAL_FIELDS:
            return secret
    return given


_OPTIONAL_FIELDS = frozenset({"region", "override_url", "addressing_style"})
_SECRET_FIELDS = {
    frozenset({"registry", "username", "auth"}): frozenset({"auth"}),
    frozenset({"endpoint", "access_key_id", "access_key"}): frozenset(
        {"access_key_id", "access_key"}
    ),
}


def _below(url: str, profile: str) -> bool:
    return url == profile or url.startswith(f"{profile}/")


def webhook(name: str, *, url: str, secret: str) -> Credential:
    """What the messages to this address are signed with."""
    return _made(name, CredentialKind.GENERIC, url, {"secret": secret})


def _made(
    name: str, kind: CredentialKind, profile: str | None, payload: Mapping[str, str]
) -> Credential:
    """No message has a value in it."""
    if NAME.fullmatch(name) is None or len(name) > NAME_CHARS:
        raise _wrong(
            f"{name[:NAME_CHARS]!r} is no name of a credential: it begins with a letter, goes on "
            f"with letters, digits, - and _, does not end in these two, and has {NAME_CHARS} "
            "characters at the most."
        )
    if len(payload) > MOST_KEYS:
        raise _wrong(f"A credential has {MOST_KEYS} keys at the most, not {len(payload)}.")
    for key, value in payload.items():
        if KEY.fullmatch(key) is None or len(key) > KEY_CHARS:
            raise _wrong(
                f"{key[:KEY_CHARS]!r} is no key of a credential: it has letters, digits, -, _ and "
                f". and {KEY_CHARS} characters at the most, and does not begin with two dots."
            )
        if "\0" in value:
            raise _wrong(f"The value of {key} holds a NUL, which no environment variable can.")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in payload.items())
    if size > PAYLOAD_BYTES:
        raise _wrong(f"The credential has {size} bytes; the most is {PAYLOAD_BYTES}.")
    return Credential(name, kind, profile, dict(payload))


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
