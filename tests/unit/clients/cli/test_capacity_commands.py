"""Pools with their quotas, nodes, and why a workflow waits, as a person sees them."""

import json
from typing import Any

from tests.unit.clients.cli.test_commands import QUOTA, QUOTAS, SUBMIT, SUBMITTED
from tests.unit.clients.cli.world import a_spec, xylem

RESOURCES = "GET /api/resources"
NODE: dict[str, Any] = {
    "hostname": "node-1",
    "backend": "b",
    "resource_type": "SHARED",
    "exposed_fields": {"node": "node-1"},
    "usage_fields": {"gpu": "3", "cpu": "12", "memory": "2097152Ki", "storage": "1073741824"},
    "non_workflow_usage_fields": {
        "nvidia.com/gpu": "1",
        "cpu": "1",
        "memory": "1048576Ki",
        "ephemeral-storage": "0",
    },
    "allocatable_fields": {
        "gpu": "8",
        "cpu": "64",
        "memory": "67108864Ki",
        "storage": "214748364800",
    },
    "conditions": ["Cordoned"],
    "pool_platform_labels": {"default": ["a100", "cpu"]},
}
WHY = "GET /api/workflow/hello-1/why-pending"
PENDING: dict[str, Any] = {
    "name": "hello-1",
    "status": "PENDING",
    "pool": "default",
    "backend": "b",
    "groups": [
        {
            "name": "training",
            "status": "SCHEDULING",
            "since": "2026-06-01T11:50:00",
            "reasons": [
                {
                    "waits_for": "scheduler",
                    "message": "largest free node has 6 GPUs, a task wants 8 GPUs",
                    "change": "Work on these nodes ends.",
                    "since": "2026-06-01T11:50:00",
                    "until": "2026-06-01T13:00:00",
                }
            ],
        }
    ],
    "more_groups": 2,
}


def test_pools_are_shown_with_their_quota_and_their_nodes() -> None:
    used = xylem("pool", "list", answers={QUOTAS: QUOTA})
    free = xylem("pool", "list", "--mode", "free", answers={QUOTAS: QUOTA})

    assert "quota used" in used.out
    assert "2/8" in used.out
    assert "5/16" in used.out
    assert "6/8" in free.out
    assert "11/16" in free.out


def test_nodes_are_shown_with_what_is_taken_by_anybody() -> None:
    used = xylem("resource", "list", answers={RESOURCES: {"resources": [NODE]}})
    free = xylem("resource", "list", "-m", "free", answers={RESOURCES: {"resources": [NODE]}})

    assert "4/8" in used.out
    assert "13/64" in used.out
    assert "3/64" in used.out
    assert "default/a100" in used.out
    assert "Cordoned" in used.out
    assert "51/64" in free.out


def test_where_no_node_is_known_it_says_who_would_tell() -> None:
    said = xylem("resource", "list", answers={RESOURCES: {"resources": []}})

    assert "an operator tells" in said.out


def test_why_a_workflow_waits_is_told_with_since_and_what_would_change_it() -> None:
    said = xylem("workflow", "why-pending", "hello-1", answers={WHY: PENDING})

    assert "training SCHEDULING for" in said.out
    assert "scheduler: largest free node has 6 GPUs, a task wants 8 GPUs" in said.out
    assert "-> Work on these nodes ends. Until 2026-06-01 13:00:00 UTC." in said.out
    assert "2 more groups" in said.out


def test_a_program_gets_all_of_it() -> None:
    said = xylem("workflow", "why-pending", "hello-1", "-t", "json", answers={WHY: PENDING})

    assert json.loads(said.out)["groups"][0]["reasons"][0]["waits_for"] == "scheduler"


def test_a_workflow_of_which_nothing_waits_says_so() -> None:
    done = {**PENDING, "status": "RUNNING", "groups": [], "more_groups": 0}

    said = xylem("workflow", "why-pending", "hello-1", answers={WHY: done})

    assert said.out == "hello-1 is RUNNING: nothing of it waits.\n"


def test_several_pools_are_named_with_commas(tmp_path: Any) -> None:
    answers = {SUBMIT.replace("default", "a,b"): SUBMITTED}

    said = xylem("workflow", "submit", a_spec(tmp_path), "--pool", "a,b", answers=answers)

    assert said.code == 0
