"""Tokens of people and of operators: RS256, one key of ours, an audience of its own for each kind.

    people     aud xylem            sub, roles, iat, exp, token (what access token it was given for)
    operators  aud xylem-operator   sub, backend, iat, exp

`iss` is the HTTP API's address, so a token of another deployment is not one of this. The audience
keeps the kinds apart: an operator's token opens no route of people, and the other way round.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import RSAAlgorithm

from xylem.domain.access import Principal, operator_name, operator_of
from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import BackendName, UserName
from xylem_aws.keys import KeyRing

ALGORITHM = "RS256"
PEOPLE = "xylem"
OPERATORS = "xylem-operator"


class Signer:
    audience = PEOPLE

    def __init__(self, keys: KeyRing, issuer: str) -> None:
        self._keys = keys
        self.issuer = issuer

    @property
    def active_key(self) -> str:
        return self._keys.active

    def public_keys(self) -> Mapping[str, Mapping[str, Any]]:
        return public_keys(self._keys)

    def user(
        self,
        subject: UserName,
        roles: Iterable[str],
        *,
        life: timedelta,
        now: datetime,
        token: str | None = None,
    ) -> str:
        claims: dict[str, Any] = {
            "roles": sorted(roles),
            **({"token": token} if token is not None else {}),
        }
        return self._sign(PEOPLE, subject, claims, life, now)

    def operator(self, backend: BackendName, *, life: timedelta, now: datetime) -> str:
        return self._sign(OPERATORS, operator_name(backend), {"backend": backend}, life, now)

    def _sign(
        self, audience: str, subject: str, claims: dict[str, Any], life: timedelta, now: datetime
    ) -> str:
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "sub": subject,
            "iat": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            **claims,
        }
        key = self._keys.keys[self._keys.active]
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": self._keys.active})


def public_keys(ring: KeyRing) -> Mapping[str, Mapping[str, Any]]:
    """As JSON Web Keys, of the private halves or of the public ones."""
    found = {}
    for kid, pem in ring.keys.items():
        key = (
            load_pem_public_key(pem.encode())
            if "PUBLIC" in pem
            else load_pem_private_key(pem.encode(), password=None).public_key()
        )
        assert isinstance(key, RSAPublicKey), "`ensure_keys` makes no other"
        found[kid] = {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": kid, "alg": ALGORITHM}
    return found


class Verifier:
    """`keys`: the ring of today, if possible with a key of this id."""

    def __init__(self, keys: Callable[[str, datetime], KeyRing], issuer: str) -> None:
        self._issuer = issuer
        self._keys = keys

    def verify(self, token: str, now: datetime) -> Principal:
        """Raises `Unauthenticated`, which says what is wrong and nothing of the token."""
        claims = self._claims(token, now)
        if claims["exp"] <= now.timestamp():
            raise Unauthenticated("The token has expired: log in again.")
        match claims:
            case {"aud": "xylem", "sub": str(subject), "roles": [*roles], "iat": int(signed_at)}:
                named = claims.get("token")
                return Principal(
                    "user",
                    UserName(subject),
                    frozenset(str(role) for role in roles),
                    signed_at=datetime.fromtimestamp(signed_at, UTC),
                    until=datetime.fromtimestamp(claims["exp"], UTC),
                    token=str(named) if named else None,
                )
            case {"aud": "xylem-operator", "backend": str(backend), "iat": int(signed_at)}:
                signed = datetime.fromtimestamp(signed_at, UTC)
                return operator_of(BackendName(backend), signed_at=signed)
        raise Unauthenticated("The token is of another kind: it opens nothing here.")

    def _claims(self, token: str, now: datetime) -> dict[str, Any]:
        try:
            kid = str(jwt.get_unverified_header(token).get("kid"))
            pem = self._keys(kid, now).keys.get(kid)
            if pem is None:
                raise Unauthenticated("The token was signed with a key that is not ours.")
            key = load_pem_public_key(pem.encode())
            # The time is an argument of ours, so that a test need not wait for it.
            return jwt.decode(
                token,
                key,  # type: ignore[arg-type]  # RSA, as `ensure_keys` makes it
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=[PEOPLE, OPERATORS],
                options={
                    "require": ["exp", "iat", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Unauthenticated(f"Not a token of this service: {error}.") from None
