import pytest

from xylem.domain.exits import ACTIONS, ExitAction, ExitRule, action_for, parse_codes

RULES = (
    ExitRule("complete", ((0, 0), (16, 20))),
    ExitRule("reschedule", ((18, 18), (3001, 3006))),
)


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (0, "complete"),
        (15, None),
        (16, "complete"),
        (18, "complete"),
        (20, "complete"),
        (21, None),
        (3000, None),
        (3001, "reschedule"),
        (3006, "reschedule"),
        (3007, None),
        (None, None),
    ],
)
def test_the_first_rule_that_names_a_code_decides(
    code: int | None, action: ExitAction | None
) -> None:
    assert action_for(code, RULES) == action


def test_without_rules_a_code_means_what_it_means() -> None:
    assert action_for(3, ()) is None


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("1", ((1, 1),)),
        ("0", ((0, 0),)),
        ("3000-3006", ((3000, 3006),)),
        ("1, 3 , 5-9", ((1, 1), (3, 3), (5, 9))),
        ("7-7", ((7, 7),)),
        ("999999999", ((999_999_999, 999_999_999),)),
    ],
)
def test_codes_are_numbers_and_ranges_of_them(
    text: str, codes: tuple[tuple[int, int], ...]
) -> None:
    assert parse_codes(text) == codes


@pytest.mark.parametrize("text", ["", "1,", "-1", "1-", "1-2-3", "one", "1000000000"])
def test_what_names_no_code_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no exit codes: write them as 1,3000-3006"):
        parse_codes(text)


def test_a_range_that_is_written_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match='"5-1" names no exit code: write the lower one first'):
        parse_codes("3,5-1")


def test_an_action_is_called_as_osmo_calls_it() -> None:
    assert dict(ACTIONS) == {"COMPLETE": "complete", "FAIL": "fail", "RESCHEDULE": "reschedule"}
