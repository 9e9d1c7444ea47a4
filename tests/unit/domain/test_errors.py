import pytest

from xylem.domain.errors import Conflict, InvalidSpec, Problem

UNKNOWN = Problem("USAGE", ("groups", 0, "image"), "groups[0].image", "There is no image.")


@pytest.mark.parametrize(
    ("line", "rendered", "said"),
    [
        (7, False, "groups[0].image: There is no image. (line 7)"),
        (7, True, "groups[0].image: There is no image. (line 7 of the rendered spec)"),
        (None, True, "groups[0].image: There is no image."),
        (None, False, "groups[0].image: There is no image."),
    ],
)
def test_a_problem_says_where_it_is_as_far_as_that_is_known(
    line: int | None, rendered: bool, said: str
) -> None:
    assert str(UNKNOWN.on(line, rendered=rendered)) == said


def test_an_error_has_the_code_of_its_kind_unless_it_is_given_one() -> None:
    assert InvalidSpec("no").code == "USAGE"
    assert Conflict("no").code == "conflict"
    assert InvalidSpec("no", code="RESOURCE").code == "RESOURCE"


def test_an_error_knows_the_workflow_and_the_problems_that_it_is_about() -> None:
    error = InvalidSpec("no", workflow="hello-1", problems=(UNKNOWN,))

    assert (error.workflow, error.problems, str(error)) == ("hello-1", (UNKNOWN,), "no")


@pytest.mark.parametrize(
    ("workflow", "kept_as", "name"),
    [(None, None, None), ("flow", None, "flow"), (None, "kept", "kept"), ("flow", "kept", "kept")],
)
def test_a_refused_spec_is_kept_under_its_workflows_name_unless_another_is_said(
    workflow: str | None, kept_as: str | None, name: str | None
) -> None:
    assert InvalidSpec("wrong", workflow=workflow, kept_as=kept_as).kept_as == name
