"""`Backends` on DynamoDB: clusters, when they were last heard, their nodes and their mailboxes."""

from collections.abc import Callable
from datetime import datetime

from pynamodb.exceptions import DeleteError, DoesNotExist, PutError, UpdateError

from xylem.domain.errors import Conflict
from xylem.domain.ids import BackendName, ConnectionId, MailId, UserName, WorkflowId
from xylem.domain.node import Node
from xylem.domain.registration import Registration
from xylem.ports.backends import Backend, Mail, NodeFacts
from xylem.usecases.greeting import SEEN_EVERY, Greeting, greeted
from xylem.usecases.nodes import Noted, noting
from xylem_aws.tables.backends import (
    LIST,
    REGISTERED,
    BackendRow,
    BackendsTable,
    MailRow,
    NodeRow,
    RegistrationRow,
    SeenRow,
    backend_key,
    mailbox,
    node_key,
    registration_key,
    seen_key,
)
from xylem_aws.tables.binding import bind
from xylem_aws.transaction import in_our_words, refused

GREETING_ATTEMPTS = 5


class DynamoBackends:
    def __init__(self, region: str, table: str) -> None:
        bind(BackendsTable, table=table, region=region)
        self._noted: dict[BackendName, datetime] = {}
        self._speaking: dict[tuple[BackendName, ConnectionId], datetime] = {}

    def backend(self, name: BackendName) -> Backend | None:
        with in_our_words(name):
            try:
                row = BackendRow.get(*backend_key(name), consistent_read=True)
            except DoesNotExist:
                return None
        return self._backend(row)

    def all(self) -> list[Backend]:
        with in_our_words("backends"):
            return [self._backend(row) for row in BackendRow.query(LIST, consistent_read=True)]

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
        said = Greeting(name, cluster_uid, boot_id, version, connection, now, data_keys)
        for _ in range(GREETING_ATTEMPTS):
            known = self.backend(name)
            backend = greeted(known, said)
            unchanged = BackendRow.epoch == known.epoch if known else BackendRow.pk.does_not_exist()
            with in_our_words(name):
                try:
                    _row(backend).save(condition=unchanged)
                except PutError as error:
                    if refused(error):
                        continue
                    raise
            self.seen(name, now)
            return backend
        raise Conflict(f"backend {name} said hello {GREETING_ATTEMPTS} times at once")

    def seen(self, name: BackendName, now: datetime) -> None:
        """This process remembers what it noted; another's newer note is left alone."""
        noted = self._noted.get(name)
        if noted and now - noted < SEEN_EVERY:
            return
        with in_our_words(name):
            try:
                SeenRow(*seen_key(name), at=now).save(
                    condition=SeenRow.pk.does_not_exist() | (SeenRow.at <= now - SEEN_EVERY)
                )
            except PutError as error:
                if not refused(error):
                    raise
        self._noted[name] = now

    def disconnected(self, name: BackendName, connection: ConnectionId) -> None:
        with in_our_words(name):
            try:
                BackendRow(*backend_key(name)).update(
                    actions=[BackendRow.connection.remove()],
                    condition=BackendRow.connection == connection,
                )
            except UpdateError as error:
                if not refused(error):
                    raise

    def speaks(self, name: BackendName, connection: ConnectionId, now: datetime) -> bool:
        """This process remembers for a minute who does: a read for each commit would be a
        fifth of its bill."""
        known = self._speaking.get((name, connection))
        if known and now - known < SEEN_EVERY:
            return True
        with in_our_words(name):
            try:
                row = BackendRow.get(*backend_key(name), consistent_read=True)
            except DoesNotExist:
                return False
        if connection not in (row.connection, row.previous):
            return False
        recent = {who: at for who, at in self._speaking.items() if now - at < SEEN_EVERY}
        self._speaking = {**recent, (name, connection): now}
        return True

    def mailbox(self, name: BackendName) -> list[Mail]:
        with in_our_words(name):
            found = MailRow.query(mailbox(name), consistent_read=True)
            return [_mail(name, row) for row in found]

    def registration(self, name: BackendName) -> Registration | None:
        with in_our_words(name):
            try:
                row = RegistrationRow.get(*registration_key(name), consistent_read=True)
            except DoesNotExist:
                return None
        return _registration(row)

    def registrations(self) -> list[Registration]:
        with in_our_words("backends"):
            found = RegistrationRow.query(REGISTERED, consistent_read=True)
            return [_registration(row) for row in found]

    def register(self, registration: Registration) -> None:
        row = RegistrationRow(
            *registration_key(registration.backend),
            state=registration.state,
            digest=registration.digest,
            since=registration.since,
            by=registration.by,
            version=registration.version,
        )
        before = RegistrationRow.version == registration.version - 1
        first = RegistrationRow.pk.does_not_exist()
        with in_our_words(registration.backend):
            try:
                row.save(condition=first if registration.version == 1 else before)
            except PutError as error:
                if refused(error):
                    raise Conflict(
                        f"backend {registration.backend} was changed by somebody else"
                    ) from None
                raise

    def forget(self, name: BackendName) -> None:
        """Its nodes first: what is left of a half of this is a backend that can be forgotten."""
        pk, first = node_key(name, "")
        with in_our_words(name):
            for row in NodeRow.query(pk, NodeRow.sk.startswith(first), consistent_read=True):
                row.delete()
            SeenRow(*seen_key(name)).delete()
            BackendRow(*backend_key(name)).delete()

    def nodes(self, name: BackendName) -> list[Node]:
        pk, first = node_key(name, "")
        with in_our_words(name):
            return [row.facts for row in NodeRow.query(pk, NodeRow.sk.startswith(first))]

    def note_nodes(self, facts: NodeFacts) -> int:
        """What a frame says of a whole range is most often what is there already: that is read. A
        frame of changes is not read for: each is written unless a newer frame was faster."""
        with in_our_words(facts.backend):
            known = {} if facts.whole is None else self._noted_between(facts.backend, *facts.whole)
            puts, gone = noting(known, facts)
            rows = (
                NodeRow(
                    *node_key(facts.backend, node.name),
                    boot_id=facts.boot_id,
                    number=facts.number,
                    facts=node,
                )
                for node in puts
            )
            written = sum(_unless_newer(row.save, facts) for row in rows)
            names = gone if facts.whole is not None else facts.gone
            taken = (NodeRow(*node_key(facts.backend, name)) for name in names)
            return written + sum(_unless_newer(row.delete, facts, there=True) for row in taken)

    def _noted_between(self, backend: BackendName, first: str, last: str) -> dict[str, Noted]:
        pk, lower = node_key(backend, first)
        _, upper = node_key(backend, last)
        found = NodeRow.query(pk, NodeRow.sk.between(lower, upper), consistent_read=True)
        return {row.facts.name: Noted(row.facts, row.boot_id, int(row.number)) for row in found}

    def _backend(self, row: BackendRow) -> Backend:
        name = BackendName(row.sk)
        try:
            seen = SeenRow.get(*seen_key(name)).at
        except DoesNotExist:
            seen = row.connected_at
        return Backend(
            name=name,
            cluster_uid=row.cluster_uid,
            boot_id=row.boot_id,
            version=row.version,
            epoch=int(row.epoch),
            connection=ConnectionId(row.connection) if row.connection else None,
            previous=ConnectionId(row.previous) if row.previous else None,
            connected_at=row.connected_at,
            last_seen=max(seen, row.connected_at),
            data_keys=bool(row.data_keys),
        )


def _unless_newer(write: Callable[..., object], facts: NodeFacts, *, there: bool = False) -> bool:
    """Whether it was written: not where a newer frame of this boot was faster."""
    older = (NodeRow.boot_id != facts.boot_id) | (NodeRow.number < facts.number)
    absent = NodeRow.pk.does_not_exist()
    try:
        write(condition=NodeRow.pk.exists() & older if there else absent | older)
    except (PutError, DeleteError) as error:
        if refused(error):
            return False
        raise
    return True


def _row(backend: Backend) -> BackendRow:
    return BackendRow(
        *backend_key(backend.name),
        cluster_uid=backend.cluster_uid,
        boot_id=backend.boot_id,
        version=backend.version,
        epoch=backend.epoch,
        connection=backend.connection,
        previous=backend.previous,
        connected_at=backend.connected_at,
        data_keys=backend.data_keys,
    )


def _registration(row: RegistrationRow) -> Registration:
    return Registration(
        BackendName(row.sk),
        row.state,  # type: ignore[arg-type]  # one of the three, as we wrote it
        row.digest,
        row.since,
        UserName(row.by),
        int(row.version),
    )


def _mail(backend: BackendName, row: MailRow) -> Mail:
    return Mail(
        id=MailId(row.sk),
        backend=backend,
        workflow=WorkflowId(row.workflow),
        kind=row.kind,  # type: ignore[arg-type]  # one of the three, as we wrote it
        ordinal=int(row.ordinal),
        after=int(row.after),
        written_at=row.written_at,
        payload=row.payload,
        payload_key=row.payload_key,
        sealed_by=row.sealed_by,
    )
