"""Jobs that wait for an administrator, and dead letters, by the command line: put there by hand,
because nothing that a user does leads to one."""

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.builders import a_job
from tests.conftest import Stack
from tests.e2e.running import aws, example, run
from xylem.domain.ids import GroupId, WorkflowId
from xylem.ports.jobs import StartGroups
from xylem_aws import rows

pytestmark = pytest.mark.e2e

DONE_WITHIN_SECONDS = 60
NOBODY = GroupId("0" * 32)


def a_parked_job(stack: Stack) -> str:
    """Of a workflow that has ended: to start a group that it does not have."""
    workflow = WorkflowId(run(stack.client, example("hello")).name)
    now = datetime.now(UTC)
    job = a_job(
        uuid.uuid4().hex,
        work=StartGroups(workflow, (NOBODY,)),
        attempts=5,
        last_error="it was put here by a test",
        not_before=now,
        next_ring_at=now,
    )
    dynamodb = aws(stack, "dynamodb")
    [table] = [name for name in dynamodb.list_tables()["TableNames"] if "workflows" in name.lower()]
    dynamodb.put_item(TableName=table, Item=rows.job_row(job).serialize())
    return job.id


def listed(stack: Stack) -> dict[str, Any]:
    said = stack.xylem("job", "list", "--format-type", "json")
    assert said.returncode == 0, said.stdout + said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_a_parked_job_is_listed_shown_and_done_when_it_is_retried(stack: Stack) -> None:
    id = a_parked_job(stack)

    [job] = [one for one in listed(stack)["jobs"] if one["id"] == id]
    shown = stack.xylem("job", "show", id)
    retried = stack.xylem("job", "retry", id, "--attempts", "2")

    assert (job["status"], job["attempts"]) == ("PARKED", 5)
    assert "it was put here by a test" in shown.stdout
    assert retried.returncode == 0, retried.stderr
    deadline = time.monotonic() + DONE_WITHIN_SECONDS
    while stack.xylem("job", "show", id).returncode == 0:
        assert time.monotonic() < deadline, "nobody did it"
        time.sleep(0.5)
    gone = stack.xylem("job", "show", id)
    assert gone.returncode == 2
    assert f"no job {id}" in gone.stderr


def test_a_parked_job_that_is_dropped_is_gone(stack: Stack) -> None:
    id = a_parked_job(stack)

    dropped = stack.xylem("job", "drop", id)

    assert dropped.returncode == 0, dropped.stderr
    assert stack.xylem("job", "drop", id).returncode == 2
    assert id not in [one["id"] for one in listed(stack)["jobs"]]


def test_dead_letters_are_shown_and_stay_where_they_are(stack: Stack) -> None:
    sqs = aws(stack, "sqs")
    [queue] = [url for url in sqs.list_queues()["QueueUrls"] if "jobs-dead" in url]
    body = json.dumps({"type": "job", "job": "put-here-by-a-test", "token": "a-secret"})
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    try:
        first, second = (
            next(one for one in listed(stack)["dead_letters"] if one["queue"] == "jobs")
            for _ in range(2)
        )
        said = stack.xylem("job", "list").stdout
    finally:
        sqs.purge_queue(QueueUrl=queue)

    for looked in (first, second):
        assert looked["depth"] == 1
        assert [letter["about"] for letter in looked["letters"]] == [
            "type=job job=put-here-by-a-test"
        ]
    assert "put-here-by-a-test" in said
    assert "a-secret" not in said
