"""The proof in small: what is changed, that a change is noticed or survives, that it goes on."""

import ast
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from tests.proofs.mutation import (
    DOMAIN,
    PATIENCE_SECONDS,
    Verdict,
    changes,
    judged,
    kept,
    reasons,
    summary,
)
from tests.proofs.trial import IMPORT, Recording, Told, in_a_process

SOURCE = '''"""A module."""

ROWS = ("a", "b")
BY_NAME = {"a": 1, "b": 2}


def chosen(value: int, others: list[int]) -> list[int]:
    if 1 < value < 3 and others:
        return [other for other in others if other == value]
    return others
'''


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    return path


def test_every_guard_comparison_and_row_is_changed_once(module: Path) -> None:
    found = [(change.line, change.kind, change.was, change.now) for change in changes(module)]

    assert sorted(found) == sorted(
        [
            (3, "row", '("a", "b")', "('b',)"),
            (3, "row", '("a", "b")', "('a',)"),
            (4, "row", '{"a": 1, "b": 2}', "{'b': 2}"),
            (4, "row", '{"a": 1, "b": 2}', "{'a': 1}"),
            (8, "guard", "1 < value < 3 and others", "True"),
            (8, "guard", "1 < value < 3 and others", "False"),
            (8, "guard", "1 < value < 3", "True"),
            (8, "guard", "1 < value < 3", "False"),
            (8, "guard", "others", "True"),
            (8, "guard", "others", "False"),
            (8, "comparison", "1 < value < 3", "1 <= value < 3"),
            (8, "comparison", "1 < value < 3", "1 < value <= 3"),
            (9, "guard", "other == value", "True"),
            (9, "guard", "other == value", "False"),
            (9, "comparison", "other == value", "other != value"),
        ]
    )


def test_only_what_is_changed_is_another_text(module: Path) -> None:
    for change in changes(module):
        ast.parse(change.text)
        differs = [
            number
            for number, (before, after) in enumerate(
                zip(SOURCE.splitlines(), change.text.splitlines(), strict=True), start=1
            )
            if before != after
        ]
        assert differs == [change.line]


def test_every_change_of_the_domain_is_python() -> None:
    for path in DOMAIN.glob("[a-z]*.py"):
        for change in changes(path):
            compile(change.text, path.name, "exec")


def test_a_change_knows_the_function_that_it_is_in(module: Path) -> None:
    assert {change.line: change.where for change in changes(module)} == {
        3: "",
        4: "",
        8: "chosen",
        9: "chosen",
    }


@pytest.fixture(scope="module")
def told() -> Mapping[str, Told]:
    """What the tests of one file execute."""
    recording = Recording(str(DOMAIN), ("tests/unit/domain/test_exits.py",))
    recorded, failed = in_a_process(recording, PATIENCE_SECONDS)
    assert failed == []
    return cast("Mapping[str, Told]", recorded)


def test_it_is_known_which_test_executes_what(told: Mapping[str, Told]) -> None:
    [loop] = [
        change for change in changes(DOMAIN / "exits.py") if change.where == "ExitRule.names"
    ][:1]
    without_rules = "test_exits.py::test_without_rules_a_code_means_what_it_means"

    executing = {
        test
        for test, one in told.items()
        if one.executes("exits.py", range(loop.line, loop.line + 1))
    }

    assert len(executing) > 3
    assert not any(test.endswith(without_rules) for test in executing)
    assert any(test.endswith(without_rules) for test in told)


def test_a_change_is_noticed_and_not_tried_again(tmp_path: Path, told: Mapping[str, Told]) -> None:
    guard = next(one for one in changes(DOMAIN / "exits.py") if one.kind == "guard")
    path = tmp_path / "kept.jsonl"

    [first] = judged([guard], [told], 1, path)

    assert first.noticed_by is not None
    assert first.noticed_by.startswith("tests/unit/domain/test_exits.py::")
    with path.open("a") as file:
        file.write('{"key": "torn')
    assert len(kept(path)) == 1
    assert judged([guard], [], 1, path) == [first]


def test_a_change_that_survived_is_tried_again(tmp_path: Path, told: Mapping[str, Told]) -> None:
    guard = next(one for one in changes(DOMAIN / "exits.py") if one.kind == "guard")
    path = tmp_path / "kept.jsonl"

    [alone] = judged([guard], [{}], 1, path)
    [tested] = judged([guard], [{}, told], 1, path)

    assert alone.noticed_by is None
    assert tested.noticed_by is not None


def test_a_change_that_no_module_can_be_imported_with_is_noticed(
    tmp_path: Path, told: Mapping[str, Told]
) -> None:
    broken = replace(next(changes(DOMAIN / "exits.py")), where="", text="raise ValueError")

    [verdict] = judged([broken], [told], 1, tmp_path / "kept.jsonl")

    assert verdict.noticed_by == IMPORT


def test_who_waits_for_ever_is_not_waited_for() -> None:
    assert in_a_process(partial(time.sleep, 60), 0.1) is None  # ended long before


def test_a_survivor_is_listed_with_its_reason(tmp_path: Path) -> None:
    told = tmp_path / "survivors.toml"
    told.write_text(
        '[[survivor]]\nmodule = "exits.py"\nwhere = "f"\nwas = "a"\nnow = "b"\n'
        'reason = "The same to all."\n'
    )
    verdict = Verdict("0", "exits.py", "f", 1, "guard", "a", "b", None)

    result = summary([verdict], reasons(told))

    assert (result["changes"], result["noticed"], result["share"]) == (1, 0, 0.0)
    [survivor] = cast("list[dict[str, str]]", result["survivors"])
    assert survivor["reason"] == "The same to all."


def test_what_has_a_reason_is_still_a_change_of_the_domain() -> None:
    there = {
        (change.module, change.where, change.was, change.now)
        for path in DOMAIN.glob("[a-z]*.py")
        for change in changes(path)
    }

    assert set(reasons()) <= there
