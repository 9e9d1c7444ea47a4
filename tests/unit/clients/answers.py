"""Answers of the service with good defaults, as it sends them, and a service that gives them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from clients.sdk.models import LogRecord, Workflow

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
AT_NOON = "2026-11-24T12:00:00.000000"


def a_task(name: str = "hello", status: str = "COMPLETED", **fields: Any) -> dict[str, Any]:
    return {"name": name, "retry_id": 0, "status": status, "start_time": AT_NOON, **fields}


def a_group(*tasks: dict[str, Any], name: str = "", status: str = "") -> dict[str, Any]:
    return {
        "name": name or f"{tasks[0]['name']}-group",
        "status": status or tasks[0]["status"],
        "tasks": list(tasks),
    }


def a_workflow(*groups: dict[str, Any], status: str = "COMPLETED", **fields: Any) -> dict[str, Any]:
    return {
        "name": "hello-1",
        "uuid": "0" * 32,
        "submitted_by": "alice",
        "status": status,
        "submit_time": AT_NOON,
        "pool": "default",
        "backend": "default",
        "groups": list(groups) or [a_group(a_task())],
        **fields,
    }


def workflow(*groups: dict[str, Any], **fields: Any) -> Workflow:
    return Workflow.model_validate(a_workflow(*groups, **fields))


def a_record(text: str, task: str = "hello", **fields: Any) -> LogRecord:
    return LogRecord.model_validate(
        {"task": task, "retry": 0, "stream": "stdout", "time": AT_NOON, "text": text, **fields}
    )


def a_page(*texts: str, cursor: str = "", closed: bool = False) -> dict[str, Any]:
    records = [a_record(text).model_dump(mode="json") for text in texts]
    return {"records": records, "cursor": cursor, "closed": closed}


def a_refusal(message: str, code: str = "USER") -> dict[str, Any]:
    return {"message": message, "error_code": code, "workflow_id": None}


Reply = Callable[[httpx.Request], httpx.Response]


class Service(httpx.MockTransport):
    """Answers by `METHOD /path`; each answer is a body, a response, or what the request makes of
    it. A list is answered one after the other, its last for ever."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(self._answer)
        self.requests: list[httpx.Request] = []
        self._answers = {path: self._listed(answer) for path, answer in answers.items()}

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]

    @staticmethod
    def _listed(answer: Any) -> list[Any]:
        return list(answer) if isinstance(answer, list) else [answer]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        waiting = self._answers.get(f"{request.method} {request.url.path}")
        if waiting is None:
            return httpx.Response(400, json=a_refusal(f"nobody expects {request.url}"))
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, str):
            return httpx.Response(200, text=answer)
        return httpx.Response(200, json=answer)
