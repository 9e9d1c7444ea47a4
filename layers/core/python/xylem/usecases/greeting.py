"""What a hello makes of a backend's row: the same rule over every kind of store."""

from datetime import datetime, timedelta

from xylem.domain.errors import Forbidden
from xylem.domain.ids import BackendName, ConnectionId
from xylem.domain.values import dataclass
from xylem.ports.backends import Backend

SEEN_EVERY = timedelta(minutes=1)
"""How often it is noted that a backend spoke; `OFFLINE_AFTER` is two and a half times as long."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """An operator's hello, and when it came over which connection."""

    backend: BackendName
    cluster_uid: str
    boot_id: str
    version: str
    connection: ConnectionId
    at: datetime
    data_keys: bool = False


def greeted(known: Backend | None, hello: Greeting) -> Backend:
    """The backend after the hello. Raises `Forbidden` when the name belongs to another cluster."""
    if known and known.cluster_uid != hello.cluster_uid:
        raise Forbidden(
            f"Backend {hello.backend} belongs to another cluster: join this one under another "
            "name, or let an admin remove the old one.",
            code="other_cluster",
        )
    return Backend(
        name=hello.backend,
        cluster_uid=hello.cluster_uid,
        boot_id=hello.boot_id,
        version=hello.version,
        epoch=known.epoch + 1 if known else 1,
        connection=hello.connection,
        previous=_previous(known, hello),
        connected_at=hello.at,
        last_seen=hello.at,
        data_keys=hello.data_keys,
    )


def _previous(known: Backend | None, hello: Greeting) -> ConnectionId | None:
    """The same boot may use its old connection for a while; another boot's is closed at once. Who
    says hello twice over one connection keeps what it had before."""
    if known is None or known.boot_id != hello.boot_id:
        return None
    return known.previous if known.connection == hello.connection else known.connection
