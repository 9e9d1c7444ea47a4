"""DynamoDB did what it was asked, and the answer never came."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.builders import GROUP, HELLO, a_change, a_commit, a_creation, a_workflow
from tests.contract.conftest import REGION, Stores
from xylem.domain.errors import Unavailable
from xylem.domain.ids import WorkflowUuid
from xylem_aws.tables.binding import bind
from xylem_aws.tables.workflows import WorkflowsTable

pytestmark = pytest.mark.parametrize("stores", ["dynamodb"], indirect=True)


@contextmanager
def deaf() -> Iterator[None]:
    """While it lasts, transactions happen and nobody hears of it."""
    events = bind(WorkflowsTable, table="workflows", region=REGION).client.meta.events

    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://dynamodb.test")

    events.register("after-call.dynamodb.TransactWriteItems", lose)
    try:
        yield
    finally:
        events.unregister("after-call.dynamodb.TransactWriteItems", lose)


def test_who_submitted_is_told_of_the_workflow_that_was_made(stores: Stores) -> None:
    with deaf():
        assert stores.workflows.create(a_creation()) == HELLO

    assert stores.workflows.workflow(HELLO).value == a_workflow()


def test_who_submits_again_under_the_same_key_is_told_of_the_first(stores: Stores) -> None:
    with deaf():
        stores.workflows.create(a_creation(idempotency="key"))
    again = a_creation(
        workflow=a_workflow(uuid=WorkflowUuid("f" * 32)), number=2, idempotency="key"
    )

    assert stores.workflows.create(again) == HELLO


def test_what_came_of_a_commit_is_unknown_until_it_is_read(stores: Stores) -> None:
    stores.workflows.create(a_creation())
    before = stores.workflows.group(HELLO, GROUP)
    assert before is not None
    after = replace(before.value, message="changed")

    with deaf(), pytest.raises(Unavailable, match="may work later"):
        stores.workflows.commit(a_commit(groups=(a_change(before, after),)))

    found = stores.workflows.group(HELLO, GROUP)
    assert found is not None
    assert found.value == after
