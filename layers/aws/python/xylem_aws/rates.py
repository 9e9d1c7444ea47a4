"""`Rates` on DynamoDB: one row for a key and a window, to which is added without being read."""

from datetime import datetime

from xylem_aws.tables.binding import bind
from xylem_aws.tables.connections import RateRow, rate_key
from xylem_aws.transaction import in_our_words


class DynamoRates:
    def __init__(self, region: str, table: str) -> None:
        bind(RateRow, table=table, region=region)

    def add(self, key: str, window: int, many: int, *, until: datetime) -> int:
        row = RateRow(*rate_key(key, window))
        with in_our_words(key):
            row.update(
                [
                    RateRow.used.add(many),
                    RateRow.expires_at.set(int(until.timestamp())),
                ]
            )
        return int(row.used)
