"""A question about the datasets of a bucket, as a tree, and its answer for one of them.

How people write it is for an edge (`functions/core_service/dataset_query.py`). Here every question
has an answer for every dataset: what is not there, or of another type, fits no comparison.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeGuard

from xylem.domain import nested
from xylem.domain.dataset import Dataset, Version
from xylem.domain.values import dataclass

Root = Literal["name", "id", "created_date", "is_collection", "label", "metadata"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "IN", "CONTAINS", "CONTAINS KEY"]
Scalar = str | int | float | bool
Value = Scalar | datetime | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """`path`: below labels or metadata. `length`: not its value, but how long that is."""

    root: Root
    path: tuple[str, ...] = ()
    length: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    field: Field
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Not:
    of: "Question"


@dataclass(frozen=True, slots=True)
class All:
    of: "tuple[Question, ...]"


@dataclass(frozen=True, slots=True)
class Any_:
    of: "tuple[Question, ...]"


Question = Comparison | Not | All | Any_


def about_versions(question: Question) -> bool:
    """Whether it is answered by versions: metadata is theirs."""
    match question:
        case Comparison(field=field):
            return field.root == "metadata"
        case Not(of=one):
            return about_versions(one)
        case All(of=several) | Any_(of=several):
            return any(map(about_versions, several))


def fits(question: Question, dataset: Dataset, version: Version | None = None) -> bool:
    match question:
        case Comparison():
            return _compares(question, dataset, version)
        case Not(of=one):
            return not fits(one, dataset, version)
        case All(of=several):
            return all(fits(one, dataset, version) for one in several)
        case Any_(of=several):
            return any(fits(one, dataset, version) for one in several)


def _compares(asked: Comparison, dataset: Dataset, version: Version | None) -> bool:
    try:
        found = _value(asked.field, dataset, version)
    except KeyError:
        return False
    if asked.field.length:
        if not isinstance(found, str | Sequence | Mapping):
            return False
        found = len(found)
    value = asked.value
    match asked.operator:
        case "=":
            return _same(found, value)
        case "!=":
            return not _same(found, value)
        case "IN":
            return isinstance(value, tuple) and any(_same(found, one) for one in value)
        case "CONTAINS":
            if isinstance(found, str):
                return isinstance(value, str) and value in found
            return isinstance(found, list | tuple) and any(_same(one, value) for one in found)
        case "CONTAINS KEY":
            return isinstance(found, Mapping) and value in found
        case _:
            return _ordered(found, asked.operator, value)


def _value(field: Field, dataset: Dataset, version: Version | None) -> Any:
    """Raises `KeyError` where nothing is."""
    match field.root:
        case "name":
            return dataset.name
        case "id":
            return dataset.id
        case "created_date":
            return version.created_at if version else dataset.created_at
        case "is_collection":
            return dataset.is_collection
        case "label":
            return nested.at(dataset.labels, field.path)
        case "metadata":
            return nested.at(version.metadata if version else {}, field.path)


def _same(found: object, value: object) -> bool:
    return found == value and isinstance(found, bool) == isinstance(value, bool)


def _ordered(found: object, operator: str, value: object) -> bool:
    place = _place(found, value)
    match operator:
        case _ if place is None:
            return False
        case "<":
            return place < 0
        case "<=":
            return place <= 0
        case ">":
            return place > 0
        case _:
            return place >= 0


def _place(found: object, value: object) -> int | None:
    """Below 0 where `found` comes first. None: they have no order."""
    if isinstance(found, str) and isinstance(value, str):
        return (found > value) - (found < value)
    if isinstance(found, datetime) and isinstance(value, datetime):
        return (found > value) - (found < value)
    if _number(found) and _number(value):
        return (found > value) - (found < value)
    return None


def _number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
