"""Backends and their mailboxes in dictionaries."""

from datetime import datetime

from xylem.domain.errors import Conflict
from xylem.domain.ids import BackendName, ConnectionId
from xylem.domain.node import Node
from xylem.domain.registration import Registration
from xylem.domain.values import replace
from xylem.memory.store import MemoryStore
from xylem.ports.backends import Backend, Mail, NodeFacts
from xylem.usecases.greeting import SEEN_EVERY, Greeting, greeted
from xylem.usecases.nodes import Noted, noting


class MemoryBackends:
    """The mail lies in the store, because commits write it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._backends: dict[BackendName, Backend] = {}
        self._nodes: dict[tuple[BackendName, str], Noted] = {}
        self._registrations: dict[BackendName, Registration] = {}

    def backend(self, name: BackendName) -> Backend | None:
        return self._backends.get(name)

    def all(self) -> list[Backend]:
        return sorted(self._backends.values(), key=lambda backend: backend.name)

    def hello(
        self,
        name: BackendName,
        *,
        cluster_uid: str,
        boot_id: str,
        version: str,
        connection: ConnectionId,
        now: datetime,
        data_keys: bool = False,
    ) -> Backend:
        hello = Greeting(name, cluster_uid, boot_id, version, connection, now, data_keys)
        self._backends[name] = greeted(self._backends.get(name), hello)
        return self._backends[name]

    def seen(self, name: BackendName, now: datetime) -> None:
        known = self._backends.get(name)
        if known and now - known.last_seen >= SEEN_EVERY:
            self._backends[name] = replace(known, last_seen=now)

    def disconnected(self, name: BackendName, connection: ConnectionId) -> None:
        known = self._backends.get(name)
        if known and known.connection == connection:
            self._backends[name] = replace(known, connection=None)

    def speaks(self, name: BackendName, connection: ConnectionId, now: datetime) -> bool:
        known = self._backends.get(name)
        return known is not None and connection in (known.connection, known.previous)

    def mailbox(self, name: BackendName) -> list[Mail]:
        mail = [mail for (backend, _), mail in self._store.mail.items() if backend == name]
        return sorted(mail, key=lambda mail: mail.id)

    def registration(self, name: BackendName) -> Registration | None:
        return self._registrations.get(name)

    def registrations(self) -> list[Registration]:
        return [one for _, one in sorted(self._registrations.items())]

    def register(self, registration: Registration) -> None:
        known = self._registrations.get(registration.backend)
        if registration.version != (known.version + 1 if known else 1):
            raise Conflict(f"backend {registration.backend} was changed by somebody else")
        self._registrations[registration.backend] = registration

    def forget(self, name: BackendName) -> None:
        self._backends.pop(name, None)
        self._nodes = {key: noted for key, noted in self._nodes.items() if key[0] != name}

    def nodes(self, name: BackendName) -> list[Node]:
        return [noted.node for (of, _), noted in sorted(self._nodes.items()) if of == name]

    def note_nodes(self, facts: NodeFacts) -> int:
        known = {name: noted for (of, name), noted in self._nodes.items() if of == facts.backend}
        puts, gone = noting(known, facts)
        for node in puts:
            key = (facts.backend, node.name)
            self._nodes[key] = Noted(node, facts.boot_id, facts.number)
        for name in gone:
            del self._nodes[facts.backend, name]
        return len(puts) + len(gone)
