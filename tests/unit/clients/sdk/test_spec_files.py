"""Local files inside specs: what the service reads is what the file holds, and nothing else moves.

Read back as the service does it: rendered by its own template engine, parsed as YAML.
"""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.sdk.errors import BadInput
from clients.sdk.spec_files import NeedsRendering, with_local_files
from xylem.spec.jinja import rendered_here
from xylem.spec.template import render

BLOCK = """\
# a comment that stays
workflow:
  name: w   # and this one
  tasks:
  - name: t
    image: alpine
    command: [sh, /run.sh]
    files:
    - path: /run.sh
      localpath: run.sh  # beside the spec
"""
FLOW = "workflow: {name: w, tasks: [{name: t, files: [{localpath: 'run.sh', path: /run.sh}]}]}\n"


def read_back(spec: str) -> dict[str, Any]:
    """The only file of the only task, as the service sees it."""
    document = yaml.safe_load(render(spec, renderer=rendered_here))
    file: dict[str, Any] = document["workflow"]["tasks"][0]["files"][0]
    return file


@pytest.mark.parametrize("spec", [BLOCK, FLOW])
@pytest.mark.parametrize(
    "text",
    [
        "echo hi\n",
        "",
        "no newline at the end",
        'quotes " and \\ backslashes: "{}" # no comment\n',
        "tabs\tand ünïcödé 🌱\n",
        "echo ${#array[@]} {{ jinja }} {% if x %} {# no comment #}\n",
        "cp a {{output}}/b && cat {{input:0}}/c\n",
    ],
)
def test_a_text_arrives_as_it_is_however_the_spec_is_written(
    tmp_path: Path, spec: str, text: str
) -> None:
    (tmp_path / "run.sh").write_text(text)

    assert read_back(with_local_files(spec, tmp_path)) == {"path": "/run.sh", "contents": text}


@pytest.mark.parametrize("spec", [BLOCK, FLOW])
@pytest.mark.parametrize("raw", [b"\xff\x00binary", b"{{ x }} {% endraw %}", b"bell \x07"])
def test_what_text_in_yaml_cannot_carry_goes_as_base64(
    tmp_path: Path, spec: str, raw: bytes
) -> None:
    (tmp_path / "run.sh").write_bytes(raw)

    file = read_back(with_local_files(spec, tmp_path))

    assert file["base64"] is True
    assert base64.b64decode(file["contents"]) == raw


def test_the_rest_of_the_spec_stays_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo\n")

    merged = with_local_files(BLOCK, tmp_path)

    assert merged == BLOCK.replace("localpath: run.sh", 'contents: "echo\\n"')


def test_a_spec_without_local_files_is_not_even_parsed(tmp_path: Path) -> None:
    assert with_local_files("{ not: yaml", tmp_path) == "{ not: yaml"


def test_a_template_that_is_yaml_keeps_its_template(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("echo\n")
    spec = BLOCK.replace("name: w ", 'name: "{{ name }}" ')

    assert 'name: "{{ name }}"' in with_local_files(spec, tmp_path)


@pytest.mark.parametrize(
    "spec",
    [
        BLOCK.replace("run.sh  #", '"{{ name }}.sh"  #'),
        BLOCK.replace("  tasks:", "  tasks:\n  {% for n in [1] %}") + "  {% endfor %}\n",
    ],
)
def test_files_that_only_the_rendered_template_names_want_it_rendered(
    tmp_path: Path, spec: str
) -> None:
    with pytest.raises(NeedsRendering):
        with_local_files(spec, tmp_path)


def test_a_missing_file_and_two_contents_are_refused_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="line 10: localpath run.sh cannot be read"):
        with_local_files(BLOCK, tmp_path)
    (tmp_path / "run.sh").write_text("echo\n")
    with pytest.raises(BadInput, match="either localpath or contents"):
        with_local_files(BLOCK + "      contents: twice\n", tmp_path)


def test_a_localpath_that_is_no_file_of_a_task_is_left_alone(tmp_path: Path) -> None:
    spec = "workflow:\n  tasks:\n  - name: t\n    inputs: [{dataset: {name: d, localpath: x}}]\n"

    assert with_local_files(spec, tmp_path) == spec
