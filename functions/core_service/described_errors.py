"""What every operation may answer beside its success, as the API's own document says it."""

from typing import Any

from functions.core_service.errors import problem


def _described(description: str, message: str, code: str, **more: Any) -> dict[str, Any]:
    example = {**problem(message, code), **more}
    content = {"application/json": {"schema": BODY, "example": example}}
    return {"description": description, "content": content}


BODY = {
    "type": "object",
    "required": ["message", "error_code", "workflow_id"],
    "properties": {
        "message": {"type": "string", "description": "What is wrong, and what to change."},
        "error_code": {"type": "string", "description": "For programs."},
        "workflow_id": {"type": "string", "nullable": True},
        "detail": {"description": "Of a parameter or body of a wrong form: FastAPI's own words."},
    },
}

DESCRIBED: dict[int | str, dict[str, Any]] = {
    400: _described("It cannot be done as asked", "Pool nope not found.", "USER"),
    401: _described("No token", "No token: log in with `xylem login`.", "unauthenticated"),
    403: _described(
        "Not allowed",
        "alice may not do config:Update on config/pool: ask an admin for a role that allows it.",
        "forbidden",
    ),
    422: _described(
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
    503: _described(
        "A part that is needed does not answer, or others were faster",
        "configs: DynamoDB does not answer (ThrottlingException); the same request may work later",
        "unavailable",
    ),
}
"""What every operation may answer; the document says it of each."""
