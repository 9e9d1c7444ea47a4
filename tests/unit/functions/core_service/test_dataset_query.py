"""The query language of datasets: what fits what, and what is told of a mistake."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core_service.dataset_query import MOST_CHARS, MOST_DEPTH, MOST_TERMS, question_of
from tests.builders import NOON
from xylem.domain.dataset import Dataset, DatasetId, DatasetType, Version, VersionStatus
from xylem.domain.dataset_query import about_versions, fits
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName

ALICE = UserName("alice")
LABELS = {"robot": {"arm": "left", "axes": 6}, "tags": ["a", "b"], "live": True, "note": "50%"}


def a_dataset(name: str = "pick-place", **fields: Any) -> Dataset:
    id = DatasetId("A" * 22)
    kind = DatasetType.DATASET
    return Dataset(id, "prod", name, kind, ALICE, NOON, labels=LABELS, **fields)


A_VERSION = Version(
    DatasetId("A" * 22),
    "",
    1,
    VersionStatus.READY,
    ALICE,
    NOON + timedelta(days=1),
    NOON,
    {"description": "d", "epochs": 12},
)


@pytest.mark.parametrize(
    "text",
    [
        'name = "pick-place"',
        "name = 'pick-place'",
        '"pick-place" = name',
        'name != "other"',
        'name IN ["a", "pick-place"]',
        'name in ["pick-place"]',
        'name CONTAINS "place"',
        'name contains "place"',
        f'id = "{"A" * 22}"',
        'label.robot.arm = "left"',
        "label.robot.axes >= 6",
        "6 <= label.robot.axes",
        "5.5 < label.robot.axes",
        "label.robot.axes IN [5, 6]",
        'label.robot.arm > "a"',
        "label.live = True",
        'label.note = "50%"',
        'label.tags CONTAINS "a"',
        "LEN(label.tags) = 2",
        "len (label.robot.arm) < 5",
        'label CONTAINS KEY "robot"',
        'label.robot CONTAINS KEY "arm"',
        'created_date >= "2026-01-01"',
        f'created_date = "{NOON.isoformat()}"',
        "is_collection = False",
        "is_collection != true",
        'NOT name = "other"',
        'name = "other" OR name = "pick-place" AND label.live = true',
        '(name = "other" OR name = "pick-place") AND label.live = true',
        'NOT (name = "pick-place" AND label.live = false)',
        'name = "pick-place"  # the one\n  AND label.live = True # and more\n',
    ],
)
def test_what_fits_is_found(text: str) -> None:
    assert fits(question_of(text), a_dataset())


@pytest.mark.parametrize(
    "text",
    [
        'name = "Pick-Place"',
        'label.nothing = "left"',
        'label.nothing != "left"',
        'label.robot.arm.finger = "left"',
        'label.robot.axes = "6"',
        'label.robot.axes < "7"',
        "label.live = 1",
        "label.robot.axes = true",
        "LEN(label.robot.axes) = 1",
        'label.tags CONTAINS "c"',
        'label.robot.axes CONTAINS "6"',
        'label CONTAINS KEY "arm"',
        'label.tags CONTAINS KEY "a"',
        'created_date < "2026-01-01T00:00:00Z"',
        "is_collection = True",
        'name = "other" OR name = "pick-place" AND label.live = false',
    ],
)
def test_what_does_not_fit_is_not_found(text: str) -> None:
    assert not fits(question_of(text), a_dataset())


def test_a_question_about_metadata_is_answered_by_versions() -> None:
    question = question_of('metadata.epochs > 10 AND name = "pick-place"')

    assert about_versions(question)
    assert fits(question, a_dataset(), A_VERSION)
    assert not fits(question, a_dataset())
    assert about_versions(question_of('NOT (name = "a" OR metadata.x = 1)'))
    assert not about_versions(question_of('NOT (name = "a" OR label.x = 1)'))


def test_of_a_version_its_own_date_is_compared() -> None:
    question = question_of(f'created_date > "{NOON.isoformat()}" AND metadata.epochs = 12')

    assert fits(question, a_dataset(), A_VERSION)
    assert not fits(question, a_dataset())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ends too early; expected"),
        ("name", "expected"),
        ("name = ", "expected"),
        ('name = "a" AND', "expected"),
        ("name = a", "expected"),
        ('name == "a"', "line 1, column 7"),
        ('name = "a" ORDER BY name', "line 1, column 12"),
        ('name = "a"\nLIMIT 5', "line 2, column 1"),
        ('name LIKE "a"', "expected"),
        ('user = "alice"', "nothing is known of 'user': ask for name, id"),
        ('name.first = "a"', "name has nothing below it"),
        ("name = 5", "name is compared with a text"),
        ('label = "a"', "label alone has no value"),
        ("LEN(label) = 1", "label alone has no value"),
        ('label CONTAINS "a"', "label alone has no value"),
        ('LEN(label.x) = "1"', "whole number"),
        ('label.x CONTAINS ["a"]', "expected"),
        ("label.x CONTAINS 5", "CONTAINS is for a text"),
        ('name CONTAINS KEY "a"', "CONTAINS KEY is for label and metadata"),
        ("is_collection = 1", "is_collection is True or False"),
        ("is_collection > True", "is_collection is True or False"),
        ('created_date > "yesterday"', "is no date"),
        ('created_date IN ["2026-01-01"]', "one value"),
        ("name = $", "line 1, column 8"),
        ("label.x = " + "9" * 50, "is no number"),
        ("(" * 4_000, "expected"),
        ("x" * (MOST_CHARS + 1), "characters at the most"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        question_of(text)
    assert str(refused.value).startswith("Parsing error: ")
    assert says in str(refused.value)


def test_a_query_is_bounded() -> None:
    deepest = "NOT " * (MOST_DEPTH - 1) + "label.a = 1"
    most = " OR ".join(["label.a=1"] * MOST_TERMS)

    assert not fits(question_of(most), a_dataset())
    question_of(deepest)
    question_of("(" * 2_000 + "label.a = 1" + ")" * 2_000)
    for text in (f"NOT {deepest}", f"{most} OR label.a=1"):
        with pytest.raises(InvalidRequest, match="at the most"):
            question_of(text)
