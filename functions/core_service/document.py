"""The API's own document: OpenAPI 3.1, at `/api/openapi.json`.

FastAPI describes parameters and bodies; here is what it does not know: who may ask, what every
operation may answer beside its success, the shape of an error, and that a POST takes a key. It is
made when somebody asks for it: no other request imports this module.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from functions.core_service.errors import problem
from functions.core_service.once import BY_ITSELF, HEADER, REPLAYED
from functions.core_service.routes.service import API_VERSION
from xylem.domain.access import OPERATIONS
from xylem.domain.idempotency import KEY_CHARS

Json = dict[str, Any]

METHODS = frozenset({"get", "put", "post", "patch", "delete"})

SUMMARY = """\
What `xylem` and its SDK ask, a superset of OSMO's API. Log in with `xylem login`, or send an access
token's JWT (`POST /api/auth/jwt/access_token`) as a bearer token. Names that are not found are 400
on OSMO's routes. Every error has one shape, `Problem`, whose `message` says what to change. Times
are UTC without a zone, as OSMO has them. Every POST takes an `Idempotency-Key`. Logs and the routes
below `/runtime/` are the Logger's and not described here.
"""

PROBLEM: Json = {
    "type": "object",
    "title": "Problem",
    "required": ["message", "error_code", "workflow_id"],
    "properties": {
        "message": {"type": "string", "description": "What is wrong, and what to change."},
        "error_code": {"type": "string", "description": "For programs."},
        "workflow_id": {"type": ["string", "null"], "description": "What it is about, if known."},
        "detail": {"description": "Of a parameter or body of a wrong form: FastAPI's own words."},
    },
}

KEY: Json = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A caller's own name for the request, such as a uuid: a retry under it within "
    f"24 hours does nothing more and has the same answer, with `{REPLAYED}: true`. Another request "
    "under it is 422, one that comes while the first is worked on waits, and is 409 in the end.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS},
    "example": "3f0c6f1e-6c0b-4d0e-9f5b-2f8f7a1f0c11",
}


def _answer(description: str, message: str, code: str, **more: Any) -> Json:
    example = {**problem(message, code), **more}
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": description, "content": content}


ANSWERS: dict[str, Json] = {
    "400": _answer("It cannot be done as asked", "Pool nope not found.", "USER"),
    "401": _answer("No token", "No token: log in with `xylem login`.", "unauthenticated"),
    "403": _answer(
        "Not allowed",
        "alice may not do config:Update on config/pool: ask an admin for a role that allows it.",
        "forbidden",
    ),
    "404": _answer(
        "Nothing is there: no such job, or a name with a slash, which is another path",
        "There is no job 8d1f: it may have been done meanwhile.",
        "unknown_job",
    ),
    "409": _answer(
        "Not in this state, not of the revision that was expected, or not while the same request "
        "is being worked on",
        "The first request under this Idempotency-Key is still being worked on: send it again in "
        "some seconds.",
        "in_progress",
    ),
    "410": _answer("It is over", "Workflow hello-1 is finished.", "gone"),
    "413": _answer(
        "More than a store takes", "The spec has 5000000 bytes; it may have 4194304.", "too_large"
    ),
    "422": _answer(
        "A parameter or body of a wrong form",
        "query.limit: Input should be a valid integer, unable to parse string as an integer",
        "USAGE",
        detail=[
            {
                "type": "int_parsing",
                "loc": ["query", "limit"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": "many",
            }
        ],
    ),
    "425": _answer("Not yet", "Task train is not running yet: it is PROCESSING.", "not_yet"),
    "429": _answer("As many as one may have", "alice has 100 open sessions.", "too_many"),
    "503": _answer(
        "A part that is needed does not answer, or others were faster",
        "configs: DynamoDB does not answer (ThrottlingException); the same request may work later",
        "unavailable",
    ),
}

EXAMPLES_FILE = Path(__file__).parent / "examples.json"
"""Requests, and what was answered to them: `tests/api/examples.py` asks and writes them down."""

NAMES = {"Problem": PROBLEM}
ENTERING = ("/sessions", "/exec/", "/portforward/", "/webserver/", "/rsync/")
"""Below a workflow: what reaches into a running task."""


def document(app: FastAPI) -> Json:
    whole = get_openapi(
        title=app.title,
        version=".".join(API_VERSION[part] for part in ("major", "minor", "revision")),
        summary="A serverless control plane for containerised workflows",
        description=SUMMARY,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
        servers=[{"url": "/", "description": "The API that answered"}],
    )
    components = whole.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(NAMES)
    for fastapis in ("HTTPValidationError", "ValidationError"):
        schemas.pop(fastapis, None)
    components["parameters"] = {"IdempotencyKey": KEY}
    components["responses"] = {f"Problem{status}": answer for status, answer in ANSWERS.items()}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    whole["security"] = [{"token": []}]
    examples = json.loads(EXAMPLES_FILE.read_text())
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                _complete(path, method, operation)
                _show(operation, examples.get(f"{method.upper()} {path}", {}))
    return whole


def _complete(path: str, method: str, operation: Json) -> None:
    open_ = f"{method.upper()} {path}" not in OPERATIONS
    if open_:
        operation["security"] = []
    parameters = [one for one in operation.get("parameters", []) if one["name"] != HEADER.lower()]
    for one in parameters:
        if one["in"] == "path":
            one["schema"].setdefault("minLength", 1)
            one["schema"].setdefault("pattern", "^[^/]+$")
    if method == "post" and not open_:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if parameters:
        operation["parameters"] = parameters
    operation["tags"] = [_tag(path)]
    for status in _statuses(path, method, operation, open_=open_):
        operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}


def _show(operation: Json, example: Json) -> None:
    """`example`: a request and its answer, each where there is one."""
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    if "answer" in example:
        for content in operation["responses"]["200"].get("content", {}).values():
            content["example"] = example["answer"]


def _statuses(path: str, method: str, operation: Json, *, open_: bool) -> Iterator[str]:
    yield from ("400", "422", "503")
    if not open_:
        yield from ("401", "403")
    if "{" in path:
        yield "404"
    if path.startswith("/api/configs/") and method in ("put", "patch", "delete"):
        yield "409"
    if "requestBody" in operation:
        yield "413"
    if method == "post" and not open_ and not path.startswith(BY_ITSELF):
        yield "409"
    if path.startswith("/api/workflow/") and any(part in path for part in ENTERING):
        yield from ("410", "425", "429")


def _tag(path: str) -> str:
    """The word after `/api/`, and of configs and logins the next one."""
    words = [word for word in path.split("/") if word and word != "api"]
    return "/".join(words[:2]) if words[0] in ("auth", "configs") else words[0]
