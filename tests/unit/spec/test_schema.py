"""The published schema: what editors complete and underline."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.builders_spec import a_file, a_task, yaml_of
from xylem import spec
from xylem.spec.schema import schema

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "workflow.schema.json"
REFERENCE = Path(os.environ.get("XYLEM_REFERENCE", "../shared/reference"))
COOKBOOK = Path(os.environ.get("XYLEM_COOKBOOK", REFERENCE / "cookbook"))
VALIDATOR = Draft202012Validator(dict(schema()))


def is_readable(path: Path) -> bool:
    """A template may be no YAML before it is rendered."""
    try:
        yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        return False
    return True


FILES = [
    path
    for path in (*sorted((ROOT / "examples").glob("*.yaml")), *sorted(COOKBOOK.rglob("*.y*ml")))
    if is_readable(path)
]


def mistakes(value: object) -> list[str]:
    return [".".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(value)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(dict(schema()))


def test_the_published_file_is_what_the_models_say() -> None:
    """Written by `xylem workflow schema`."""
    assert json.loads(PUBLISHED.read_text()) == schema()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_valid_is_so_in_an_editor(path: Path) -> None:
    assert mistakes(yaml.safe_load(path.read_text())) == []


def test_a_stored_spec_is_valid_too() -> None:
    written = yaml_of(
        a_task(
            environment={"A": True},
            files=[a_file()],
            inputs=[{"url": "s3://b/k"}, {"task": "w-1:a", "regex": ".*"}],
            outputs=[{"url": "gs://b"}],
            checkpoint=[{"path": "/tmp", "url": "s3://b", "frequency": "10m"}],
            kpis=[{"index": "loss", "path": "kpi.json"}],
            credentials={"c": "/creds", "d": {"TOKEN": "token"}},
            exitActions={"complete": 3, "FAIL": "4-9,12"},
            volumeMounts=["/data", "/mnt:/other"],
            privileged=True,
            hostNetwork=True,
            cacheSize="90%",
            downloadType="download",
        ),
        labels={"team": "a"},
        timeout={"exec_timeout": "1h30m", "queue_timeout": 600},
        resources={
            "default": {
                "cpu": 1,
                "gpu": "1",
                "memory": "8Gi",
                "nodesExcluded": ["n1"],
                "topology": [{"key": "rack", "requirementType": "preferred"}],
            }
        },
    )
    stored = spec.stored_text(spec.read(written), default_platform="default")

    assert mistakes(yaml.safe_load(written)) == mistakes(yaml.safe_load(stored)) == []


def a_workflow(**more: Any) -> dict[str, Any]:
    return {"workflow": {"name": "w", "tasks": [a_task()], **more}}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"workflow": {"name": "w"}}, "workflow"),
        ({**a_workflow(), "pool": "x"}, ""),
        (a_workflow(taks=[]), "workflow"),
        (a_workflow(name="bad.name"), "workflow.name"),
        (a_workflow(tasks=[a_task(imge="x")]), "workflow.tasks.0"),
        (a_workflow(tasks=[{"name": "a", "command": ["x"]}]), "workflow.tasks.0"),
        (a_workflow(tasks=[a_task(command="echo hi")]), "workflow.tasks.0.command"),
        (a_workflow(tasks=[a_task(command=[])]), "workflow.tasks.0.command"),
        (a_workflow(tasks=[a_task(inputs=[{}])]), "workflow.tasks.0.inputs.0"),
        (a_workflow(tasks=[a_task(inputs=[{"url": "foo"}])]), "workflow.tasks.0.inputs.0.url"),
        (a_workflow(tasks=[a_task(files=[{"path": "/x"}])]), "workflow.tasks.0.files.0"),
        (a_workflow(tasks=[a_task(credentials={"c": []})]), "workflow.tasks.0.credentials.c"),
        (a_workflow(tasks=[a_task(exitActions={"X": "1"})]), "workflow.tasks.0.exitActions"),
        (
            a_workflow(tasks=[a_task(exitActions={"FAIL": "x"})]),
            "workflow.tasks.0.exitActions.FAIL",
        ),
        (a_workflow(tasks=[a_task(volumeMounts=["x"])]), "workflow.tasks.0.volumeMounts.0"),
        (a_workflow(resources={"default": {"cpu": "two"}}), "workflow.resources.default.cpu"),
        (a_workflow(resources={"default": {"memory": "1GB"}}), "workflow.resources.default.memory"),
        (a_workflow(timeout={"exec_timeout": "-5s"}), "workflow.timeout"),
        (a_workflow(labels={"a": 1}), "workflow.labels.a"),
    ],
)
def test_a_typical_mistake_is_underlined_where_it_is(value: dict[str, Any], path: str) -> None:
    assert mistakes(value) == [path]


def test_a_variable_of_the_template_may_stand_where_a_number_is_meant() -> None:
    entry = {"cpu": "{{ n }}", "memory": "{{ size }}"}

    assert mistakes(a_workflow(name="{{ n }}", resources={"default": entry})) == []


def test_every_key_says_what_it_is() -> None:
    silent = [
        f"{name}.{key}"
        for name, definition in schema()["$defs"].items()
        for key, entry in definition["properties"].items()
        if not entry.get("description")
    ]

    assert silent == []
