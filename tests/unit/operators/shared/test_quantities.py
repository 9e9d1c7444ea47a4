"""Quantities (reference/kubernetes-api/common-definitions/quantity)."""

from decimal import Decimal

import pytest

from operators.shared.quantities import in_units, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("1", "1"),
        (2, "2"),
        (0.5, "0.5"),
        ("250m", "0.25"),
        ("0.1", "0.1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("100n", "1e-7"),
        ("7u", "0.000007"),
        ("1k", "1000"),
        ("1M", "1000000"),
        ("1G", "1e9"),
        ("1T", "1e12"),
        ("1P", "1e15"),
        ("1E", "1e18"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1Ti", "1099511627776"),
        ("1Pi", "1125899906842624"),
        ("1Ei", "1152921504606846976"),
        ("12e6", "12000000"),
        ("12E6", "12000000"),
        ("1e-3", "0.001"),
        ("-1", "-1"),
        ("+1", "1"),
    ],
)
def test_a_quantity_is_a_number(text: object, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "one", "1 Gi", "1GiB", "1Kb", "Ki", "1e", "1K", "--1", "1,5", None, [], "1mm"]
)
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("value", "divisor", "units"),
    [("250m", "1", 1), ("1500m", "1", 2), ("250m", "1m", 250), ("1Gi", "1Mi", 1024), ("1", "1", 1)],
)
def test_the_downward_api_counts_units_rounded_up(value: str, divisor: str, units: int) -> None:
    assert in_units(value, divisor) == units
