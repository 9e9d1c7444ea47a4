"""What a person tries first has to be right. That the examples run is shown in `tests/e2e`."""

from pathlib import Path

import pytest

from xylem import spec

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_spec_without_a_mistake(path: Path) -> None:
    assert spec.parse(spec.render(path.read_text())).groups


def test_the_examples_show_what_they_are_named_for() -> None:
    plans = {path.stem: spec.parse(spec.render(path.read_text())) for path in EXAMPLES}

    assert set(plans) == {"hello", "serial", "diamond", "group", "fanout"}
    assert plans["diamond"].group("check-group").upstream == (
        "upper-group",
        "count-group",
        "split-group",
    )
    assert plans["group"].groups[0].waits_at_barrier
    assert len(plans["fanout"].groups) == 5


def test_the_fan_out_is_as_wide_as_one_says() -> None:
    text = next(path for path in EXAMPLES if path.stem == "fanout").read_text()

    assert len(spec.parse(spec.render(text, set_variables=["shards=20"])).groups) == 21
