"""The OpenAPI document that we serve: whole, and kept by every answer."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from functions.core_service.document import ANSWERS, EXAMPLES_FILE, PROBLEM
from tests.api import conforming
from tests.api.examples import examples
from tests.api.system import System
from xylem.domain.access import OPERATIONS

Json = dict[str, Any]
METHODS = {"get", "put", "post", "patch", "delete"}
OPEN = {
    "GET /health",
    "GET /client/version",
    "GET /api/version",
    "GET /api/auth/login",
    "GET /api/auth/keys",
    "GET /api/auth/jwt/access_token",
    "POST /api/auth/jwt/access_token",
    "GET /api/auth/jwt/refresh_token",
    "POST /api/auth/jwt/refresh_token",
}


@pytest.fixture(scope="module")
def document() -> Json:
    served = TestClient(System()).get("/api/openapi.json")
    assert served.status_code == 200
    return dict(served.json())


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method in METHODS & methods.keys():
            yield f"{method.upper()} {path}", methods[method]


def test_it_is_openapi_3_1_with_a_version_a_license_and_a_server(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "6.4.0"
    assert document["info"]["license"]["identifier"] == "Apache-2.0"
    assert document["servers"]


def test_it_has_every_operation_that_there_is(document: Json) -> None:
    names = {name for name, _ in operations(document)}

    assert names - OPERATIONS.keys() == OPEN
    assert len(names) > 140


def test_all_but_what_is_asked_before_a_login_needs_a_token(document: Json) -> None:
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"

    open_ = {name for name, one in operations(document) if one.get("security") == []}
    assert open_ == OPEN


def test_every_error_has_one_shape_and_an_example_in_it(document: Json) -> None:
    assert document["components"]["schemas"]["Problem"] == PROBLEM
    for status in ANSWERS:
        content = document["components"]["responses"][f"Problem{status}"]["content"]
        example = content["application/json"]["example"]
        jsonschema.validate(example, PROBLEM, jsonschema.Draft202012Validator)
        assert example["message"]


def test_every_operation_names_its_errors(document: Json) -> None:
    for name, one in operations(document):
        statuses = {"400", "422", "503"} | (set() if name in OPEN else {"401", "403"})
        assert statuses <= one["responses"].keys(), name
        for status in one["responses"].keys() - {"200", "307"}:
            assert one["responses"][status] == {"$ref": f"#/components/responses/Problem{status}"}


def test_every_post_takes_an_idempotency_key(document: Json) -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}

    without = {
        name
        for name, one in operations(document)
        if name.startswith("POST") and key not in one.get("parameters", [])
    }
    assert without == {name for name in OPEN if name.startswith("POST")}


def test_nothing_is_named_twice_and_nothing_is_referred_to_that_is_not_there(
    document: Json,
) -> None:
    ids = [one["operationId"] for _, one in operations(document)]
    assert len(ids) == len(set(ids))

    text = json.dumps(document)
    for part, names in document["components"].items():
        for name in names:
            used = f'"#/components/{part}/{name}"' in text
            assert used or part == "securitySchemes", (part, name)


UNSHOWN = {
    "POST /api/workflow/{name}/exec/task/{task_name}": "OSMO's sessions are refused",
    "POST /api/workflow/{name}/exec/group/{group_name}": "OSMO's sessions are refused",
    "POST /api/workflow/{name}/portforward/{task_name}": "OSMO's sessions are refused",
    "POST /api/workflow/{name}/webserver/{task_name}": "OSMO's sessions are refused",
    "POST /api/workflow/{name}/rsync/task/{task_name}": "OSMO's sessions are refused",
    "GET /api/auth/jwt/refresh_token": "there are no refresh tokens",
    "POST /api/auth/jwt/refresh_token": "there are no refresh tokens",
    "GET /api/bucket/{bucket}/dataset/{name}/manifest": "a redirect",
    "GET /api/bucket/{bucket}/dataset/{name}/file-content": "a redirect",
    "POST /api/bucket/{bucket}/dataset/{name}/uploads": "of a version that is being uploaded",
    "POST /api/bucket/{bucket}/dataset/{name}/listing": "of a version that is being uploaded",
}


def test_every_operation_shows_a_request_and_what_was_answered_to_it(document: Json) -> None:
    shown = set()
    for name, one in operations(document):
        contents = one["responses"].get("200", {}).get("content", {}).values()
        if all("example" in content for content in contents) and contents:
            shown.add(name)

    assert {name for name, _ in operations(document)} - shown == UNSHOWN.keys()


def test_the_examples_are_what_is_answered_today() -> None:
    """`python -m tests.api.examples` writes them anew."""
    assert json.loads(EXAMPLES_FILE.read_text()) == examples()


def test_what_schemathesis_asks_is_answered_as_the_document_says() -> None:
    """A few requests of each operation; `make prove-api` asks for half an hour."""
    found = [conforming.wrong(one, requests=4, first=1) for one in conforming.operations()]

    assert len(found) > 140
    assert [one for one in found if one is not None] == []


def test_what_the_document_does_not_say_is_found() -> None:
    def without_404(document: Json) -> None:
        del document["paths"]["/api/job/{id}/retry"]["post"]["responses"]["404"]

    [retry] = [
        one for one in conforming.operations(without_404) if one.label == "POST /api/job/{id}/retry"
    ]

    found = conforming.wrong(retry, requests=10, first=1)
    assert found is not None and "404" in found.wrong


def test_who_does_not_ask_for_it_imports_none_of_it() -> None:
    """A cold start would wait for it."""
    lines = (
        "import sys",
        "from functions.core_service.api import PARTS, Application",
        "Application(None).load(*PARTS)",
        "print([name for name in sys.modules if name in "
        "('functions.core_service.document', 'xylem.usecases.once', 'urllib3')])",
    )
    said = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "[]"
