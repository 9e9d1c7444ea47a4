"""Bad input on the deployed stack: the same answers as of the application in memory, and tables,
queues, store and logs as they were."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from clients.sdk.login import load
from tests.conftest import Stack
from tests.e2e.running import aws
from tests.unit.functions.core_service.bad_input import REQUESTS, SPECS, Bad

pytestmark = pytest.mark.e2e

# Who asks is the administrator that `xylem local up` logged in, so nobody is refused for its roles.
ROWS = [bad for bad in (*SPECS, *REQUESTS) if bad.deployed and bad.status != 403]

QUIET_WITHIN_SECONDS = 90
TABLES = re.compile("workflows|configs|logs", re.IGNORECASE)
"""Those of backends and connections live by themselves: operators are heard of all the time."""

QUEUES = re.compile("jobs|timers|dead", re.IGNORECASE)
"""News comes by itself, too."""

COUNTED = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
]


def test_every_table_and_queue_that_is_looked_at_is_found(stack: Stack) -> None:
    kept = look(stack)

    assert len(kept.rows) >= 3
    assert len(kept.queued) >= 5


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows by table, as text; objects by bucket; messages by queue; tracebacks of all functions."""

    rows: dict[str, set[str]]
    objects: dict[str, set[str]]
    queued: dict[str, int]
    tracebacks: int


def look(stack: Stack) -> Kept:
    dynamodb, sqs, s3 = (aws(stack, name) for name in ("dynamodb", "sqs", "s3"))
    rows = {
        table: {
            json.dumps(item, sort_keys=True, default=repr)
            for page in dynamodb.get_paginator("scan").paginate(
                TableName=table, ConsistentRead=True
            )
            for item in page["Items"]
        }
        for table in dynamodb.list_tables()["TableNames"]
        if TABLES.search(table)
    }
    objects = {
        bucket["Name"]: {
            found["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
            for found in page.get("Contents", ())
        }
        for bucket in s3.list_buckets()["Buckets"]
    }
    queued = {}
    for url in sqs.list_queues().get("QueueUrls", ()):
        if QUEUES.search(url.rsplit("/", 1)[1]):
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTED)["Attributes"]
            queued[url] = sum(int(found[name]) for name in COUNTED)
    logs = (stack.settings.aws_state / "logs").glob("*.log")
    tracebacks = sum(log.read_text(errors="replace").count("Traceback") for log in logs)
    return Kept(rows, objects, queued, tracebacks)


@pytest.fixture(scope="module")
def untouched(stack: Stack) -> Iterator[None]:
    """Begins when what ran before has come to rest; at the end all has to be as it was."""
    before = look(stack)
    deadline = time.monotonic() + QUIET_WITHIN_SECONDS
    while True:
        time.sleep(2)  # at rest is what two looks with a pause between them find alike
        now = look(stack)
        if (now.rows, now.objects) == (before.rows, before.objects):
            break
        assert time.monotonic() < deadline, "the stack does not come to rest"
        before = now
    yield
    time.sleep(1)  # logs are written a few times a second
    after = look(stack)
    for table, rows in now.rows.items():
        assert after.rows[table] - rows == set(), f"{table} has new rows"
        assert rows - after.rows[table] == set(), f"{table} lost rows"
    assert after.objects == now.objects
    for queue, count in now.queued.items():
        assert after.queued[queue] <= count, f"{queue} has new messages"
    assert after.tracebacks == now.tracebacks


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("bad", ROWS, ids=lambda bad: bad.name)
def test_it_is_answered_in_one_shape_with_what_to_change(stack: Stack, bad: Bad) -> None:
    answer = ask(stack, bad)

    assert (answer.status_code, answer.json()["error_code"]) == (bad.status, bad.code), answer.text
    assert bad.says in answer.json()["message"]
    assert set(answer.json()) - {"detail"} == {"message", "error_code", "workflow_id"}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("token", ["", "a.b.c", f"{'W' * 4000}.e30.AA"])
def test_what_is_no_token_is_refused(stack: Stack, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".strip()}

    answer = httpx.get(stack.client.url + "/api/pool", headers=headers, trust_env=False)

    assert answer.status_code in {401, 403}


def ask(stack: Stack, bad: Bad) -> httpx.Response:
    login = load(stack.settings.login_folder)
    assert login is not None
    headers = {"Authorization": f"Bearer {login.token}"}
    if bad.content_type:
        headers["Content-Type"] = bad.content_type
    return httpx.request(
        bad.method,
        stack.client.url + bad.path + (f"?{bad.query}" if bad.query else ""),
        content=bad.body,
        headers=headers,
        timeout=60,
        trust_env=False,
    )
