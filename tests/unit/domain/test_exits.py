import pytest

from xylem.domain.exits import ExitAction, ExitRule, action_for

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
