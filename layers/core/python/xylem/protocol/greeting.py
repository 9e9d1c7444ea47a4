"""What an operator says first, and while it has nothing to say, read and answered without pydantic.

An idle cluster's operator says a heartbeat a minute, so that is what most new processes of ingest
hear first; a hello is waited for by an operator that just came. Neither waits for the models of all
the rest, 100 ms of a cold start. The models stay the truth: `tests/wire` holds what is said here
against theirs, and what is not read here, for any reason, is read, or refused in words, by
`xylem.usecases.vetting`.
"""

import json

from xylem.domain.ids import BackendName, ConnectionId
from xylem.domain.values import dataclass
from xylem.protocol.limits import BOOT_ID_CHARS, CLUSTER_UID_CHARS

CHARS = 1_024
"""A hello of ours has 200. What is longer is something else, which is not to be read twice."""


@dataclass(frozen=True, slots=True)
class Hello:
    """`xylem.protocol.agent.Hello`, of which nothing but its form was looked at."""

    backend: BackendName
    cluster_uid: str
    boot_id: str
    version: str
    data_keys: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    pass


def read(text: str) -> Hello | Heartbeat | None:
    """None: it is no well-formed one of these."""
    if len(text) > CHARS or not any(word in text for word in _WORDS):
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("to", "agent") != "agent":
        return None
    match said:
        case {"type": "heartbeat"}:
            return Heartbeat()
        case {
            "type": "hello",
            "backend": str(backend),
            "cluster_uid": str(uid),
            "boot_id": str(boot),
            "version": str(version),
        } if 0 < len(uid) <= CLUSTER_UID_CHARS and 0 < len(boot) <= BOOT_ID_CHARS:
            if any(map(_has_half_a_character, (backend, uid, boot, version))):
                return None
            keys = said.get("data_keys", False)
            return (
                Hello(BackendName(backend), uid, boot, version, keys)
                if isinstance(keys, bool)
                else None
            )
    return None


_WORDS = ('"hello"', '"heartbeat"')
"""Most frames of a busy cluster have neither."""


def _has_half_a_character(text: str) -> bool:
    """JSON can name one half of a surrogate pair, which no store takes."""
    return any("\ud800" <= char <= "\udfff" for char in text)


# What is answered, and queued ---------------------------------------------------------------------


def welcome(epoch: int) -> str:
    return _text({"type": "welcome", "epoch": epoch, "bundles": True, "nodes": True})


def refusal(code: str, message: str) -> str:
    return _text({"type": "refusal", "code": code, "message": message})


def greeted(backend: BackendName, connection: ConnectionId) -> str:
    return _text({"backend": backend, "connection": connection, "tries": 0, "type": "greeted"})


def retired(backend: BackendName, connection: ConnectionId) -> str:
    return _text({"backend": backend, "connection": connection, "tries": 0, "type": "retired"})


def _text(said: dict[str, object]) -> str:
    # As the models write, in UTF-8.
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)
