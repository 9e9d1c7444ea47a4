"""A log of more than a megabyte is merged on the deployed stack, and reads as before."""

import hashlib
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import Stack
from tests.e2e.running import aws, run
from tests.e2e.test_logs import one_task
from xylem.ports.jobs import Job, MergeLog
from xylem_aws import rows
from xylem_aws.queues import SqsDoorbell
from xylem_aws.tables.workflows import JobRow

pytestmark = pytest.mark.e2e

WORKFLOWS, LOGS = "xylem-local-workflows", "xylem-local-logs"
MERGED_WITHIN_SECONDS = 60
NOISE = (
    "head -c 2000000 /dev/urandom; seq -f 'line %08.0f' 1 20000; head -c 1500000 /dev/urandom >&2"
)
"""What gzip makes no smaller, so that there is something to merge."""


def job_of(stack: Stack, workflow: str) -> Job:
    pages = aws(stack, "dynamodb").get_paginator("scan").paginate(TableName=WORKFLOWS)
    jobs = (
        rows.job_of(JobRow.from_raw_data(item))
        for page in pages
        for item in page["Items"]
        if item["sk"]["S"] == "JOB"
    )
    [found] = [
        job for job in jobs if isinstance(job.work, MergeLog) and job.work.workflow == workflow
    ]
    return found


def do_now(stack: Stack, job: Job) -> None:
    """As if the ten minutes were over that it waits."""
    now = datetime.now(UTC)
    row = rows.job_row(replace(job, not_before=now, next_ring_at=now))
    aws(stack, "dynamodb").put_item(TableName=WORKFLOWS, Item=row.serialize())
    sqs = aws(stack, "sqs")
    [queue] = [url for url in sqs.list_queues()["QueueUrls"] if url.endswith("-jobs")]
    SqsDoorbell(sqs, queue).ring([job.id])


def rows_of_log(stack: Stack, workflow: str) -> list[dict[str, Any]]:
    pages = aws(stack, "dynamodb").get_paginator("scan").paginate(TableName=LOGS)
    return [item for page in pages for item in page["Items"] if f"{workflow}#" in item["pk"]["S"]]


def objects_of_log(stack: Stack, workflow: str) -> list[str]:
    s3 = aws(stack, "s3")
    [bucket] = [one["Name"] for one in s3.list_buckets()["Buckets"] if "store" in one["Name"]]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"logs/{workflow}/t/")
    return [one["Key"] for one in found.get("Contents", [])]


def digests(stack: Stack, workflow: str) -> dict[str, str]:
    """Of each stream, page by page, and of the text that people are shown."""
    hashes = {name: hashlib.sha256() for name in ("stdout", "stderr", "text")}
    cursor, closed = "", False
    while not closed:
        page = stack.client.log_page(workflow, cursor=cursor, wait=1)
        for record in page.records:
            hashes[record.stream].update(record.data)
        cursor, closed = page.cursor, page.closed
    hashes["text"].update(stack.client.logs(workflow).encode())
    return {name: found.hexdigest() for name, found in hashes.items()}


def test_a_log_of_megabytes_is_merged_and_reads_as_before(stack: Stack) -> None:
    name = run(stack.client, one_task("merged", NOISE)).name
    before, bodies = digests(stack, name), objects_of_log(stack, name)
    assert len(bodies) > 10

    do_now(stack, job_of(stack, name))

    deadline = time.monotonic() + MERGED_WITHIN_SECONDS
    while not all("merged-" in key for key in objects_of_log(stack, name)):
        assert time.monotonic() < deadline, objects_of_log(stack, name)
        time.sleep(0.5)  # between two looks: a job tells nobody that it is done
    chunks = [row for row in rows_of_log(stack, name) if row["sk"]["S"].isdigit()]
    assert len(chunks) >= len(bodies)
    assert all("body" not in row for row in chunks), "no body is kept twice"
    assert digests(stack, name) == before
    assert stack.client.logs(name, lines=1) in stack.client.logs(name)
    assert job_of(stack, name).not_before > datetime.now(UTC), "it is to collect what was left"
