"""What the Agent does about a backend itself, as ingest (`usecases.operators`) queued it.

Apart from ingest, which must start quickly and needs no engine.
"""

from xylem.ports.backends import Backends, Links
from xylem.protocol.queues import Greeted, NodesOf, Retired
from xylem.usecases import nodes
from xylem.usecases.apply import Engine, push


def note_nodes(message: NodesOf, *, backends: Backends) -> int:
    """How many rows changed. Bodies of the queue are whole, so what was said comes as it was."""
    return backends.note_nodes(nodes.facts_of(message))


def deliver_mailbox(message: Greeted, *, engine: Engine) -> bool:
    """After every hello: everything that the backend has not answered."""
    mail = engine.backends.mailbox(message.backend)
    return push(message.backend, mail, engine=engine, connection=message.connection)


def retire(message: Retired, *, links: Links, backends: Backends) -> None:
    """Its successor was welcomed a minute ago; if it became the current one again, it stays."""
    known = backends.backend(message.backend)
    if known is None or known.connection != message.connection:
        links.close(message.connection)
