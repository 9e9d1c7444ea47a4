"""A task prints its secrets in every form, and no place of the stack knows them afterwards.

Searched are every row and object and queue that the service keeps, unpacked where they are packed,
and every file below the stack's home: the state of the embedded AWS, the logs of functions, of the
operator and of the cluster. What the cluster itself is for is left out: the Secrets that it was
given, and the pods' own files.
"""

import base64
import gzip
import os
import random
import signal
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clients.local.parts import PartName
from clients.local.supervisor import Supervisor
from tests.conftest import Stack
from tests.e2e.running import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    aws,
    finish,
    lines,
    run,
    submit,
)
from xylem.domain.status import WorkflowStatus
from xylem.protocol.masking import forms

pytestmark = pytest.mark.e2e

SECRET = 'pa"ss/w+rd&42'
NO_SECRET = "a-word-for-everybody"

LOGIN = "a-login-at-a-registry"

WAITING = """\
workflow:
  name: {name}
  tasks:
  - name: t
    image: nvcr.io/team/alpine
    command: ["true"]
    credentials: {{e2e-masked: {{T: value}}}}
    files: [{{path: /tmp/noise, contents: "{contents}"}}]
"""

SPEC = """\
workflow:
  name: secretive
  tasks:
  - name: t
    image: alpine
    command: [sh, /run.sh]
    credentials:
      e2e-masked: {T: value}
    files:
    - path: /run.sh
      contents: |
        echo "a-word-for-everybody [MASKED]"
        echo "raw $T" && echo "raw $T" >&2
        for before in '' x xx xxx; do printf '%s%s' "$before" "$T" | base64; done
        for before in x xx; do printf '%s%s' "$before" "$T" | base64 | tr '+/' '-_'; done
        echo "url $T" | sed 's/"/%22/g; s|/|%2F|g; s/+/%2B/g; s/&/%26/g'
        echo "json $T" | sed 's/"/\\\\"/g'
        printf 'halves %s' "${T%%/*}"; sleep 0.5; echo "/${T#*/}"
        sleep 1; printf 'at the end %s' "$T"
"""


def test_a_task_that_prints_its_secrets_leaves_none_of_them_anywhere(stack: Stack) -> None:
    stack.xylem("credential", "delete", "e2e-masked")  # of a stack that is kept
    stack.client.set_credential("e2e-masked", "GENERIC", {"value": SECRET})

    done = run(stack.client, SPEC)

    assert done.status is WorkflowStatus.COMPLETED
    printed = lines(stack.client, done.name, "t")
    masked = [line for line in printed if "[MASKED]" in line]
    assert len(masked) == len(printed) == 13, printed
    for expected in ("raw", "url", "json", "halves", "at the end"):
        assert f"{expected} [MASKED]" in printed, printed
    found, heard = set(), set()
    for place, content in everything(stack):
        found |= {place for form in forms(SECRET) if form in content}
        heard |= {place for word in [NO_SECRET.encode()] if word in content}
    assert found == set()
    assert "packed in xylem-local-logs body" in heard, "the search reaches what was logged"


def test_creates_that_wait_for_their_cluster_show_none_of_their_secrets(stack: Stack) -> None:
    """One in its mailbox row, and one that is too large for it, in the store."""
    for name in ("e2e-masked", "e2e-login"):
        stack.xylem("credential", "delete", name)
    stack.client.set_credential("e2e-masked", "GENERIC", {"value": SECRET})
    login = {"registry": "nvcr.io", "username": "alice", "auth": LOGIN}
    stack.client.set_credential("e2e-login", "REGISTRY", login)
    noise = random.Random(7).randbytes(60_000).hex()

    with paused(operator_of(stack)):
        names = [
            submit(stack.client, WAITING.format(name=name, contents=contents))
            for name, contents in (("small", "x"), ("large", noise))
        ]
        wait_for_creates(stack, names)
        places, found = set(), set()
        for place, content in everything(stack):
            places.add(place)
            known = [*forms(SECRET), *forms(LOGIN)]
            found |= {place for form in known if form in content}

    assert found == set()
    assert "xylem-local-backends payload" in places
    assert any("/payloads/" in place for place in places)
    for name in names:
        assert finish(stack.client, name).status is WorkflowStatus.COMPLETED
    stack.xylem("credential", "delete", "e2e-login")


def operator_of(stack: Stack) -> int:
    running = Supervisor(stack.settings).running()
    assert running is not None
    pid = running[PartName.OPERATOR].pid
    assert pid is not None
    return pid


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Not ended: its socket takes what is pushed, and it answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_for_creates(stack: Stack, workflows: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        rows = aws(stack, "dynamodb").scan(TableName="xylem-local-backends")["Items"]
        if {row["workflow"]["S"] for row in rows if "workflow" in row} >= set(workflows):
            return
        time.sleep(POLL_SECONDS)  # between two looks
    raise TimeoutError(f"nobody asked a cluster for {workflows}")


def everything(stack: Stack) -> Iterator[tuple[str, bytes]]:
    for place, content in (*rows(stack), *objects(stack), *messages(stack), *files(stack)):
        yield place, content
        for unpacked in packed_in(content):
            yield f"packed in {place}", unpacked


def rows(stack: Stack) -> Iterator[tuple[str, bytes]]:
    dynamodb = aws(stack, "dynamodb")
    for table in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                for name, value in item.items():
                    yield f"{table} {name}", in_bytes(value)


def objects(stack: Stack) -> Iterator[tuple[str, bytes]]:
    s3 = aws(stack, "s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            for one in page.get("Contents", []):
                body = s3.get_object(Bucket=bucket["Name"], Key=one["Key"])["Body"].read()
                yield f"{bucket['Name']}/{one['Key']}", body


def messages(stack: Stack) -> Iterator[tuple[str, bytes]]:
    sqs = aws(stack, "sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        for message in taken.get("Messages", []):
            yield url, message["Body"].encode()


def files(stack: Stack) -> Iterator[tuple[str, bytes]]:
    for path in sorted(stack.settings.home.rglob("*")):
        if path.is_file() and not path.is_symlink() and not of_the_cluster(path, stack):
            yield str(path.relative_to(stack.settings.home)), path.read_bytes()


def of_the_cluster(path: Path, stack: Stack) -> bool:
    """Its state and its pods, which hold what they were given. Its logs lie elsewhere."""
    return path.is_relative_to(stack.settings.cluster_state)


def in_bytes(value: Any) -> bytes:
    """Of an attribute, whatever its type."""
    [content] = value.values()
    return content if isinstance(content, bytes) else repr(content).encode()


def packed_in(content: bytes) -> Iterator[bytes]:
    at = content.find(b"\x1f\x8b\x08")
    while at >= 0:
        try:
            raw = zlib.decompressobj(wbits=31).decompress(content[at:])
        except zlib.error:
            raw = b""
        yield raw
        at = content.find(b"\x1f\x8b\x08", at + 1)


def test_the_search_finds_what_is_packed() -> None:
    hidden = b"before" + gzip.compress(base64.b64encode(b"x" + SECRET.encode())) + b"after"

    assert any(one in raw for raw in packed_in(hidden) for one in forms(SECRET))
