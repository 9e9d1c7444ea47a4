"""Selectors of labels, in OSMO's words."""

import pytest

from xylem.domain.errors import InvalidRequest
from xylem.domain.label_filter import label_selector


@pytest.mark.parametrize(
    ("selector", "selected", "not_selected"),
    [
        ("team=a", ["a"], ["b", "ab", "A", None]),
        ("team=exp-*", ["exp-1", "exp-"], ["exp", "an-exp-1"]),
        ("team=(a|b)", ["a", "b"], ["ab", "c"]),
        ("team=x-(a|b*)-*", ["x-a-1", "x-bcd-"], ["x-c-1", "x-a"]),
        ("team=a.b", ["a.b"], ["axb"]),
        ("team=**", ["", "any"], [None]),
    ],
)
def test_a_selector_is_for_the_whole_value(
    selector: str, selected: list[str], not_selected: list[str | None]
) -> None:
    one = label_selector(selector)

    assert one.key == "team"
    assert [value for value in selected if not one.selects(value)] == []
    assert [value for value in not_selected if one.selects(value)] == []


@pytest.mark.parametrize(
    "selector",
    ["team", "=a", "team=", "team=(a", "team=a)", "team=((a)|b)", f"team=({'|' * 32})"],
)
def test_what_is_no_selector_is_refused_with_how_to_write_one(selector: str) -> None:
    with pytest.raises(InvalidRequest, match=r"KEY=VALUE|team=\(a\|b\)"):
        label_selector(selector)


def test_a_selector_has_an_end() -> None:
    with pytest.raises(InvalidRequest, match="4096 bytes"):
        label_selector(f"team={'a' * 5000}")
