"""OSMO's own document against ours: every operation, parameter, body and status is there.

`XYLEM_OSMO_OPENAPI` names OSMO's (default: `../shared/reference/osmo-openapi.json` beside the
repository); without it these tests are skipped. What is otherwise on purpose is in a table here,
with its reason; a row that nothing needs any more fails.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from functions.logger import handler as logger
from tests.api.system import System

ROOT = Path(__file__).parents[2]
FILE = Path(
    os.environ.get("XYLEM_OSMO_OPENAPI")
    or ROOT.parent / "shared" / "reference" / "osmo-openapi.json"
)
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"there is no {FILE.name} here")

Json = dict[str, Any]
METHODS = {"get", "put", "post", "patch", "delete"}

ELSEWHERE = {
    "GET /api/workflow/{name}/logs": "the Logger's, which answers while a task runs",
    "GET /api/workflow/{name}/error_logs": "the Logger's, which answers while a task runs",
}
"""Operations that another function has; its own tests ask them."""

SAID_BY_THE_TOKEN = "who asks is said by his token; the authorizer reads it in dev mode alone"

BOUNDED = {
    "revision": "numbers of revisions have a bound, which no history reaches",
    "first_revision": "numbers of revisions have a bound, which no history reaches",
    "second_revision": "numbers of revisions have a bound, which no history reaches",
    "version": "an app has 1,000 versions at the most",
    "start_index": "a page has bounds",
    "count": "a page has bounds",
    "task_port": "a port is a port",
    "name": "a name is the name of an object in Kubernetes, where it is to be one",
    "id_prefix": "DynamoDB's keys have a length",
    "users": "DynamoDB's keys have a length",
    "pools": "DynamoDB's keys have a length",
    "task_name": "DynamoDB's keys have a length",
    "access_token": "it is a secret, and marked as one",
    "refresh_token": "it is a secret, and marked as one",
}
"""Parameters of which Xylem says more than OSMO: what there is is taken all the same."""

BOUNDS = {"pattern", "minimum", "maximum", "exclusiveMinimum", "maxLength", "minLength", "format"}


def _shape_of(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method in sorted(METHODS & methods.keys()):
            yield f"{method.upper()} {_shape_of(path)}", path, methods[method]


@pytest.fixture(scope="module")
def osmo() -> Json:
    return dict(json.loads(FILE.read_text()))


@pytest.fixture(scope="module")
def ours() -> Json:
    return System().document


@pytest.fixture(scope="module")
def pairs(osmo: Json, ours: Json) -> list[tuple[str, tuple[str, Json], tuple[str, Json]]]:
    known = {name: (path, one) for name, path, one in operations(ours)}
    return [
        (f"{name.partition(' ')[0]} {path}", (path, one), known[name])
        for name, path, one in operations(osmo)
        if name in known
    ]


def test_every_operation_of_osmo_is_there(osmo: Json, ours: Json) -> None:
    known = {name for name, _, _ in operations(ours)}
    asked = [
        (f"{name.partition(' ')[0]} {path}", name in known) for name, path, _ in operations(osmo)
    ]

    assert len(asked) == 111
    assert {name for name, there in asked if not there} == ELSEWHERE.keys()


def test_the_logger_has_what_the_core_service_has_not() -> None:
    text = Path(logger.__file__).read_text()

    for operation in ELSEWHERE:
        assert re.search(rf"/{operation.rpartition('/')[2]}\b", text), operation


def test_every_parameter_is_there_and_takes_what_osmo_takes(
    osmo: Json, ours: Json, pairs: Any
) -> None:
    used: set[str] = set()
    wrong = []
    for name, (theirs_at, theirs), (ours_at, mine) in pairs:
        known = {(one["name"], one["in"]): one for one in _parameters(ours, mine)}
        called = dict(zip(_names(theirs_at), _names(ours_at), strict=True))
        for one in _parameters(osmo, theirs):
            if one["name"].startswith("x-osmo-"):
                continue
            its_name = called.get(str(one["name"]), str(one["name"]))
            found = known.get((its_name, one["in"]))
            if found is None:
                wrong.append(f"{name}: {one['name']} is missing")
                continue
            if found.get("required", False) != one.get("required", False):
                wrong.append(f"{name}: {one['name']} is required, or not")
            bound, differs = _compared(osmo, one["schema"], ours, found["schema"])
            if differs or (bound and its_name not in BOUNDED):
                wrong.append(f"{name}: {its_name} {differs or bound}")
            if bound:
                used.add(its_name)

    assert wrong == []
    assert used == BOUNDED.keys()


def test_every_body_is_there_with_its_fields(osmo: Json, ours: Json, pairs: Any) -> None:
    wrong = []
    for name, (_, theirs), (_, mine) in pairs:
        if "requestBody" not in theirs:
            continue
        if "requestBody" not in mine:
            wrong.append(f"{name}: takes no body")
            continue
        asked, taken = (
            _schema(document, one["requestBody"]["content"]["application/json"]["schema"])
            for document, one in ((osmo, theirs), (ours, mine))
        )
        if mine["requestBody"].get("required") and not theirs["requestBody"].get("required"):
            wrong.append(f"{name}: a body is required")
        if set(taken.get("required", ())) - set(asked.get("required", ())):
            wrong.append(f"{name}: {taken['required']} are required, not {asked.get('required')}")
        missing = asked.get("properties", {}).keys() - taken.get("properties", {}).keys()
        if missing - PASSED_OVER:
            wrong.append(f"{name}: {missing} are missing")

    assert wrong == []


PASSED_OVER = {"username"}
"""Of a profile: whose it is says the token, with OSMO, too."""


def test_every_status_is_there(pairs: Any) -> None:
    wrong = [
        f"{name}: {theirs['responses'].keys() - mine['responses'].keys()}"
        for name, (_, theirs), (_, mine) in pairs
        if theirs["responses"].keys() - mine["responses"].keys()
    ]

    assert wrong == []


def _names(path: str) -> list[str]:
    return [str(one) for one in re.findall(r"\{([^}]*)\}", path)]


def _parameters(document: Json, operation: Json) -> list[Json]:
    return [_schema(document, one) for one in operation.get("parameters", [])]


def _schema(document: Json, schema: Mapping[str, Any]) -> Json:
    """What is referred to; of a value or nothing, the value."""
    if "$ref" in schema:
        found: Any = document
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return _schema(document, found)
    for of in ("anyOf", "allOf"):
        values = [one for one in schema.get(of, []) if one.get("type") != "null"]
        if len(values) == 1:
            return _schema(document, values[0])
    return dict(schema)


def _compared(osmo: Json, theirs: Json, ours: Json, mine: Json) -> tuple[list[str], list[str]]:
    """Where ours is narrower, and where it is another."""
    its, our = _schema(osmo, theirs), _schema(ours, mine)
    bounds = [key for key in BOUNDS if our.get(key) != its.get(key) and key in our]
    if our.get("pattern") == "^[^/]+$":
        bounds = [key for key in bounds if key not in ("pattern", "minLength")]
    differs = [
        f"{key}: {our.get(key)} is not {its.get(key)}"
        for key in ("type", "enum")
        if our.get(key) != its.get(key)
    ]
    if (theirs.get("default") or None) != (mine.get("default") or None):
        differs.append(f"default: {mine.get('default')} is not {theirs.get('default')}")
    if "items" in its and "items" in our:
        more, others = _compared(osmo, its["items"], ours, our["items"])
        return bounds + more, differs + others
    return bounds, differs
