"""The command line as a person uses it: what it prints, and the code that a script goes by."""

import json
from pathlib import Path

import pytest

from tests.conftest import Stack
from tests.e2e.running import EXAMPLES

pytestmark = pytest.mark.e2e

FAILING = """
workflow:
  name: exits-three
  tasks:
  - {name: t, image: alpine, command: [sh, -c, "echo so long; exit 3"]}
"""


def test_a_followed_submission_ends_well_with_0_and_shows_the_log(stack: Stack) -> None:
    done = stack.xylem("workflow", "submit", str(EXAMPLES / "hello.yaml"), "--follow")

    assert done.returncode == 0, done.stderr
    assert "COMPLETED" in done.stdout


def test_a_followed_submission_that_failed_ends_with_1(stack: Stack, tmp_path: Path) -> None:
    spec = tmp_path / "exits-three.yaml"
    spec.write_text(FAILING)

    failed = stack.xylem("workflow", "submit", str(spec), "--follow")

    assert failed.returncode == 1, failed.stderr
    assert "FAILED" in failed.stdout


def test_programs_get_json(stack: Stack) -> None:
    submitted = stack.xylem(
        "workflow", "submit", str(EXAMPLES / "hello.yaml"), "--format-type", "json"
    )
    name = json.loads(submitted.stdout)["name"]
    listed = json.loads(stack.xylem("workflow", "list", "--format-type", "json").stdout)
    found = json.loads(stack.xylem("workflow", "query", name, "--format-type", "json").stdout)

    assert name in [workflow["name"] for workflow in listed["workflows"]]
    assert found["name"] == name


def test_a_spec_with_a_mistake_is_refused_with_the_place_and_leaves_no_workflow(
    stack: Stack, tmp_path: Path
) -> None:
    spec = tmp_path / "wrong.yaml"
    spec.write_text("workflow:\n  name: wrong\n  tasks:\n  - {name: a, image: x}\n")

    refused = stack.xylem("workflow", "submit", str(spec))

    assert refused.returncode == 1
    assert "command" in refused.stderr
    listed = json.loads(
        stack.xylem("workflow", "list", "--name", "wrong", "--format-type", "json").stdout
    )
    assert listed["workflows"] == []


def test_the_spec_of_a_workflow_can_be_had_again(stack: Stack) -> None:
    submitted = stack.xylem(
        "workflow", "submit", str(EXAMPLES / "fanout.yaml"), "--format-type", "json"
    )
    name = json.loads(submitted.stdout)["name"]

    assert "{%" in stack.xylem("workflow", "spec", name, "--template").stdout
    assert "version: 2" in stack.xylem("workflow", "spec", name).stdout


def test_an_unknown_workflow_is_said_to_be_unknown(stack: Stack) -> None:
    unknown = stack.xylem("workflow", "query", "nobody-99")

    assert unknown.returncode == 2
    assert "nobody-99" in unknown.stderr
