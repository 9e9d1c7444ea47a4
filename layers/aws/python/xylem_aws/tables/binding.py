"""Which table the rows of a module lie in, and over which connection they are reached.

pynamodb gives every model class a client of its own; a client costs 30 ms to make and a TLS
handshake to use. So all rows of a process share one, made with our timeouts.
"""

from functools import cache

from pynamodb.connection import Connection
from pynamodb.models import Model

from xylem_aws import clients


def bind(rows: type[Model], *, table: str, region: str) -> Connection:
    """Let `rows` and its subclasses lie in this table. The connection is for transactions."""
    shared = _connection(region)
    rows.Meta.table_name = table
    rows._connection = None
    own = rows._get_connection()
    if table not in shared._tables:
        shared.add_meta_table(own.get_meta_table())
    own.connection = shared
    return shared


@cache
def _connection(region: str) -> Connection:
    connection = Connection(region=region)
    connection._client = clients.dynamodb(region)  # type: ignore[assignment]
    return connection
