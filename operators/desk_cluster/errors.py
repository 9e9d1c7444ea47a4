"""What the API refuses, in Kubernetes' words: a Status with a code, a reason and its causes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operators.desk_cluster.objects import Json


class ApiError(Exception):
    """A request that is answered with a Status."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}

    def status(self) -> Json:
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            body["details"] = self.details
        return body


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class InternalError(ApiError):
    """What a node could not do that was asked of it."""


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class Expired(ApiError):
    """A version that the history no longer reaches: list again."""

    code, reason = 410, "Expired"


class TooManyRequests(ApiError):
    """An eviction that a disruption budget does not allow now."""

    code, reason = 429, "TooManyRequests"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Unprocessable(ApiError):
    """A patch that is well formed and does not fit the object, a failed test among them."""

    code, reason = 422, "Invalid"


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong, and why."""

    field: str
    reason: str
    message: str

    @staticmethod
    def required(field: str, detail: str = "") -> Cause:
        return Cause(field, "FieldValueRequired", f"Required value{': ' if detail else ''}{detail}")

    @staticmethod
    def invalid(field: str, value: object, detail: str) -> Cause:
        shown = f'"{value}"' if isinstance(value, str) else str(value)
        return Cause(field, "FieldValueInvalid", f"Invalid value: {shown}: {detail}")

    @staticmethod
    def forbidden(field: str, detail: str) -> Cause:
        return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}")

    @staticmethod
    def duplicate(field: str, value: str) -> Cause:
        return Cause(field, "FieldValueDuplicate", f'Duplicate value: "{value}"')

    @staticmethod
    def unsupported(field: str, value: object, allowed: tuple[str, ...]) -> Cause:
        words = ", ".join(f'"{word}"' for word in allowed)
        message = f'Unsupported value: "{value}": supported values: {words}'
        return Cause(field, "FieldValueNotSupported", message)

    @staticmethod
    def not_found(field: str, value: str) -> Cause:
        return Cause(field, "FieldValueNotFound", f'Not found: "{value}"')

    @staticmethod
    def too_long(field: str, limit: int) -> Cause:
        message = f"Too long: may not be more than {limit} bytes"
        return Cause(field, "FieldValueTooLong", message)


class Invalid(ApiError):
    code, reason = 422, "Invalid"

    def __init__(self, kind: str, name: str, causes: list[Cause]) -> None:
        shown = [f"{cause.field}: {cause.message}" for cause in causes]
        text = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
        listed = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
        details: Json = {"name": name, "kind": kind, "causes": listed}
        super().__init__(f'{kind} "{name}" is invalid: {text}', details)


def not_found(plural: str, name: str) -> NotFound:
    return NotFound(f'{plural} "{name}" not found', {"name": name, "kind": plural})


def conflict(plural: str, name: str, why: str) -> Conflict:
    message = f'Operation cannot be fulfilled on {plural} "{name}": {why}'
    return Conflict(message, {"name": name, "kind": plural})
