"""Chunks, ends and merged objects: who comes first is kept, in memory and on DynamoDB."""

import time
from datetime import timedelta

import pytest

from tests.builders import an_attempt
from tests.contract.conftest import REGION, Stores
from xylem.ports.logs import Chunk, Logs, LogTail, Member, Merged
from xylem_aws.logs import DynamoLogs
from xylem_aws.tables.logs import END, ChunkRow, EndRow, MergedRow, chunk_key, log_key, merged_key

A = an_attempt()
B = an_attempt(retry=1)
ONE = Chunk(0, 10, body=b"one")
TWO = Chunk(10, 5, key="two")
THREE = Chunk(15, 200, body=b"three")


def filled(logs: Logs) -> Logs:
    for chunk in (TWO, ONE, THREE):
        assert logs.put_chunk(A, chunk) == chunk
    logs.put_end(A, LogTail(215))
    logs.put_merged(A, Merged(0, "object", (Member(10, 3), Member(5, 3))))
    return logs


def test_a_chunk_is_the_one_that_came_first(stores: Stores) -> None:
    logs = filled(stores.logs)

    assert logs.put_chunk(A, Chunk(0, 99, body=b"other")) == ONE
    assert (logs.chunk(A, 0), logs.chunk(A, 1), logs.chunk(B, 0)) == (ONE, None, None)


def test_chunks_are_read_from_an_offset_on_and_from_the_end(stores: Stores) -> None:
    logs = filled(stores.logs)

    assert logs.chunks(A) == [ONE, TWO, THREE]
    assert logs.chunks(A, start=1, limit=1) == [TWO]
    assert logs.last_chunks(A, limit=2) == [THREE, TWO]
    assert logs.last_chunks(A, before=15) == [TWO, ONE]
    assert logs.last_chunks(A, before=0) == []
    assert logs.last_chunks(B) == []


def test_an_end_is_the_one_that_came_first(stores: Stores) -> None:
    logs = filled(stores.logs)

    assert logs.put_end(A, LogTail(9, complete=False)) == LogTail(215)
    assert (logs.end(A), logs.end(B)) == (LogTail(215), None)


def test_merged_bodies_are_those_that_came_first_and_found_by_any_offset_behind(
    stores: Stores,
) -> None:
    logs = filled(stores.logs)
    first = Merged(0, "object", (Member(10, 3), Member(5, 3)))
    later = Merged(15, "later", (Member(200, 2**31), Member(1, 1)))

    assert logs.put_merged(A, later) == later
    assert logs.put_merged(A, Merged(0, "mine", (Member(1, 1),))) == first
    assert logs.merged(A) == [later, first]
    assert logs.merged(A, limit=1) == [later]
    assert logs.merged(A, until=14) == [first]
    assert logs.merged(B) == []


def test_a_stripped_chunk_keeps_its_place_and_length(stores: Stores) -> None:
    logs = filled(stores.logs)

    for _ in range(2):
        logs.strip(A, 0)
        logs.strip(A, 10)
        logs.strip(A, 11)

    assert logs.chunks(A) == [Chunk(0, 10), Chunk(10, 5), THREE]


def test_attempts_share_nothing(stores: Stores) -> None:
    logs = filled(stores.logs)

    other = [B, an_attempt(incarnation=A.incarnation + 1), an_attempt("other")]

    assert [logs.chunks(attempt) for attempt in other] == [[], [], []]


@pytest.mark.parametrize("stores", ["dynamodb"], indirect=True)
@pytest.mark.parametrize("kept", [None, timedelta(days=150)], ids=str)
def test_rows_expire_by_their_age_where_logs_are_not_kept_for_ever(
    stores: Stores, kept: timedelta | None
) -> None:
    filled(DynamoLogs(REGION, "logs", expire_after=kept))
    stores.logs.strip(A, 0)

    rows = (
        ChunkRow.get(log_key(A), chunk_key(0)),
        EndRow.get(log_key(A), END),
        MergedRow.get(log_key(A), merged_key(0)),
    )

    due = None if kept is None else time.time() + kept.total_seconds()
    for row in rows:
        assert row.expires_at is None if due is None else abs(row.expires_at - due) < 60
