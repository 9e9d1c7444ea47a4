"""A backend as admins registered it: whose credential counts, and whether anything starts there.

    nobody's ──register──▶ open ──drain──▶ draining ──remove──▶ removed ──register──▶ open
                             ▲──────undo──────┘

Two things open a socket for an operator. A *credential* is a secret that `xylem backend add` makes
and shows once; kept is its digest alone, so there is nothing to steal, to expire or to sign anew,
and it ends when another one is registered or the backend is removed. A *token* is signed by whoever
deployed the service (`xylem backend token`), for backends that nobody registered: the first one,
and the one of `xylem local`. A token ends with the next word of an admin, too: it counts only if it
was signed after it.
"""

import hashlib
import hmac
import re
from datetime import datetime
from typing import Literal

from xylem.domain.errors import InvalidRequest, Refused, Unauthenticated
from xylem.domain.ids import BackendName, UserName
from xylem.domain.values import dataclass, replace

NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A label of RFC 1123: it becomes part of names in the cluster."""

PREFIX = "xop_"
"""So that scanners for secrets find one that was published."""

DIGEST = r"[0-9a-f]{64}"

State = Literal["open", "draining", "removed"]


@dataclass(frozen=True, slots=True)
class Registration:
    """`digest`: of the credential; None: there is none. `since`: when it was made or ended; tokens
    count that were signed later. None: every token counts. `version` counts changes."""

    backend: BackendName
    state: State = "open"
    digest: str | None = None
    since: datetime | None = None
    by: UserName = UserName("")
    version: int = 1

    @property
    def places(self) -> bool:
        """Whether groups that were not handed over before are handed over now."""
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class Credential:
    backend: BackendName
    digest: str


def credential_text(backend: BackendName, secret: str) -> str:
    """What the operator presents. `secret`: 256 random bits as URL-safe text."""
    return f"{PREFIX}{backend}_{secret}"


def digest_of(text: str) -> str:
    """One round: a secret of 256 bits is not found by trying."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_credential(text: str) -> Credential | None:
    """None: this is no credential, but perhaps a token."""
    found = re.fullmatch(rf"{PREFIX}({NAME})_[\w-]+", text, re.ASCII)
    return Credential(BackendName(found[1]), digest_of(text)) if found else None


def admit(kept: Registration | None, shown: str | datetime) -> None:
    """`shown`: the digest of a credential, or when a token was signed. Raises `Unauthenticated`."""
    match shown:
        case str():
            digest = kept.digest if kept is not None else None
            if digest is None or not hmac.compare_digest(digest, shown):
                raise Unauthenticated("The credential was replaced or revoked, or never was one.")
        case _:
            if kept is None:
                return
            if kept.state == "removed":
                raise Unauthenticated(f"Backend {kept.backend} was removed.")
            if kept.since is not None and shown <= kept.since:
                raise Unauthenticated(f"The token is older than what counts for {kept.backend}.")


def register(
    kept: Registration | None,
    backend: BackendName,
    digest: str,
    *,
    joined: bool,
    renew: bool,
    by: UserName,
    now: datetime,
) -> Registration:
    """`joined`: the backend is known without a registration, by a token. Asked again with the same
    digest nothing changes. Raises `InvalidRequest`, `Refused`."""
    if not re.fullmatch(NAME, backend):
        raise InvalidRequest(
            f"{backend[:80]!r} cannot be a backend's name: use up to 63 lower case letters, digits "
            "and dashes, with a letter or digit first and last."
        )
    if not re.fullmatch(DIGEST, digest):
        raise InvalidRequest("`digest` is the SHA-256 of the credential: 64 hex digits.")
    known = kept if kept is not None and kept.state != "removed" else None
    if known is not None and known.digest == digest:
        return known
    if not renew and (joined or known is not None):
        raise Refused(
            f"Backend {backend} exists already: renew its credential (`xylem backend add {backend} "
            "--renew`), which ends the one before, or choose another name."
        )
    version = kept.version + 1 if kept is not None else 1
    state: State = known.state if known is not None else "open"
    return Registration(backend, state, digest, now, by, version)


def drain(
    kept: Registration | None, backend: BackendName, *, undo: bool, by: UserName
) -> Registration:
    """Asked again it changes nothing."""
    state: State = "open" if undo else "draining"
    if kept is None:
        return Registration(backend, state, by=by)
    if kept.state == state:
        return kept
    return replace(kept, state=state, by=by, version=kept.version + 1)


def remove(
    kept: Registration | None, backend: BackendName, *, by: UserName, now: datetime
) -> Registration:
    """A stone with the name on it stays: who was let in before is not let in again."""
    if kept is not None and kept.state == "removed":
        return kept
    version = kept.version + 1 if kept is not None else 1
    return Registration(backend, "removed", None, now, by, version)
