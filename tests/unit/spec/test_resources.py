import pytest

from xylem.spec.resources import size_in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1B", 1),
        ("1500m", 2),
        ("1K", 1024),
        ("1Ki", 1024),
        ("1KiB", 1024),
        ("2M", 2 * 1024**2),
        ("1.5Gi", 1024**3 * 3 // 2),
        ("1T", 1024**4),
        ("0.1B", 1),
    ],
)
def test_all_units_are_binary_and_part_bytes_round_up(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["1GB", "1gi", "1P"])
def test_an_unknown_unit_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"invalid unit: {text[1:]}"):
        size_in_bytes(text)


@pytest.mark.parametrize("text", ["", "Gi", "-1Gi", "1 Gi", "1e3", "9" * 5_000])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size|invalid unit"):
        size_in_bytes(text)
