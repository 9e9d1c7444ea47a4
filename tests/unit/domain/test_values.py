"""What `dataclasses.replace` makes, only sooner."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders import a_group, a_task
from xylem.domain import group, task, workflow
from xylem.domain.values import replace

CLASSES = [group.Group, group.Pending, task.Task, task.PodSeen, workflow.Workflow, workflow.Counts]


@pytest.mark.parametrize("changes", [{}, {"ordinal": 3}, {"message": "x", "tasks": ()}])
def test_it_is_the_value_that_the_library_makes(changes: dict[str, Any]) -> None:
    before = a_group(tasks=(a_task("a"), a_task("b")))
    as_it_was = dataclasses.replace(before)

    made = replace(before, **changes)

    assert made == dataclasses.replace(before, **changes)
    assert (type(made), hash(made.id)) == (type(before), hash(before.id))
    assert before == as_it_was


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Group has no field colour"):
        replace(a_group(), colour="red")  # type: ignore[call-arg]  # there is no such field


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_of_the_domain_have_slots_and_are_frozen(kind: type) -> None:
    assert "__slots__" in vars(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # a class of data


def test_what_is_made_in_a_way_of_its_own_is_left_to_the_library() -> None:
    @dataclass(frozen=True, slots=True)
    class Own:
        a: int
        b: int

        def __post_init__(self) -> None:
            assert self.a < self.b

    with pytest.raises(TypeError, match="in a way of its own"):
        replace(Own(1, 2), a=3)


def test_a_value_of_two_fields_is_enough_and_of_one_is_left_to_the_library() -> None:
    @dataclass(frozen=True, slots=True)
    class Pair:
        a: int
        b: int

    @dataclass(frozen=True, slots=True)
    class Single:
        a: int

    assert replace(Pair(1, 2), b=3) == Pair(1, 3)
    with pytest.raises(TypeError, match="has too few fields"):
        replace(Single(1), a=2)
