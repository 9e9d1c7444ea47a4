"""Many writers at once, on the embedded AWS: moto loses updates under concurrent transactions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import pytest

from tests.builders import (
    BACKEND,
    GROUP,
    HELLO,
    NOON,
    a_change,
    a_commit,
    a_creation,
    a_group,
    a_job,
    a_pool,
    a_workflow,
    an_attempt,
)
from tests.contract.conftest import TABLES, create_tables
from tests.contract.embedded_aws.resources import REGION, a_name
from tests.contract.embedded_aws.server import EmbeddedAws
from xylem.domain.errors import Conflict
from xylem.domain.ids import ConnectionId, GroupId, JobId, UserName, WorkflowId, WorkflowUuid
from xylem.ports.logs import Chunk
from xylem.usecases.config_book import ConfigBook
from xylem_aws.backends import DynamoBackends
from xylem_aws.configs import DynamoConfigRows
from xylem_aws.logs import DynamoLogs
from xylem_aws.tables import binding
from xylem_aws.workflows import DynamoWorkflows

WRITERS = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    workflows: DynamoWorkflows
    backends: DynamoBackends
    pools: ConfigBook
    logs: DynamoLogs


@pytest.fixture
def rows(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    forget_clients()
    names = {table: a_name(table) for table in TABLES}
    create_tables(names)
    yield Rows(
        DynamoWorkflows(REGION, workflows=names["workflows"], backends=names["backends"]),
        DynamoBackends(REGION, names["backends"]),
        ConfigBook(DynamoConfigRows(REGION, names["configs"])),
        DynamoLogs(REGION, names["logs"]),
    )
    forget_clients()


def forget_clients() -> None:
    """They keep the endpoint that they were made for."""
    binding._connection.cache_clear()


def at_once(do: Callable[[int], T]) -> list[T]:
    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(do, range(WRITERS)))


def attempt(do: Callable[[], None]) -> bool:
    try:
        do()
    except Conflict:
        return False
    return True


def test_of_writers_of_one_version_one_wins_and_the_others_are_told(rows: Rows) -> None:
    rows.workflows.create(a_creation())
    read = rows.workflows.group(HELLO, GROUP)
    assert read is not None

    def write(number: int) -> bool:
        after = replace(read.value, message=f"writer {number}")
        job = a_job(f"job-of-{number}")
        commit = a_commit(groups=(a_change(read, after),), jobs=(job,))
        return attempt(lambda: rows.workflows.commit(commit))

    won = at_once(write)

    assert sum(won) == 1
    found = rows.workflows.group(HELLO, GROUP)
    assert found is not None
    assert found.value.message == f"writer {won.index(True)}"
    assert found.version == 2


def test_nothing_is_lost_where_everybody_tries_again(rows: Rows) -> None:
    rows.workflows.create(a_creation())

    def count(_: int) -> None:
        while True:
            read = rows.workflows.group(HELLO, GROUP)
            assert read is not None
            after = replace(read.value, ordinal=read.value.ordinal + 1)
            commit = a_commit(groups=(a_change(read, after),))
            if attempt(lambda commit=commit: rows.workflows.commit(commit)):  # type: ignore[misc]
                return

    at_once(count)

    found = rows.workflows.group(HELLO, GROUP)
    assert found is not None
    assert found.value.ordinal == WRITERS


def test_a_job_is_done_once_however_often_it_was_delivered(rows: Rows) -> None:
    rows.workflows.create(a_creation(jobs=(a_job(),)))
    done = a_commit(jobs_done=(JobId("job-1"),))

    assert sum(at_once(lambda _: attempt(lambda: rows.workflows.commit(done)))) == 1


def test_each_submission_of_one_name_gets_a_number_of_its_own(rows: Rows) -> None:
    def submit(writer: int) -> WorkflowId:
        while True:
            number = rows.workflows.next_number("hello")
            workflow = a_workflow(
                id=WorkflowId(f"hello-{number}"), uuid=WorkflowUuid(f"{writer:032x}")
            )
            group = a_group(id=GroupId(f"0{writer:031x}"), workflow=workflow.id)
            creation = a_creation(group, workflow=workflow, number=number)
            try:
                return rows.workflows.create(creation)
            except Conflict:
                continue

    assert sorted(at_once(submit)) == [f"hello-{number}" for number in range(1, WRITERS + 1)]


def test_one_key_makes_one_workflow_however_often_it_is_used(rows: Rows) -> None:
    def submit(writer: int) -> WorkflowId:
        workflow = a_workflow(uuid=WorkflowUuid(f"{writer:032x}"))
        return rows.workflows.create(a_creation(workflow=workflow, idempotency="key"))

    assert set(at_once(submit)) == {HELLO}
    assert rows.workflows.next_number("hello") == 2


def test_every_hello_counts_an_epoch_of_its_own(rows: Rows) -> None:
    def hello(writer: int) -> int | None:
        try:
            return rows.backends.hello(
                BACKEND,
                cluster_uid="uid",
                boot_id=f"boot-{writer}",
                version="1",
                connection=ConnectionId(f"connection-{writer}"),
                now=NOON,
            ).epoch
        except Conflict:
            return None

    epochs = [epoch for epoch in at_once(hello) if epoch is not None]

    assert len(set(epochs)) == len(epochs)
    current = rows.backends.backend(BACKEND)
    assert current is not None
    assert current.epoch == max(epochs)


def test_of_batches_for_one_offset_the_first_is_everybodys(rows: Rows) -> None:
    stored = at_once(
        lambda writer: rows.logs.put_chunk(an_attempt(), Chunk(0, writer + 1, b"%d" % writer))
    )

    assert len(set(stored)) == 1
    assert rows.logs.chunks(an_attempt()) == stored[:1]


def test_no_pool_is_lost_when_two_admins_set_theirs(rows: Rows) -> None:
    def put(writer: int) -> str | None:
        name = f"pool-{writer}"
        ours = attempt(
            lambda: rows.pools.put(
                a_pool(name), author=UserName("admin"), now=NOON + timedelta(seconds=writer)
            )
        )
        return name if ours else None

    accepted = {name for name in at_once(put) if name}

    assert accepted
    assert {pool.name for pool in rows.pools.all()} == accepted
