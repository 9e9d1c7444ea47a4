"""How a cluster joins, is drained and leaves: what an admin asks, carried out.

    register  ─▶ a name and the digest of its credential; the operator dials in when it likes
    drain     ─▶ nothing starts there that was not there before; what runs goes on
    remove    ─▶ its credential ends, then its sockets, then what is known of it

`remove` is refused while work is there, because nobody would hear how it ends. With `force` it is
not, and nothing of that work is decided: silence kills nothing. It goes on as soon as the same
cluster joins under the same name again; who does not want that cancels it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from xylem.domain import registration as rules
from xylem.domain.access import operator_name
from xylem.domain.errors import Refused, UnknownBackend
from xylem.domain.ids import BackendName, UserName, WorkflowId
from xylem.domain.registration import Registration
from xylem.domain.values import dataclass
from xylem.ports.backends import Backend, Backends, Links
from xylem.ports.connections import Connections
from xylem.ports.workflows import Workflows
from xylem.ports.world import Clock
from xylem.usecases.clusters import is_online

NAMED = 5
"""Workflows that a refusal names; of more it says so."""


class Engine(Protocol):
    @property
    def backends(self) -> Backends: ...
    @property
    def workflows(self) -> Workflows: ...
    @property
    def links(self) -> Links: ...
    @property
    def connections(self) -> Connections: ...
    @property
    def clock(self) -> Clock: ...


@dataclass(frozen=True, slots=True)
class Known:
    """`backend` None: it never said hello. `registration` None: it has joined by a token."""

    name: BackendName
    backend: Backend | None
    registration: Registration | None
    online: bool

    @property
    def state(self) -> rules.State:
        return self.registration.state if self.registration is not None else "open"

    @property
    def since(self) -> datetime | None:
        """The first that is known of it now."""
        if self.backend is not None:
            return self.backend.connected_at
        return self.registration.since if self.registration is not None else None


def listed(backends: Backends, now: datetime) -> list[Known]:
    """By name: those that joined, and those that are expected to."""
    joined = {one.name: one for one in backends.all()}
    registered = {one.backend: one for one in backends.registrations()}
    expected = {name for name, one in registered.items() if one.digest is not None}
    return [
        _known(name, joined.get(name), registered.get(name), now)
        for name in sorted({*joined, *expected})
    ]


def find(name: BackendName, backends: Backends, now: datetime) -> Known:
    """Raises `UnknownBackend`."""
    backend, registered = backends.backend(name), backends.registration(name)
    if backend is None and (registered is None or registered.digest is None):
        raise UnknownBackend(f"Backend {name} not found.")
    return _known(name, backend, registered, now)


def register(name: BackendName, digest: str, *, renew: bool, by: UserName, engine: Engine) -> Known:
    """Raises `InvalidRequest`, `Refused`, `Conflict`."""
    backends, now = engine.backends, engine.clock()
    kept, backend = backends.registration(name), backends.backend(name)
    joined = backend is not None
    after = rules.register(kept, name, digest, joined=joined, renew=renew, by=by, now=now)
    _keep(kept, after, backends)
    return _known(name, backend, after, now)


def drain(name: BackendName, *, undo: bool, by: UserName, engine: Engine) -> Known:
    """Raises `UnknownBackend`, `Conflict`."""
    backends, now = engine.backends, engine.clock()
    known = find(name, backends, now)
    after = rules.drain(known.registration, name, undo=undo, by=by)
    _keep(known.registration, after, backends)
    return _known(name, known.backend, after, now)


def remove(name: BackendName, *, force: bool, by: UserName, engine: Engine) -> None:
    """Begun again it goes on from where it stopped. Raises `UnknownBackend`, `Refused` while work
    is there, `Conflict`."""
    backends, now = engine.backends, engine.clock()
    kept = backends.registration(name)
    if kept is None or kept.state != "removed":
        kept = find(name, backends, now).registration
        if not force and (work := working(name, engine)):
            raise Refused(_still_there(name, work))
        _keep(kept, rules.remove(kept, name, by=by, now=now), backends)
    elif backends.backend(name) is None:
        raise UnknownBackend(f"Backend {name} not found.")
    known = backends.backend(name)
    current = (known.connection, known.previous) if known is not None else ()
    sockets = [one.connection for one in engine.connections.of("operator", operator_name(name))]
    for connection in dict.fromkeys([*sockets, *current]):
        if connection is not None:
            engine.links.close(connection)
    backends.forget(name)


def working(name: BackendName, engine: Engine) -> list[WorkflowId]:
    """Workflows with attempts there, or with something that it was asked and did not answer; a few
    of them."""
    asked = [mail.workflow for mail in engine.backends.mailbox(name)]
    live = engine.workflows.live_on(name, limit=NAMED + 1)
    return list(dict.fromkeys([*live, *asked]))


def _still_there(name: BackendName, work: Sequence[WorkflowId]) -> str:
    more = " and more" if len(work) > NAMED else ""
    return (
        f"Backend {name} has work of {', '.join(work[:NAMED])}{more}: drain it (`xylem backend "
        f"drain {name}`) and wait, or cancel that; --force removes it all the same."
    )


def _keep(before: Registration | None, after: Registration, backends: Backends) -> None:
    if after != before:
        backends.register(after)


def _known(
    name: BackendName, backend: Backend | None, registered: Registration | None, now: datetime
) -> Known:
    return Known(name, backend, registered, is_online(backend, now))
