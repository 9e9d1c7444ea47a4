"""OSMO's published workflows and the acceptance cases, read as a submission would read them.

None of them is part of this repository: `XYLEM_REFERENCE` names the folder that holds them, and
`XYLEM_COOKBOOK` one with other workflows of the same kind. Each of them is valid.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from xylem import spec
from xylem.domain.errors import InvalidSpec
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.plan import WorkflowPlan
from xylem.domain.pool import Platform, Pool

REFERENCE = Path(os.environ.get("XYLEM_REFERENCE", "../shared/reference"))
COOKBOOK = sorted(
    Path(os.environ.get("XYLEM_COOKBOOK", REFERENCE / "cookbook")).rglob("*.y*ml"),
)
CASES_FILE = REFERENCE / "acceptance-cases.yaml"
CASES = yaml.safe_load(CASES_FILE.read_text()) if CASES_FILE.exists() else []
EXAMPLES_FILE = REFERENCE / "osmo-http-examples.jsonl"
EXAMPLES: list[dict[str, Any]] = (
    [json.loads(line) for line in EXAMPLES_FILE.read_text().splitlines()]
    if EXAMPLES_FILE.exists()
    else []
)
POOL = Pool(
    name=PoolName("default"),
    backend=BackendName("default"),
    default_platform="default",
    platforms={"default": Platform()},
)


def as_the_client_sends(text: str) -> str:
    """OSMO's client puts the text of local files into `contents` before it submits."""
    document = yaml.safe_load(text)
    workflow = document["workflow"]
    for group in workflow.get("groups") or [workflow]:
        for task in group.get("tasks", []):
            for file in task.get("files", []):
                if file.pop("localpath", None) is not None:
                    file["contents"] = "a local file\n"
    return yaml.safe_dump(document)


@pytest.mark.skipif(not COOKBOOK, reason=f"there is no cookbook in {REFERENCE}")
def test_the_reference_was_found_whole() -> None:
    assert len(COOKBOOK) >= 20
    assert len(CASES) >= 17
    assert len(EXAMPLES) >= 190


@pytest.mark.parametrize("path", COOKBOOK, ids=lambda path: path.stem)
def test_a_workflow_of_the_cookbook(path: Path) -> None:
    rendered = spec.render(path.read_text(), set_variables=["storage_url=s3://bucket/prefix"])

    assert spec.parse(as_the_client_sends(rendered)).groups


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_an_acceptance_case(case: dict[str, Any]) -> None:
    rendered = spec.render(case["spec"], set_variables=case.get("sets", []))

    plan = spec.parse(rendered)

    assert {group.name for group in plan.groups} == set(case["expect"]["groups"]) or (
        "only_groups" in case["expect"]
    )


def plan_of_example(example: dict[str, Any]) -> WorkflowPlan:
    body, parameters = example["body"], example["params"]
    rendered = spec.render(body["file"], set_variables=body.get("set_variables", []))
    plan = spec.parse(
        rendered,
        env_vars=parameters.get("env_vars", []),
        labels=parameters.get("label", []),
    )
    spec.check_pool(plan, POOL)
    return plan


SUBMITTED = [
    example
    for example in EXAMPLES
    if example["name"].startswith("submit_") and "file" in (example["body"] or {})
]
ACCEPTED = [example for example in SUBMITTED if example.get("status") == 200]
REFUSED = [example for example in SUBMITTED if example.get("status") in (400, 500)]

OF_THE_CLUSTER = {"submit_too_much_cpu"}
"""Refused for what the nodes have, which a spec alone does not know."""


@pytest.mark.parametrize("example", ACCEPTED, ids=lambda example: example["name"])
def test_what_osmo_accepts_is_accepted(example: dict[str, Any]) -> None:
    if example["params"].get("dry_run"):
        rendered = spec.render(example["body"]["file"])
        shown = spec.dry_run(rendered)
        assert shown == (example["resp"]["name"], example["resp"]["spec"])
    else:
        assert f"{plan_of_example(example).name}-1" == example["resp"]["name"]


@pytest.mark.parametrize(
    "example",
    [example for example in REFUSED if example["name"] not in OF_THE_CLUSTER],
    ids=lambda example: example["name"],
)
def test_what_osmo_refuses_is_refused_with_the_same_code_for_the_same_reason(
    example: dict[str, Any],
) -> None:
    with pytest.raises(InvalidSpec) as refused:
        plan_of_example(example)

    recorded = example["resp"]
    if example["status"] == 500:
        assert refused.value.code == "SUBMISSION"
        return
    assert refused.value.code == recorded["error_code"]
    assert refused.value.workflow == recorded["workflow_id"]
    if "Value error, " in recorded["message"]:
        reason = recorded["message"].partition("Value error, ")[2].partition(" [type=")[0]
        assert reason in str(refused.value)
    else:
        assert str(refused.value).splitlines()[0] == recorded["message"].splitlines()[0]


def test_the_stored_spec_is_the_recorded_one() -> None:
    recorded = {example["name"]: example for example in EXAMPLES}
    if not recorded:
        pytest.skip(f"there is no {EXAMPLES_FILE}")

    submitted = spec.read(spec.render(recorded["submit_good"]["body"]["file"]))

    assert spec.stored_text(submitted, default_platform="default") == recorded["spec"]["resp"]
