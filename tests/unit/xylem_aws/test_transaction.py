"""What DynamoDB's errors are in the words of the domain."""

import pytest
from botocore.exceptions import ReadTimeoutError
from pynamodb.exceptions import (
    CancellationReason,
    GetError,
    PynamoDBException,
    TransactWriteError,
    VerboseClientError,
)

from xylem.domain.errors import Conflict, Unavailable
from xylem_aws.transaction import in_our_words, refused


def answered(code: str, *reasons: str | None) -> VerboseClientError:
    return VerboseClientError(
        {"Error": {"Code": code, "Message": "so it is"}},
        "AnyOperation",
        {},
        cancellation_reasons=[CancellationReason(reason) if reason else None for reason in reasons],
    )


def cancelled(*reasons: str | None) -> TransactWriteError:
    return TransactWriteError("cancelled", answered("TransactionCanceledException", *reasons))


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (cancelled(None, "ConditionalCheckFailed"), Conflict),
        (cancelled("TransactionConflict", None), Conflict),
        (cancelled("ThrottlingError", None), Unavailable),
        (cancelled(None, "ProvisionedThroughputExceeded"), Unavailable),
        (cancelled("ThrottlingError", "ConditionalCheckFailed"), Conflict),
        (TransactWriteError("busy", answered("TransactionInProgressException")), Unavailable),
        (TransactWriteError("broken", answered("InternalServerError")), Unavailable),
        (TransactWriteError("silent", ReadTimeoutError(endpoint_url="x")), Unavailable),
        (GetError("busy", answered("ProvisionedThroughputExceededException")), Unavailable),
        (GetError("silent", ReadTimeoutError(endpoint_url="x")), Unavailable),
    ],
)
def test_what_others_did_and_what_may_work_later_are_told_apart(
    error: PynamoDBException, ours: type[Exception]
) -> None:
    with pytest.raises(ours), in_our_words("hello-1"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        GetError("wrong", answered("ValidationException")),
        GetError("forbidden", answered("AccessDeniedException")),
        TransactWriteError("wrong", answered("ValidationException")),
        cancelled("ValidationError", None),
    ],
)
def test_our_own_mistakes_are_not_called_anything_else(error: PynamoDBException) -> None:
    with pytest.raises(type(error)) as raised, in_our_words("hello-1"):
        raise error

    assert raised.value is error


def test_a_refused_condition_is_recognized() -> None:
    assert refused(GetError("no", answered("ConditionalCheckFailedException")))
    assert not refused(GetError("no", answered("ValidationException")))
