"""`Pools` on DynamoDB: all pools in one row, and a row for each revision of them."""

from datetime import datetime

from pydantic import TypeAdapter
from pynamodb.exceptions import DoesNotExist

from xylem.domain.errors import Conflict, UnknownPool
from xylem.domain.ids import PoolName, UserName
from xylem.domain.pool import Pool
from xylem_aws.tables.binding import bind
from xylem_aws.tables.configs import CURRENT, POOLS, ConfigRow, revision_key
from xylem_aws.transaction import Transaction, in_our_words

ATTEMPTS = 5
Pools = dict[PoolName, Pool]
_pools: TypeAdapter[Pools] = TypeAdapter(Pools)


class DynamoPools:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(ConfigRow, table=table, region=region)

    def pool(self, name: str) -> Pool:
        _, pools = self._load()
        found = pools.get(PoolName(name))
        if found is None:
            raise UnknownPool(f"Pool {name} not found.")
        return found

    def all(self) -> list[Pool]:
        _, pools = self._load()
        return sorted(pools.values(), key=lambda pool: pool.name)

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        for _ in range(ATTEMPTS):
            revision, pools = self._load()
            data = _pools.dump_json({**pools, pool.name: pool}).decode()
            transaction = Transaction(self._connection, of="pools")
            unchanged = (
                ConfigRow.revision == revision if revision else ConfigRow.pk.does_not_exist()
            )
            for key in (CURRENT, revision_key(revision + 1)):
                row = ConfigRow(POOLS, key, revision=revision + 1, author=author, at=now, data=data)
                transaction.put(row, unchanged if key == CURRENT else None)
            try:
                transaction.commit()
            except Conflict:
                continue
            return
        raise Conflict(f"the pools were changed by {ATTEMPTS} others at the same time: try again")

    def _load(self) -> tuple[int, Pools]:
        with in_our_words("pools"):
            try:
                row = ConfigRow.get(POOLS, CURRENT, consistent_read=True)
            except DoesNotExist:
                return 0, {}
        return int(row.revision), _pools.validate_json(row.data)
