"""A workflow is checked where it is written: no service, no login."""

import json
from pathlib import Path

import pytest

from tests.builders_spec import a_task, yaml_of
from tests.unit.clients.cli.world import Said, a_spec, xylem
from xylem.spec.schema import schema

MISTAKES = yaml_of(a_task("a", imge="x"), a_task("b", inputs=[{"task": "nobody"}]))


def validated(tmp_path: Path, text: str, *options: str, stdin: str = "") -> Said:
    """Nobody is logged in."""
    return xylem(
        *("workflow", "validate", "--offline", a_spec(tmp_path, text), *options),
        environ={"XYLEM_CONFIG_DIR": str(tmp_path / "config")},
        stdin=stdin,
    )


def test_a_valid_workflow_is_said_to_be_so_and_what_was_not_checked(tmp_path: Path) -> None:
    said = validated(tmp_path, yaml_of())

    assert said.code == 0
    assert said.out.startswith("Workflow validation succeeded")
    assert "Warning: without a service it is not known what the pool has" in said.err


def test_programs_read_the_same_in_json(tmp_path: Path) -> None:
    said = validated(tmp_path, yaml_of(a_task("a"), a_task("b")), "-t", "json")

    answer = json.loads(said.out)
    assert (answer["name"], answer["groups"], answer["tasks"]) == ("w", 2, 2)
    assert "without a service" in answer["warnings"][0]


def test_every_mistake_is_told_and_the_exit_code_is_that_of_a_refusal(tmp_path: Path) -> None:
    said = validated(tmp_path, MISTAKES)

    assert said.code == 1
    assert "workflow.tasks[0].imge: is no key" in said.err
    assert "workflow.tasks[1].inputs[0].task: Task input nobody does not exist." in said.err
    assert "(line 8)" in said.err


def test_programs_get_every_mistake_by_itself(tmp_path: Path) -> None:
    said = validated(tmp_path, MISTAKES, "--format-type", "json")

    answer = json.loads(said.out)
    assert (said.code, answer["code"], answer["error_code"]) == (1, 400, "USAGE")
    assert [(each["path"], each["line"], each["error_code"]) for each in answer["problems"]] == [
        ("workflow.tasks[0].imge", 8, "USAGE"),
        ("workflow.tasks[1].inputs[0].task", 14, "SUBMISSION"),
    ]


def test_variables_environment_and_labels_are_those_of_a_submission(tmp_path: Path) -> None:
    text = 'workflow:\n  name: "{{ n }}"\n  tasks:\n  - {name: a, image: u, command: [x]}\n'

    assert validated(tmp_path, text).code == 1
    assert validated(tmp_path, text, "--set", "n=w", "--set-env", "A=b", "--label", "t=a").code == 0
    assert "Write it as NAME=VALUE" in validated(tmp_path, yaml_of(), "--set-env", "A").err
    assert "write KEY=VALUE" in validated(tmp_path, yaml_of(), "--label", "A").err


def test_files_beside_the_spec_are_read(tmp_path: Path) -> None:
    text = (
        "workflow:\n  name: w\n  tasks:\n{% for n in range(count) %}\n"
        "  - name: t{{ n }}\n    image: u\n    command: [sh, /tmp/x]\n"
        "    files:\n    - path: /tmp/x\n      localpath: run-{{ n }}.sh\n{% endfor %}\n"
        "default-values: {count: 2}\n"
    )
    for n in range(2):
        (tmp_path / f"run-{n}.sh").write_text("echo ${#x[@]} {{output}} {{ not_a_variable }}\n")

    assert validated(tmp_path, text).code == 0
    refused = validated(tmp_path, text, "--set", "count=3")
    assert refused.code == 2
    assert "localpath run-2.sh cannot be read" in refused.err


def test_a_spec_is_read_from_standard_input_too(tmp_path: Path) -> None:
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path)}

    said = xylem("workflow", "validate", "--offline", "-", environ=environ, stdin=yaml_of())

    assert said.code == 0


def test_a_pool_is_the_services_to_ask(tmp_path: Path) -> None:
    said = validated(tmp_path, yaml_of(), "--pool", "default")

    assert said.code == 2
    assert "leave out --pool" in said.err


@pytest.mark.parametrize("text", ["", "workflow:\n  name: [\n", "workflow: {name: w}\npool: x\n"])
def test_what_is_no_spec_at_all_is_refused_in_the_services_words(tmp_path: Path, text: str) -> None:
    said = validated(tmp_path, text, "-t", "json")

    assert said.code == 1
    assert json.loads(said.out)["code"] == 400


def test_a_spec_that_is_too_large_is_so_here(tmp_path: Path) -> None:
    said = validated(tmp_path, "workflow: " + "a" * 4_200_000, "-t", "json")

    assert (said.code, json.loads(said.out)["code"]) == (1, 413)


def test_the_schema_is_shown_to_whoever_has_no_login(tmp_path: Path) -> None:
    said = xylem("workflow", "schema", environ={"XYLEM_CONFIG_DIR": str(tmp_path)})

    assert said.code == 0
    assert json.loads(said.out) == schema()
