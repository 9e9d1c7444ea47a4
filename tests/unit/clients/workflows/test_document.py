"""What docs/python-workflows.md shows is what happens."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import yaml

from xylem import spec

DOCUMENT = Path(__file__).parents[4] / "docs" / "python-workflows.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def module(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The first program of the page, as a file that was run."""
    path = tmp_path / "poem.py"
    path.write_text(BLOCKS[0])
    found = spec_from_file_location("poem", path)
    assert found is not None
    assert found.loader is not None
    poem = sys.modules["poem"] = module_from_spec(found)
    found.loader.exec_module(poem)
    yield vars(poem)
    del sys.modules["poem"]


def test_the_first_program_is_a_workflow_that_is_taken(module: dict[str, Any]) -> None:
    text = module["poem"].to_yaml()

    plan = spec.parse(spec.render(text))
    tasks = yaml.safe_load(text)["workflow"]["tasks"]

    assert [group.tasks[0].name for group in plan.groups] == ["split", "count", "show"]
    assert tasks[1]["inputs"] == [{"task": "split"}]
    assert tasks[2]["args"] == ["cat {{input:split}}/result.json > {{output}}/copy"]


@pytest.mark.parametrize("block", BLOCKS)
def test_each_program_is_python_and_imports_what_there_is(block: str) -> None:
    compile(block, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    imports = [one for one in ast.parse(block).body if isinstance(one, ast.ImportFrom)]
    for each in imports:
        exec(ast.unparse(each), {})
