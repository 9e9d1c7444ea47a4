"""Credentials on the deployed stack: kept sealed, and never seen again."""

import json
from pathlib import Path

import pytest

from tests.conftest import Stack
from tests.e2e.running import aws, run
from xylem.domain.status import WorkflowStatus

pytestmark = pytest.mark.e2e

SECRET = "correct-horse-battery-staple"


def test_a_credential_is_set_listed_and_deleted_and_its_secret_is_nowhere_to_be_read(
    stack: Stack,
) -> None:
    made = stack.xylem("credential", "set", "e2e-token", "--payload", f"value={SECRET}")
    listed = stack.xylem("credential", "list", "--format-type", "json")
    items = aws(stack, "dynamodb").scan(TableName="xylem-local-identity")["Items"]
    gone = stack.xylem("credential", "delete", "e2e-token")
    again = stack.xylem("credential", "delete", "e2e-token")

    assert (made.returncode, gone.returncode, again.returncode) == (0, 0, 2), made.stderr
    entry = {"cred_name": "e2e-token", "cred_type": "GENERIC", "profile": None}
    assert entry in json.loads(listed.stdout)["credentials"]
    [item] = [item for item in items if item["sk"]["S"] == "CRED#e2e-token"]
    assert SECRET not in repr(item)
    assert SECRET not in made.stdout + made.stderr + listed.stdout
    assert SECRET not in stack.xylem("local", "logs", "core-service").stdout


BUCKET = "e2e-data"
AT_URLS = f"""
workflow:
  name: at-urls
  tasks:
  - name: doubles
    image: bash
    inputs: [{{url: "s3://{BUCKET}/in/files", regex: "[.]txt$"}}]
    outputs: [{{url: "s3://{BUCKET}/out"}}]
    command: [bash, -c, "cat {{{{input:0}}}}/* {{{{input:0}}}}/* > {{{{output}}}}/twice; env"]
"""


def test_data_at_urls_goes_through_a_task_and_its_key_is_nowhere_to_be_read(
    stack: Stack, tmp_path: Path
) -> None:
    aws(stack, "s3").create_bucket(Bucket=BUCKET)
    source = tmp_path / "files"
    source.mkdir()
    (source / "a.txt").write_text("a\n")
    (source / "b.csv").write_text("b\n")
    payload = [
        f"endpoint=s3://{BUCKET}",
        "access_key_id=the-id-of-the-key",
        f"access_key={SECRET}",
        f"override_url={stack.settings.endpoint}",
        "addressing_style=path",
    ]

    kept = stack.xylem("credential", "set", "e2e-data", "--type", "DATA", "--payload", *payload)
    up = stack.xylem("data", "upload", f"s3://{BUCKET}/in", str(source))
    done = run(stack.client, AT_URLS)
    down = stack.xylem("data", "download", f"s3://{BUCKET}/out", str(tmp_path / "back"))

    assert (kept.returncode, up.returncode) == (0, 0), kept.stderr + up.stderr
    assert done.status is WorkflowStatus.COMPLETED, stack.client.logs(done.name)
    assert down.returncode == 0, down.stderr
    assert (tmp_path / "back/twice").read_text() == "a\na\n"
    said = [kept, up, down, *(stack.xylem("workflow", *one, done.name) for one in SHOWN)]
    assert SECRET not in "".join(one.stdout + one.stderr for one in said)
    assert SECRET not in stack.xylem("credential", "list").stdout
    assert SECRET not in "".join(
        file.read_text(errors="replace") for file in (stack.settings.home / "logs").iterdir()
    )
    for part in ("core-service", "worker", "agent", "logger"):
        assert SECRET not in stack.xylem("local", "logs", part).stdout
    assert SECRET not in repr(_all_rows(stack))
    stack.xylem("credential", "delete", "e2e-data")
    assert stack.xylem("data", "list", f"s3://{BUCKET}/out").returncode == 2


SHOWN = (
    ("query", "--verbose"),
    ("logs",),
    ("events",),
    ("spec",),
    ("audit",),
    ("artifacts", "list"),
)


def _all_rows(stack: Stack) -> list[object]:
    tables = aws(stack, "dynamodb")
    names = tables.list_tables()["TableNames"]
    return [
        item
        for name in names
        for page in tables.get_paginator("scan").paginate(TableName=name)
        for item in page["Items"]
    ]
