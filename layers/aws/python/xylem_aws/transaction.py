"""One TransactWriteItems, and what DynamoDB's errors are in the words of the domain.

What is larger than DynamoDB takes is refused before it is sent. An error after sending leaves the
outcome unknown (`Unavailable`): whoever cares reads again; whoever sends again meets its own
conditions. A token would not do instead: DynamoDB remembers it for ten minutes only.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from xylem.domain.errors import Conflict, TooLarge, Unavailable
from xylem.usecases.room import require_room

ITEM_BYTES = 400 * 1024
TRANSACTION_BYTES = 4 * 1024 * 1024
"""docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html; counted here on JSON,
which is longer than what DynamoDB counts."""

LOST = {"ConditionalCheckFailed", "TransactionConflict"}
BUSY = {
    "InternalServerError",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionInProgressException",
}
"""Among the reasons of a cancelled transaction, or of a whole request: DynamoDB spells them so."""


class Transaction:
    """`of`: whose rows change, for the words of errors."""

    def __init__(self, connection: Connection, *, of: str) -> None:
        self._write = TransactWrite(connection=connection)
        self._of = of
        self._actions = 0
        self._bytes = 0

    def put(self, row: Model, condition: Condition | None = None) -> None:
        self._count(row)
        self._write.save(row, condition=condition)

    def change(self, before: Model, after: Model, condition: Condition | None = None) -> None:
        """Write the attributes that differ, and leave alone those that neither row sets."""
        self._count(after)
        self._write.update(after, actions=differences(before, after), condition=condition)

    def update(
        self, row: Model, actions: Sequence[Action], condition: Condition | None = None
    ) -> None:
        """Write as the actions say, whatever there was before: of a row that is not there, too."""
        self._actions += 1
        self._write.update(row, actions=list(actions), condition=condition)

    def delete(self, row: Model, condition: Condition | None = None) -> None:
        self._actions += 1
        self._write.delete(row, condition=condition)

    def check(self, row: type[Model], key: tuple[str, str], condition: Condition) -> None:
        """The row stays as it is, and must be so."""
        self._actions += 1
        self._write.condition_check(row, *key, condition=condition)

    def commit(self) -> None:
        """Raises `Conflict`, `TooLarge` or `Unavailable`."""
        require_room(self._actions, of=self._of)
        if self._bytes > TRANSACTION_BYTES:
            raise TooLarge(
                f"{self._of}: a change of {self._bytes} bytes; one transaction holds "
                f"{TRANSACTION_BYTES}"
            )
        with in_our_words(self._of), self._write:
            pass

    def _count(self, row: Model) -> None:
        size = len(json.dumps(row.serialize(), default=repr))
        if size > ITEM_BYTES:
            raise TooLarge(f"{self._of}: a row of {size} bytes; a row holds {ITEM_BYTES}")
        self._actions += 1
        self._bytes += size


def differences(before: Model, after: Model) -> list[Action]:
    was, is_ = before.serialize(), after.serialize()
    actions: list[Action] = []
    for name, attribute in type(after).get_attributes().items():
        if was.get(name) == is_.get(name):
            continue
        value = getattr(after, name)
        actions.append(attribute.remove() if value is None else attribute.set(value))
    return actions


@contextmanager
def in_our_words(of: str) -> Iterator[None]:
    """What is our own mistake (a wrong request, a missing right) passes unchanged."""
    try:
        yield
    except TransactWriteError as error:
        codes = {reason.code for reason in error.cancellation_reasons if reason}
        if codes & LOST:
            raise Conflict(f"{of}: somebody else was faster", workflow=of) from error
        if codes & BUSY or _may_work_later(error):
            raise _unavailable(error, of) from error
        raise
    except PynamoDBException as error:
        if _may_work_later(error):
            raise _unavailable(error, of) from error
        raise


def refused(error: PynamoDBException) -> bool:
    """A condition of a single write did not hold."""
    return _code(error) == "ConditionalCheckFailedException"


def _may_work_later(error: PynamoDBException) -> bool:
    """No answer at all, or one that says so."""
    return isinstance(error.cause, BotoCoreError) or _code(error) in BUSY


def _code(error: PynamoDBException) -> str | None:
    """pynamodb's own property fails on a timeout: that has a response, which is None."""
    if not isinstance(error.cause, ClientError):
        return None
    return error.cause.response["Error"].get("Code")


def _unavailable(error: PynamoDBException, of: str) -> Unavailable:
    why = _code(error) or type(error.cause).__name__
    return Unavailable(f"{of}: DynamoDB does not answer ({why}); the same request may work later")
