"""Everything that is wrong is told at once, with its place, and nothing that is only an echo."""

import pytest

from tests.builders_spec import a_task, refusal_of, yaml_of
from xylem import spec
from xylem.domain.errors import InvalidSpec

BROKEN = """\
workflow:
  name: w
  tasks:
  - name: a
    imge: ubuntu          # unknown key, and image is missing
    command: echo         # no list
    inputs:
    - task: nobody        # no such task
    - url: foo            # no URL
  - name: b
    image: ubuntu
    command: [echo, "{{input:1}}", "{{host:x}}"]
    resource: big         # no such resource
    inputs:
    - task: a
  resources:
    default:
      memory: 1GB         # no such unit
      cpu: many           # no number
    small:
      memory: 1XB
"""


def lines_of(refused: InvalidSpec) -> dict[str, int | None]:
    return {each.path: each.line for each in refused.problems}


def test_mistakes_of_every_kind_are_told_together_each_with_its_line() -> None:
    assert lines_of(refusal_of(BROKEN)) == {
        "workflow.tasks[0].image": 4,
        "workflow.tasks[0].imge": 5,
        "workflow.tasks[0].command": 6,
        "workflow.tasks[0].inputs[0].task": 8,
        "workflow.tasks[0].inputs[1].url": 9,
        "workflow.tasks[1].command[1]": 12,
        "workflow.tasks[1].command[2]": 12,
        "workflow.tasks[1].resource": 13,
        "workflow.resources.default.cpu": 19,
        "workflow.resources.small.memory": 21,
    }


def test_the_message_has_a_line_for_each() -> None:
    refused = refusal_of(BROKEN)
    lines = str(refused).splitlines()

    assert lines == [str(each) for each in refused.problems]
    assert all(
        line.endswith(f"(line {each.line})")
        for line, each in zip(lines, refused.problems, strict=True)
    )
    assert (refused.code, refused.workflow) == ("USAGE", "w")


def test_a_mistake_in_one_task_is_no_mistake_of_those_that_read_from_it() -> None:
    text = yaml_of(
        a_task("a", image=""),
        a_task("b", inputs=[{"task": "a"}], args=["{{input:a}} {{input:0}}"]),
    )

    assert list(lines_of(refusal_of(text))) == ["workflow.tasks[0].image"]


def test_an_input_with_a_mistake_keeps_its_number_and_its_name() -> None:
    inputs = [{"task": "b", "regex": "("}, {"task": "c"}]
    text = yaml_of(
        a_task("a", inputs=inputs, args=["{{input:1}} {{input:b}} {{input:0}}"]),
        a_task("b"),
        a_task("c"),
    )

    assert list(lines_of(refusal_of(text))) == ["workflow.tasks[0].inputs[0].regex"]


def test_mistakes_in_groups_have_their_places() -> None:
    groups = [
        {"name": "g", "tasks": [a_task("a", lead=True), a_task("b", command="x")]},
        {"name": "h", "tasks": [a_task("c", inputs=[{"task": "q"}])]},
        "no group",
        {"name": "a", "tasks": [a_task("d", inputs=[{"task": "d"}])]},
    ]

    assert set(lines_of(refusal_of(yaml_of(groups=groups)))) == {
        "workflow.groups[0].tasks[1].command",
        "workflow.groups[1].tasks[0].inputs[0].task",
        "workflow.groups[2]",
        "workflow.groups[3].tasks[0].inputs[0].task",
        "workflow.groups[3].name",
    }


def test_whatever_stands_where_a_map_is_meant_is_told_as_such() -> None:
    text = "workflow:\n  name: w\n  tasks: 5\n  resources: [x]\n  labels: x\n  timeout: 5m\n"

    told = str(refusal_of(text))

    for part in (
        "tasks: should be a list",
        "resources: should be a map",
        "labels: should be a map",
    ):
        assert f"workflow.{part}" in told
    assert "workflow.timeout: should be a map of keys and values" in told
    assert "tuple" not in told and "dictionary" not in told and "Spec" not in told


def test_lines_of_a_template_are_the_users_as_long_as_it_moves_none() -> None:
    text = "workflow:\n  name: {{ n }}\n  tasks: []\n  bogus: 1\ndefault-values: {n: w}\n"

    with pytest.raises(InvalidSpec, match=r"bogus: is no key .* \(line 4\)"):
        spec.read(spec.render(text), written=text)


def test_lines_that_a_template_moved_are_said_to_be_the_rendered_ones() -> None:
    loop = "{% for n in range(3) %}\n  - {name: t{{ n }}, image: u, command: [x]}\n{% endfor %}"
    text = f"workflow:\n  name: w\n  tasks:\n{loop}\n  bogus: 1\n"

    with pytest.raises(InvalidSpec, match=r"\(line 11 of the rendered spec\)"):
        spec.read(spec.render(text), written=text)


def test_a_path_that_is_not_in_the_text_has_the_line_of_what_it_would_be_in() -> None:
    assert lines_of(refusal_of("workflow:\n  name: w\n  resources:\n    big:\n      cpu: x\n")) == {
        "workflow.resources.big.cpu": 5,
    }
