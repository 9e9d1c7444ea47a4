"""The pass that reads plain documents by itself has no opinion of its own on what YAML means."""

import yaml
from hypothesis import given, strategies

from xylem.spec.document import load

SCALARS = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers(-(10**18), 10**18)
    | strategies.floats(allow_nan=False)
    | strategies.dates()
    | strategies.text(max_size=12)
    | strategies.sampled_from(
        ["1_000", "0x1f", "0b1", "017", "1:30", "~", "null", "yes", "Off", "<<", "=", ".5", ".inf"]
        + ["-", "2020-01-01", "1e3", "1.e+3", "", " ", "a: b", "#c", "{{x}}", "&a", "*a", "!t"]
    )
)
VALUES = strategies.recursive(
    SCALARS,
    lambda inner: (
        strategies.lists(inner, max_size=4)
        | strategies.dictionaries(strategies.text(max_size=5) | strategies.integers(), inner)
    ),
    max_leaves=12,
)
PLAIN = strategies.lists(
    strategies.sampled_from(
        ["a", "1", "on", "<<", "=", "~", "0o7", "1:2", "&x", "*x", "!!str", "? ", ": ", "- ", "'"]
        + ["[", "]", "{", "}", ",", "\n", "\n  ", "---\n", "2020-01-01", "|\n  b", '"q"', "!"]
    ),
    max_size=10,
).map(" ".join)


@given(VALUES, strategies.booleans())
def test_what_was_dumped_is_read_as_pyyaml_reads_it(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow)

    assert repr(load(text)) == repr(yaml.safe_load(text))


@given(PLAIN)
def test_what_pyyaml_reads_is_read_the_same(text: str) -> None:
    try:
        expected = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, TypeError):
        return

    assert repr(load(text)) == repr(expected)
