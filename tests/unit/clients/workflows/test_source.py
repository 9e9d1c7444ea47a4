"""What travels with a function, and what is refused by name because it cannot."""

import functools
import json as js
import os.path
import re
import sys
import threading
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clients.sdk.errors import BadInput
from clients.workflows import OUTPUT, CannotTravel, host, task
from clients.workflows.source import source_of
from tests import builders

FACTOR = 3
NAMES = {"a": [1, (2, "b")], "c": {b"d"}}
PATTERN = re.compile("x+")
LOCK = threading.Lock()


class Level(IntEnum):
    LOW = 1


LEVEL = Level.LOW


@dataclass(frozen=True)
class Point:
    x: int
    y: int = FACTOR

    def far(self) -> int:
        return scaled(self.x) + self.y


def scaled(number: int) -> int:
    return number * FACTOR


def ran(function: Callable[..., Any], *args: Any) -> Any:
    """In a module of its own, which has its source alone."""
    module = sys.modules["travelled"] = ModuleType("travelled")
    try:
        exec(compile(source_of(function), "travelled.py", "exec"), vars(module))
        return vars(module)[function.__name__](*args)
    finally:
        del sys.modules["travelled"]


def test_a_function_brings_what_it_uses_and_what_that_uses() -> None:
    def area(x: int) -> int:
        return Point(x).far()

    assert ran(area, 2) == 9


def test_what_is_not_used_stays_at_home() -> None:
    text = source_of(scaled)

    assert text == (
        "from __future__ import annotations\n\nFACTOR = 3\n\n\n"
        "def scaled(number: int) -> int:\n    return number * FACTOR\n"
    )


def test_imports_are_made_there_under_the_names_that_they_have_here() -> None:
    def words() -> str:
        element = xml.etree.ElementTree.fromstring("<a>b</a>")
        return js.dumps([element.text, os.path.sep, Path("e").name])

    assert ran(words) == '["b", "/", "e"]'


def test_constants_are_those_of_now() -> None:
    def constants() -> Any:
        return NAMES, OUTPUT, FACTOR

    assert ran(constants) == (NAMES, OUTPUT, FACTOR)


def test_what_a_function_closes_over_is_a_constant_of_its_file() -> None:
    greeting = "hello"

    def greet(name: str) -> str:
        return f"{greeting} {name}"

    assert ran(greet, "you") == "hello you"


def test_another_task_is_a_plain_function_there() -> None:
    @task
    def inner(number: int) -> int:
        return number + 1

    @task(image="other")
    def outer(number: int) -> int:
        return inner(inner(number))

    assert ran(outer.function, 1) == 3


def test_other_decorators_travel_and_functions_may_call_themselves() -> None:
    @functools.cache
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    def result() -> int:
        return factorial(5)

    assert ran(result) == 120


def test_types_are_not_needed_where_it_runs() -> None:
    def typed(point: Iterator[Point]) -> "re.Pattern[str] | None":
        return None

    assert "import" not in source_of(typed).replace("from __future__ import annotations", "")


def generates() -> Iterator[int]:
    yield 1


def uses_a_pattern() -> bool:
    return bool(PATTERN.match("x"))


def uses_a_lock() -> bool:
    return LOCK.locked()


def uses_a_level() -> int:
    return LEVEL


def uses_a_module_of_ours() -> object:
    return builders.NOON


def uses_what_builds() -> str:
    return host("a")


def uses_nothing_known() -> object:
    return nothing_known  # type: ignore[name-defined]  # noqa: F821 - that is the test


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (uses_a_pattern, "uses PATTERN, but PATTERN is a Pattern that is made here"),
        (uses_a_lock, "uses LOCK, but LOCK is a lock that is made here"),
        (uses_a_level, "uses LEVEL, but LEVEL is a Level that is made here"),
        (uses_a_module_of_ours, r"builders is the module tests.builders of yours"),
        (uses_what_builds, "host builds workflows"),
        (uses_nothing_known, "nothing_known is not defined"),
        (generates, "generates yields: return a list"),
        (lambda: 1, "write it with def"),
    ],
)
def test_what_cannot_travel_is_named_with_what_to_do(
    function: Callable[..., Any], why: str
) -> None:
    with pytest.raises(CannotTravel, match=why):
        source_of(function)


def test_two_things_of_one_name_are_not_mixed_up() -> None:
    def adder(by: int) -> Callable[[int], int]:
        def add(number: int) -> int:
            return number + by

        return add

    one, two = adder(1), adder(2)

    def both() -> int:
        return one(0) + two(0)

    with pytest.raises(BadInput, match="two different things"):
        source_of(both)
