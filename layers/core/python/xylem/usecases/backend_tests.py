"""An operator learns which tests its cluster is to have.

It says which it has whenever it says all of its nodes: after each hello, and every ten minutes.
Where the configs say otherwise it is told, all of them at once; and whoever changes a config tells
at once those whose tests it changed. So a push that is lost costs ten minutes, an operator that
cannot do as it was told is told again, and there is nothing to be kept, in order or once.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from pydantic_core import to_json

from xylem.domain.config import NO_NOTE, Note
from xylem.domain.errors import Gone
from xylem.domain.ids import BackendName, ConnectionId, UserName
from xylem.domain.pool_book import PoolBook
from xylem.ports.backends import Backends, Links
from xylem.ports.configs import Pools
from xylem.protocol.agent import BackendTest, BackendTests, Jobs
from xylem.protocol.queues import NodesOf
from xylem.spec.backend_tests import told_tests


def change(
    into: Callable[[PoolBook], PoolBook],
    *,
    pools: Pools,
    backends: Backends,
    links: Links,
    author: UserName,
    now: datetime,
    note: Note = NO_NOTE,
) -> None:
    """A change of configs on which tests may depend. Raises what `pools.change` raises."""
    changed: list[tuple[PoolBook, PoolBook]] = []

    def noted(book: PoolBook) -> PoolBook:
        after = into(book)
        changed[:] = [(book, after)]
        return after

    pools.change(noted, author=author, now=now, note=note)
    for before, after in changed:
        _tell_all(before, after, backends=backends, links=links)


def tests_of(backend: BackendName, book: PoolBook) -> BackendTests:
    told = told_tests(backend, book)
    digest = hashlib.sha256(to_json(told)).hexdigest()
    return BackendTests(digest=digest, tests=[BackendTest(**one) for one in told])


def tell_changed(message: NodesOf, *, pools: Pools, links: Links) -> bool:
    """Whether the operator was told: not where it has them already, or is gone."""
    if message.nodes.tests is None:
        return False
    wanted = tests_of(message.backend, pools.book())
    if message.nodes.tests == wanted.digest:
        return False
    return _push(wanted, message.connection, links)


def _tell_all(before: PoolBook, after: PoolBook, *, backends: Backends, links: Links) -> None:
    for name in after.backends:
        wanted = tests_of(name, after)
        if wanted == tests_of(name, before):
            continue
        known = backends.backend(name)
        if known is not None and known.connection is not None:
            _push(wanted, known.connection, links)


def _push(wanted: BackendTests, connection: ConnectionId, links: Links) -> bool:
    try:
        links.push(connection, Jobs(jobs=[], tests=wanted).model_dump_json())
    except Gone:
        return False
    return True
