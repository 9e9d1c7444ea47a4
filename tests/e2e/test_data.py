"""What tasks hand on is whole, whatever is killed; a gang meets, finds each other, begins anew."""

import hashlib
import time
from pathlib import Path

import pytest

from clients.sdk.models import Task
from tests.conftest import Stack
from tests.e2e.running import POLL_SECONDS, aws, finish, lines, submit, tasks
from tests.e2e.sidecars import sidecar_of
from xylem.domain.status import TaskStatus, WorkflowStatus

pytestmark = pytest.mark.e2e

FILES = 60
HANDED_ON = f"""
workflow:
  name: handed-on
  tasks:
  - name: makes
    image: bash
    command: [bash, -c]
    args:
    - |
      cd {{{{output}}}}
      mkdir -p deep/er
      for number in $(seq 1 {FILES}); do head -c 1500000 /dev/urandom > deep/er/$number; done
      sha256sum deep/er/* > sums
  - name: checks
    image: bash
    inputs: [{{task: makes}}]
    command: [bash, -c, "cd {{{{input:0}}}} && sha256sum --quiet -c sums && wc -l < sums"]
"""


def test_artifacts_are_whole_though_the_sidecar_was_killed_while_it_uploaded_them(
    stack: Stack, tmp_path: Path
) -> None:
    name = submit(stack.client, HANDED_ON)
    sidecar = sidecar_of(name, "makes")
    _until_it_uploads(stack, f"data/{name}/makes/0/")
    sidecar.kill()

    done = finish(stack.client, name)
    left = stack.xylem("workflow", "artifacts", "download", name, str(tmp_path))

    of = tasks(done)
    assert done.status is WorkflowStatus.COMPLETED, of["makes"].failure_message
    assert (of["makes"].retry_id, of["checks"].retry_id) == (1, 0)
    assert lines(stack.client, name, "checks") == [str(FILES)]
    assert left.returncode == 0, left.stderr
    sums = (tmp_path / "makes/sums").read_text().splitlines()
    assert len(sums) == FILES
    for line in sums:
        digest, path = line.split(maxsplit=1)
        assert hashlib.sha256((tmp_path / "makes" / path).read_bytes()).hexdigest() == digest
    assert {path.name for path in (tmp_path / "_logs").iterdir()} == {
        "makes.log",
        "makes.1.log",
        "checks.log",
    }


def _until_it_uploads(stack: Stack, prefix: str) -> None:
    s3 = aws(stack, "s3")
    [bucket] = [
        one["Name"]
        for one in s3.list_buckets()["Buckets"]
        if one["Name"].startswith("xylem-local-data-")
    ]
    deadline = time.monotonic() + 60
    while not s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"):
        assert time.monotonic() < deadline, "nothing was uploaded"
        time.sleep(POLL_SECONDS / 5)


MEMBERS = [f"member-{number}" for number in range(1, 8)]
ALL = " ".join(f"{{{{host:{name}}}}}" for name in ("lead", *MEMBERS))
FOUND = f"""
import socket, time
began = time.time()
for host in "{ALL}".split():
    socket.getaddrinfo(host, 24847)
"""
MEET = """
import os
rounds = os.path.exists("/tmp/met")
open("/tmp/met", "w").close()
with socket.create_server(("{{host:lead}}", 24847)) as server:
    server.settimeout(90)
    peers = []
    for _ in range(7):
        connection, _ = server.accept()
        peers.append((connection.makefile("rw"), connection))
    told = [peer.readline().split() for peer, _ in peers]
    print("first began", min(began, *(float(at) for _, at in told)), flush=True)
    print(f"round {1 + rounds}:", *sorted(name for name, _ in told), flush=True)
    for peer, connection in peers:
        peer.write("go\\n" if rounds else "stay\\n")
        peer.flush()
        if rounds:
            peer.read()
if not rounds:
    import time
    time.sleep(300)
"""
JOIN = """
import sys
deadline = time.monotonic() + 90
while True:
    try:
        connection = socket.create_connection(("{{host:lead}}", 24847), timeout=90)
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.05)
with connection, connection.makefile("rw") as lead:
    lead.write(f"{sys.argv[1]} {began}\\n")
    lead.flush()
    word = lead.readline().strip()
if word != "go":
    time.sleep(300)
"""


def _gang() -> str:
    def task(name: str, program: str, *more: str) -> str:
        text = "".join(f"          {line}\n" for line in program.strip().splitlines())
        return (
            f"    - name: {name}\n      image: python:3.12-slim\n{''.join(more)}"
            f"      command: [python3, -u, /tmp/it.py, {name}]\n"
            f"      files:\n      - path: /tmp/it.py\n        contents: |\n{text}"
        )

    members = "".join(task(name, FOUND + JOIN) for name in MEMBERS)
    lead = task("lead", FOUND + MEET, "      lead: true\n")
    group = "  groups:\n  - name: g\n    ignoreNonleadStatus: false\n    tasks:\n"
    return f"workflow:\n  name: eight\n{group}{lead}{members}"


def test_a_gang_of_eight_meets_finds_each_other_and_begins_anew_when_one_of_them_is_killed(
    stack: Stack,
) -> None:
    name = submit(stack.client, _gang())
    names = " ".join(MEMBERS)
    _until_it_says(stack, name, f"round 1: {names}")
    # Kubernetes' times have whole seconds: each of them is a little early.
    last_up = max(_started(task) for task in tasks(stack.client.query(name)).values())

    sidecar_of(name, "member-3").kill()
    done = finish(stack.client, name)

    of = tasks(done)
    assert done.status is WorkflowStatus.COMPLETED, {one: of[one].failure_message for one in of}
    assert of["lead"].status is TaskStatus.COMPLETED
    assert {one: of[one].retry_id for one in of} == {
        **dict.fromkeys(["lead", *MEMBERS], 0),
        "member-3": 1,
    }
    said = lines(stack.client, name, "lead")
    rounds = [line for line in said if line.startswith("round")]
    assert rounds == [f"round 1: {names}", f"round 2: {names}"]
    assert float(said[0].removeprefix("first began ")) >= last_up, "somebody did not wait"


def _started(task: Task) -> float:
    assert task.start_time is not None
    return task.start_time.timestamp()


def _until_it_says(stack: Stack, name: str, line: str) -> None:
    deadline = time.monotonic() + 120
    while line not in lines(stack.client, name, "lead"):
        assert time.monotonic() < deadline, stack.client.logs(name)
        time.sleep(POLL_SECONDS)
