"""The wire to the service: requests, retries, and what its refusals mean.

Whatever is asked may be asked again: reads and PUTs by their nature, a submission by the key that
it carries. The key is made once for each call, so that an answer that was lost on its way and asked
for again never makes a second workflow.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from clients.sdk.errors import (
    BadInput,
    Refused,
    ServiceError,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from clients.sdk.login import Login, is_loopback
from clients.sdk.models import Answer
from clients.sdk.retry import Retries, may_pass

AnAnswer = TypeVar("AnAnswer", bound=Answer)
Parameter = str | int | bool | None | Sequence[str]
Order = Literal["ASC", "DESC"]

_TIMEOUT = httpx.Timeout(60, connect=5)


class Connection:
    """Use it as a context manager, or `close` it."""

    def __init__(
        self,
        login: Login,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        new_key: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.url = login.url
        self._retries = retries or Retries()
        self._sleep = sleep
        self._new_key = new_key
        self._who = _who(login)
        headers = {"User-Agent": f"xylem/{version('xylem')}", **self._who}
        self._http = httpx.Client(
            base_url=login.url,
            headers=headers,
            timeout=timeout,
            transport=transport,
            follow_redirects=True,  # large answers are presigned objects
            trust_env=not is_loopback(login.url),  # a proxy does not lead to this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        model: type[AnAnswer],
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Parameter] | None = None,
        json: object = None,
    ) -> AnAnswer:
        return parsed(model, self.send(method, path, parameters=parameters, json=json))

    def get(self, path: str, parameters: Mapping[str, Parameter]) -> httpx.Response:
        return self.send("GET", path, parameters=parameters)

    def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, Parameter] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        request = self._http.build_request(
            method, path, params=_given(parameters or {}), json=json, headers=headers
        )
        failed = 0
        while True:
            outcome = self._attempt(request)
            if isinstance(outcome, httpx.Response):
                return outcome
            failed += 1
            wait = self._retries.wait(failed, random=random.random, retry_after=outcome.retry_after)
            if wait is None:
                raise outcome
            self._sleep(wait)

    def send_once(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What a retry must not make twice, though an answer be lost: under a key of its own."""
        return self.send(method, path, headers={"Idempotency-Key": self._new_key()}, **more)

    def _attempt(self, request: httpx.Request) -> httpx.Response | Unavailable | Unreachable:
        """An answer, or a problem that may pass. Raises what will not."""
        try:
            answer = self._http.send(request)
        except httpx.TransportError as error:
            return Unreachable(self.url, str(error) or type(error).__name__)
        if answer.is_success:
            return answer
        problem = error_of(answer)
        if isinstance(problem, Unavailable) and may_pass(answer.status_code, problem.code):
            return problem
        raise problem


def error_of(answer: httpx.Response) -> ServiceError:
    """The service's own words, whatever part of it answered."""
    status = answer.status_code
    message, code = _words(answer)
    kind: type[ServiceError]
    if status in {401, 403}:
        kind = Unauthorized
    elif status == 429 or status >= 500:
        kind = Unavailable
    else:
        kind = Refused
    return kind(message, status=status, code=code, retry_after=answer.headers.get("Retry-After"))


def _words(answer: httpx.Response) -> tuple[str, str | None]:
    unsaid = f"the service answered {answer.status_code} {answer.reason_phrase}"
    try:
        body = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return unsaid, None
    match body:
        case {"message": str(message), "error_code": str(code)}:
            return message, code
        case {"message": str(message)}:
            return message, None
        case {"detail": [{"msg": str(message), "loc": [*where]}, *_]}:  # FastAPI's 422
            return f"{'.'.join(str(part) for part in where)}: {message}", None
        case {"detail": str(message)}:
            return message, None
        case _:
            return unsaid, None


def parsed(model: type[AnAnswer], answer: httpx.Response) -> AnAnswer:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unavailable(
            f"{answer.url} did not answer with a {model.__name__}: is it a Xylem service, and as"
            f" new as this client? {error.errors()[0]['msg']}",
            status=answer.status_code,
        ) from error


def _who(login: Login) -> dict[str, str]:
    """The headers that say who asks."""
    if login.token:
        return {"Authorization": f"Bearer {login.token}"}
    return {"x-osmo-user": login.user} if login.user else {}


def segment(name: str) -> str:
    """A name as a segment of a path, which dots alone would climb (RFC 3986, 5.2.4)."""
    if name in {"", ".", ".."}:
        raise BadInput(f"'{name}' is no name")
    return quote(name, safe="")


def workflow_path(workflow: str, *rest: str) -> str:
    return "/".join(("/api/workflow", segment(workflow), *rest))


def moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _given(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in parameters.items()
        if value is not None and value != () and value != []
    }
