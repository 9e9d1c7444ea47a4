"""Backends and their mailboxes in dictionaries."""

from dataclasses import replace
from datetime import datetime

from xylem.domain.ids import BackendName, ConnectionId
from xylem.memory.store import MemoryStore
from xylem.ports import Backend, Mail
from xylem.usecases.greeting import SEEN_EVERY, Greeting, greeted


class MemoryBackends:
    """The mail lies in the store, because commits write it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._backends: dict[BackendName, Backend] = {}

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
    ) -> Backend:
        hello = Greeting(name, cluster_uid, boot_id, version, connection, now)
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

    def mailbox(self, name: BackendName) -> list[Mail]:
        mail = [mail for (backend, _), mail in self._store.mail.items() if backend == name]
        return sorted(mail, key=lambda mail: mail.id)
