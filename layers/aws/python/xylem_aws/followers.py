"""`Followers` on DynamoDB: rows beside the sockets, in the partition of what they follow.

`$disconnect` takes none away: it would need a second row for each, and API Gateway may forget it
anyway. Who is gone is found by the next push, and goes by itself in the end (TTL).
"""

from datetime import datetime

from xylem.domain.ids import ConnectionId, WorkflowId
from xylem.ports.followers import Follower
from xylem_aws.connections import LONGEST_LIFE
from xylem_aws.tables.binding import bind
from xylem_aws.tables.connections import FollowerRow, followers_key
from xylem_aws.transaction import in_our_words


class DynamoFollowers:
    def __init__(self, region: str, table: str) -> None:
        bind(FollowerRow, table=table, region=region)

    def put(self, workflow: WorkflowId, follower: Follower, *, now: datetime) -> None:
        row = FollowerRow(
            followers_key(workflow),
            follower.connection,
            task=follower.task,
            retry=follower.retry,
            expires_at=int((now + LONGEST_LIFE).timestamp()),
        )
        with in_our_words(workflow):
            row.save()

    def of(self, workflow: WorkflowId) -> list[Follower]:
        with in_our_words(workflow):
            rows = FollowerRow.query(followers_key(workflow), consistent_read=True)
            return [
                Follower(
                    ConnectionId(row.sk), row.task, None if row.retry is None else int(row.retry)
                )
                for row in rows
            ]

    def delete(self, workflow: WorkflowId, connection: ConnectionId) -> None:
        with in_our_words(workflow):
            FollowerRow(followers_key(workflow), connection).delete()
