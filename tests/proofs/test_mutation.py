"""The proof in small: what is changed, that a change is noticed or survives, that it goes on."""

import ast
from pathlib import Path
from typing import cast

import pytest

from tests.proofs.mutation import DOMAIN, Change, changes, judged, kept, reasons, summary

SOURCE = '''"""A module."""

ROWS = ("a", "b")
BY_NAME = {"a": 1, "b": 2}


def chosen(value: int, others: list[int]) -> list[int]:
    if value < 3 and others:
        return [other for other in others if other == value]
    return others
'''

EXITS = ("pytest", "-x", "-q", "-p", "no:cacheprovider", "tests/unit/domain/test_exits.py")


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
            (8, "guard", "value < 3 and others", "True"),
            (8, "guard", "value < 3 and others", "False"),
            (8, "guard", "value < 3", "True"),
            (8, "guard", "value < 3", "False"),
            (8, "guard", "others", "True"),
            (8, "guard", "others", "False"),
            (8, "comparison", "value < 3", "value <= 3"),
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


def test_a_change_is_noticed_or_survives_and_is_not_tried_again(tmp_path: Path) -> None:
    rule = next(one for one in changes(DOMAIN / "exits.py") if one.kind == "guard")
    source = (DOMAIN / "exits.py").read_text()
    harmless = Change(rule.module, 1, "guard", "a", "b", f"{source}\n# Nobody can notice this.\n")
    path = tmp_path / "kept.jsonl"

    first = judged([rule, harmless], 1, path, [EXITS])

    assert [verdict.noticed_by for verdict in first] == ["tests/unit/domain/test_exits.py", None]
    with path.open("a") as file:
        file.write('{"key": "torn')
    assert len(kept(path)) == 2
    assert judged([rule, harmless], 1, path, [("no.such.module",)]) == first


def test_a_survivor_is_listed_with_its_reason(tmp_path: Path) -> None:
    told = tmp_path / "survivors.toml"
    told.write_text(
        '[[survivor]]\nmodule = "exits.py"\nwas = "a"\nnow = "b"\nreason = "The same to all."\n'
    )
    [verdict] = judged(
        [Change("exits.py", 1, "guard", "a", "b", (DOMAIN / "exits.py").read_text() + "\n")],
        1,
        tmp_path / "kept.jsonl",
        [],
    )

    result = summary([verdict], reasons(told))

    assert (result["changes"], result["noticed"], result["share"]) == (1, 0, 0.0)
    [survivor] = cast("list[dict[str, str]]", result["survivors"])
    assert survivor["reason"] == "The same to all."
