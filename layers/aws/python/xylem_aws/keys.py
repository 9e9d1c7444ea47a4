"""Our keys: SSM SecureStrings under the AWS-managed key, made on first use, each with an id.

    <path>/signing     {"active": kid, "keys": {kid: PEM}}      RS256: signs people's and operators'
    <path>/verifying   the same with the public halves          checks them: all an authorizer reads
    <path>/hmac        {"active": kid, "keys": {kid: base64}}   HS256: tasks' tokens
    <path>/sessions    the same                                 HMAC: tokens of sessions
    <path>/credentials the same                                 AES-256: seals users' secrets

A parameter costs nothing while idle, which neither a KMS key of our own nor Secrets Manager does.
Several keys may be valid at once, one signs: to rotate, add a key, make it active, and remove the
old one when the last token that it signed has expired, or the last secret that it seals was set
again. Of the key that signs people's tokens `rotate` does that. Who signs and who checks read these
again after five minutes, and who meets a token of a new key at once, so nothing is deployed for it;
the others are read once per process. Whoever holds the deployer's credentials makes keys
(`ensure_keys`), functions never do.
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from xylem.domain.errors import Unavailable
from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

RSA_BITS = 2048
"""RFC 7518, section 3.3: a key of 2048 bits or larger must be used with RS256."""

HMAC_BYTES = 32
"""RFC 7518, section 3.2: at least as long as the hash."""

AES_BYTES = 32
"""AES-256."""

KEPT = timedelta(minutes=5)
ASK_AGAIN = timedelta(seconds=10)
"""SSM answers 40 times a second in all (docs.aws.amazon.com/general/latest/gr/ssm.html, "Parameter
Store endpoints and quotas"), and tokens of unheard-of keys cost whoever sends them nothing."""

Purpose = Literal["signing", "verifying", "hmac", "sessions", "credentials"]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """`keys` by id: PEM text, or base64 of bytes. `active` signs, all of them verify."""

    active: str
    keys: Mapping[str, str]

    def dump(self) -> str:
        return json.dumps({"active": self.active, "keys": dict(self.keys)})

    @staticmethod
    def load(text: str) -> "KeyRing":
        """Raises `ValueError` for what we did not write."""
        found = json.loads(text)
        ring = KeyRing(str(found["active"]), {str(k): str(v) for k, v in found["keys"].items()})
        if ring.active not in ring.keys:
            raise ValueError(f"the active key {ring.active} is not among the keys")
        return ring


class FreshKeys:
    """A ring that others may change while this process lives."""

    def __init__(self, read: Callable[[], KeyRing]) -> None:
        self._read = read
        self._known: tuple[datetime, KeyRing] | None = None

    def ring(self, now: datetime, *, naming: str | None = None) -> KeyRing:
        """`naming`: with this key, if it is there at all. Raises `Unavailable`."""
        if self._known is not None:
            read_at, ring = self._known
            unheard_of = naming is not None and naming not in ring.keys
            if now - read_at <= (ASK_AGAIN if unheard_of else KEPT):
                return ring
        self._known = now, self._read()
        return self._known[1]


def read_keys(ssm: "SSMClient", path: str, purpose: Purpose) -> KeyRing:
    """Raises `Unavailable` where they were never made."""
    try:
        found = ssm.get_parameter(Name=f"{path}/{purpose}", WithDecryption=True)
    except ssm.exceptions.ParameterNotFound:
        raise Unavailable(
            f"There is no key at {path}/{purpose}: `xylem token mint` makes it, with the "
            "credentials of whoever deployed the service."
        ) from None
    return KeyRing.load(found["Parameter"]["Value"])


def ensure_keys(ssm: "SSMClient", path: str) -> None:
    """Make the keys that are missing. Two who do so at once end with one and the same key; who is
    stopped between two of them makes the rest the next time."""
    _ensure(ssm, path, "hmac", lambda: _new(_bytes(HMAC_BYTES)))
    _ensure(ssm, path, "sessions", lambda: _new(_bytes(HMAC_BYTES)))
    _ensure(ssm, path, "credentials", lambda: _new(_bytes(AES_BYTES)))
    _ensure(ssm, path, "signing", new_signing_keys)
    _ensure(ssm, path, "verifying", lambda: public_halves(read_keys(ssm, path, "signing")))


def new_signing_keys() -> KeyRing:
    return _new(_rsa_key())


def rotate(ssm: "SSMClient", path: str, *, at_once: bool = False) -> KeyRing:
    """Sign with a new key from now on. What the one before signed holds until the next rotation;
    `at_once`: no more, for a key that others know.

    What checks gets the new key before anything is signed with it, and loses an old one after. Who
    is stopped in between leaves two rings that fit, and does it again."""
    before = read_keys(ssm, path, "signing")
    new = new_signing_keys()
    kept = {} if at_once else {before.active: before.keys[before.active]}
    after = KeyRing(new.active, {**kept, **new.keys})
    both = KeyRing(before.active, {before.active: before.keys[before.active], **new.keys})
    _put(ssm, path, "verifying", public_halves(both))
    _put(ssm, path, "signing", after)
    _put(ssm, path, "verifying", public_halves(after))
    return after


def _put(ssm: "SSMClient", path: str, purpose: Purpose, ring: KeyRing) -> None:
    ssm.put_parameter(
        Name=f"{path}/{purpose}", Value=ring.dump(), Type="SecureString", Overwrite=True
    )


def _ensure(ssm: "SSMClient", path: str, purpose: Purpose, make: Callable[[], KeyRing]) -> None:
    try:
        ssm.get_parameter(Name=f"{path}/{purpose}")
        return
    except ssm.exceptions.ParameterNotFound:
        pass
    try:
        ssm.put_parameter(
            Name=f"{path}/{purpose}",
            Description=f"Xylem: {purpose} keys. Made on first use; see docs/architecture.md.",
            Value=make().dump(),
            Type="SecureString",
            Overwrite=False,
        )
    except ssm.exceptions.ParameterAlreadyExists:
        return


def _new(key: str) -> KeyRing:
    kid = secrets.token_hex(8)
    return KeyRing(kid, {kid: key})


def _bytes(length: int) -> str:
    return base64.b64encode(secrets.token_bytes(length)).decode()


def _rsa_key() -> str:
    # Functions that only read keys must not pay for importing `cryptography` (60 ms).
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_halves(ring: KeyRing) -> KeyRing:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # as above

    def half(pem: str) -> str:
        key = serialization.load_pem_private_key(pem.encode(), password=None).public_key()
        return key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    return KeyRing(ring.active, {kid: half(pem) for kid, pem in ring.keys.items()})
