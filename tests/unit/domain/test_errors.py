import pytest

from xylem.domain.errors import Conflict, InvalidSpec, Problem

UNKNOWN = Problem("USAGE", ("groups", 0, "image"), "groups[0].image", "There is no image.")


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (UNKNOWN, "groups[0].image: There is no image."),
        (UNKNOWN.on(7, rendered=False), "groups[0].image: There is no image. (line 7)"),
        (
            UNKNOWN.on(7, rendered=True),
            "groups[0].image: There is no image. (line 7 of the rendered spec)",
        ),
        (UNKNOWN.on(None, rendered=True), "groups[0].image: There is no image."),
    ],
)
def test_a_problem_says_where_it_is_as_far_as_that_is_known(problem: Problem, said: str) -> None:
    assert str(problem) == said


def test_an_error_has_the_code_of_its_kind_unless_it_is_given_one() -> None:
    assert InvalidSpec("no").code == "USAGE"
    assert Conflict("no").code == "conflict"
    assert InvalidSpec("no", code="RESOURCE").code == "RESOURCE"
