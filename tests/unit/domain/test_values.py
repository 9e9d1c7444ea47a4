"""What `dataclasses` makes, only sooner."""

import copy
import dataclasses
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import pytest

from tests.builders import a_group, a_task
from xylem.domain import group, task, workflow
from xylem.domain.values import dataclass, field, replace

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


def test_another_value_is_checked_like_the_first() -> None:
    @dataclass(frozen=True, slots=True)
    class Range:
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is over high")

    assert replace(Range(1, 2), high=3) == Range(1, 3)
    with pytest.raises(ValueError, match="low is over high"):
        replace(Range(1, 2), low=3)


def test_values_of_one_field_and_of_none_have_others_like_them() -> None:
    _, nothing, of, _ = OURS

    assert repr(replace(of(1), one=2)) == repr(of(2))
    assert replace(nothing()) == nothing()


def test_a_value_without_slots_is_left_to_the_library() -> None:
    @dataclasses.dataclass(frozen=True)
    class Loose:
        a: int

    with pytest.raises(TypeError, match="Loose has no slots"):
        replace(Loose(1), a=2)


T = TypeVar("T")


def _both(make: Any) -> tuple[type, type, type, type]:
    @make(frozen=True, slots=True)
    class Plain:
        """It says what it is."""

        kind: str
        self_: int = 3
        shown: list[int] = field(default_factory=list)
        secret: str = field(default="s3cret", repr=False)

    @make(frozen=True, slots=True)
    class Nothing:
        pass

    @make(frozen=True, slots=True)
    class Of(Generic[T]):
        one: T

    @make(frozen=True, slots=True)
    class Checked:
        low: int
        high: int

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is over high")

        def __hash__(self) -> int:
            return 7

    return Plain, Nothing, Of, Checked


OURS, STANDARD = _both(dataclass), _both(dataclasses.dataclass)

Asked = Callable[[Any, Any, Any, Any], Any]
ASKED: Mapping[str, Asked] = {
    "by place": lambda plain, *_: repr(plain("a", 2, [1])),
    "by name": lambda plain, *_: repr(plain(self_=2, kind="a")),
    "a list of its own": lambda plain, *_: plain("a").shown is plain("a").shown,
    "a given list": lambda plain, *_: plain("a", shown=[1]).shown,
    "what is not shown": lambda plain, *_: plain("a").secret,
    "equal": lambda plain, *_: (plain("a") == plain("a"), plain("a") != plain("b")),
    "not of its class": lambda plain, nothing, *_: (plain("a") == nothing(), nothing() == ()),
    "nothing in it": lambda _, nothing, *__: (nothing(), nothing() == nothing()),
    "one in it": lambda _, __, of, ___: (of(3), of(3) == of(3), of(3) == 3, hash(of(3))),
    "hash": lambda _, __, of, checked: (hash(checked(1, 2)), hash(of((1, 2)))),
    "unhashable inside": lambda plain, *_: hash(plain("a")),
    "checked": lambda *kinds: kinds[3](2, 1),
    "too few": lambda plain, *_: plain(),
    "too many": lambda plain, *_: plain(1, 2, 3, 4, 5),
    "unknown": lambda plain, *_: plain("a", colour="red"),
    "set": lambda plain, *_: setattr(plain("a"), "kind", "b"),
    "delete": lambda plain, *_: delattr(plain("a"), "kind"),
    "no dict": lambda plain, *_: hasattr(plain("a"), "__dict__"),
    "copy": lambda plain, *_: (copy.copy(plain("a")), copy.deepcopy(plain("a", shown=[1]))),
    "as a dict": lambda plain, *_: dataclasses.asdict(plain("a")),
    "the library's replace": lambda plain, *_: dataclasses.replace(plain("a"), self_=1),
    "matched": lambda plain, *_: plain.__match_args__,
    "fields": lambda plain, *_: [(each.name, each.type) for each in dataclasses.fields(plain)],
    "made as": lambda plain, *_: plain.__dataclass_params__,
    "told": lambda plain, *_: plain.__doc__,
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_a_class_behaves_as_the_library_s_would(ask: Asked) -> None:
    assert _answer(ask, OURS) == _answer(ask, STANDARD)


def _answer(ask: Asked, kinds: tuple[type, ...]) -> str:
    try:
        return repr(ask(*kinds))
    except Exception as refused:
        return f"{type(refused)}: {refused}"


def test_what_the_library_s_slots_trip_over_is_right_here() -> None:
    plain, _, of, _ = OURS

    assert repr(of[int](3)) == repr(of(3))  # type: ignore[index]  # it is generic
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'colour'"):
        plain("a").colour = "red"


def test_a_value_survives_being_pickled() -> None:
    before = a_group(tasks=(a_task("a"), a_task("b")))

    assert pickle.loads(pickle.dumps(before)) == before


def test_a_class_that_says_less_than_frozen_with_slots_is_not_made_here() -> None:
    with pytest.raises(TypeError, match="frozen and has slots"):
        dataclass(frozen=True, slots=False)


def test_a_field_that_nobody_can_say_is_not_taken() -> None:
    with pytest.raises(TypeError, match=r"Derived\.size: all fields are said"):

        @dataclass(frozen=True, slots=True)
        class Derived:
            size: int = field(init=False)
