"""`Client`: one method for each thing that can be asked of the service.

Whatever is asked may be asked again: reads and PUTs by their nature, a submission by the key that
it carries. The key is made once for each call of `submit`, so that an answer that was lost on its
way and asked for again never makes a second workflow.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from clients.sdk import live
from clients.sdk.datasets import Datasets
from clients.sdk.errors import (
    BadInput,
    Refused,
    ServiceError,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from clients.sdk.jobs import Job, Jobs
from clients.sdk.login import Login, is_loopback
from clients.sdk.models import (
    Answer,
    ArtifactPage,
    AuditPage,
    AuditRecord,
    Backend,
    Backends,
    Credentials,
    LogPage,
    PoolQuotas,
    Pools,
    Registered,
    Resources,
    SessionGrant,
    Submission,
    Version,
    WhyPending,
    Workflow,
    WorkflowPage,
)
from clients.sdk.retry import Retries, may_pass
from xylem.protocol.following import Follow

AnAnswer = TypeVar("AnAnswer", bound=Answer)

CredentialKind = Literal["GENERIC", "REGISTRY", "DATA"]

_TIMEOUT = httpx.Timeout(60, connect=5)
_PARAMETER = str | int | bool | None | Sequence[str]


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    spec: str
    pool: str
    set_variables: Sequence[str] = ()
    """`NAME=VALUE`, with a value that may be a number."""
    set_string_variables: Sequence[str] = ()
    env_vars: Sequence[str] = ()
    labels: Sequence[str] = ()
    priority: str | None = None
    template: str | None = None
    """What the user wrote, where `spec` is what the service made of it."""


class Client:
    """Use it as a context manager, or `close` it."""

    def __init__(
        self,
        login: Login,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
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
            timeout=_TIMEOUT,
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

    @property
    def datasets(self) -> Datasets:
        return Datasets(self._send)

    def submit(self, request: SubmitRequest) -> Submission:
        key = {"Idempotency-Key": self._new_key()}
        return _parsed(Submission, self._post_spec(request, {}, headers=key))

    def validate(self, request: SubmitRequest) -> Submission:
        """All checks of a submission, and no workflow."""
        return _parsed(Submission, self._post_spec(request, {"validation_only": True}))

    def render(self, request: SubmitRequest) -> str:
        """What the service makes of the template."""
        answer = _parsed(Submission, self._post_spec(request, {"dry_run": True}))
        return answer.spec or ""

    def list_workflows(
        self,
        *,
        limit: int = 20,
        offset: int = 0,
        cursor: str | None = None,
        name: str | None = None,
        statuses: Sequence[str] = (),
        users: Sequence[str] = (),
        all_users: bool = False,
        pools: Sequence[str] = (),
        labels: Sequence[str] = (),
    ) -> WorkflowPage:
        """The newest first. `cursor`: of the page before this one."""
        asked: dict[str, _PARAMETER] = {
            "statuses": statuses,
            "name": name,
            "users": users,
            "all_users": all_users or None,
            "order": "DESC",
            "pools": pools,
            "all_pools": None if pools else True,
            "label": labels,
            "limit": limit,
            "offset": offset,
            "cursor": cursor,
        }
        return _parsed(WorkflowPage, self._get("/api/workflow", asked))

    def query(self, workflow: str, *, verbose: bool = False) -> Workflow:
        return _parsed(Workflow, self._get(_path(workflow), {"verbose": verbose}))

    def spec(self, workflow: str, *, template: bool = False) -> str:
        return self._get(_path(workflow, "spec"), {"use_template": template}).text

    def logs(
        self,
        workflow: str,
        *,
        task: str | None = None,
        retry: int | None = None,
        lines: int | None = None,
        query: str | None = None,
        stream: Literal["stdout", "stderr", "control"] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> str:
        """What is there now, as text: lines that match the regular expression `query`, from `since`
        on and before `until`, the last `lines` of them."""
        asked: dict[str, _PARAMETER] = {
            "last_n_lines": lines,
            "task_name": task,
            "retry_id": retry,
            "query": query,
            "stream": stream,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        }
        return self._get(_path(workflow, "logs"), asked).text

    def error_logs(
        self,
        workflow: str,
        *,
        task: str | None = None,
        retry: int | None = None,
        lines: int | None = None,
        query: str | None = None,
    ) -> str:
        """The last lines of a failed task; without one, which there are."""
        asked: dict[str, _PARAMETER] = {
            "last_n_lines": lines,
            "task_name": task,
            "retry_id": retry,
            "query": query,
        }
        return self._get(_path(workflow, "error_logs"), asked).text

    def log_page(
        self,
        workflow: str,
        *,
        cursor: str = "",
        wait: int = live.HOLD_SECONDS,
        age: int = 0,
        task: str | None = None,
        retry: int | None = None,
    ) -> LogPage:
        """What came after the cursor; held for up to `wait` seconds while that is nothing. That
        there is nothing may have been true `age` seconds ago."""
        asked: dict[str, _PARAMETER] = {
            "cursor": cursor or None,
            "wait": wait,
            "age": age or None,
            "task_name": task,
            "retry_id": retry,
        }
        return _parsed(LogPage, self._get(_path(workflow, "logs", "follow"), asked))

    def follow_logs(
        self,
        workflow: str,
        *,
        task: str | None = None,
        retry: int | None = None,
        every: float | None = None,
    ) -> Iterator[LogPage]:
        """Pages of new records until the log is closed, as soon as they come; a page may be empty.
        `every`: one for so many seconds, or a little less often."""

        def read(cursor: str, age: int, wait: int) -> LogPage:
            return self.log_page(
                workflow, cursor=cursor, age=age, wait=wait, task=task, retry=retry
            )

        def dial(url: str) -> live.Socket:
            from clients.sdk.sockets import Dialled  # noqa: PLC0415 - for who follows alone: 30 ms

            return Dialled(url, self._who)

        question = Follow(workflow=workflow, task=task, retry=retry)
        return live.pages(question, live.World(read, dial, time.monotonic), every=every)

    def events(self, workflow: str, *, task: str | None = None, retry: int | None = None) -> str:
        """What its cluster said of its pods so far, a line each, by time; of a task that of its
        newest attempt, or of `retry`."""
        asked: dict[str, _PARAMETER] = {"task_name": task, "retry_id": retry}
        return self._get(_path(workflow, "events"), asked).text

    def audit(self, workflow: str) -> Iterator[AuditRecord]:
        """Every change of the workflow, page by page, in no order of time."""
        cursor: str | None = ""
        while cursor is not None:
            asked: dict[str, _PARAMETER] = {"cursor": cursor or None}
            page = _parsed(AuditPage, self._get(_path(workflow, "audit"), asked))
            yield from page.records
            cursor = page.cursor

    def artifacts(
        self, workflow: str, *, task: str | None = None, cursor: str | None = None
    ) -> ArtifactPage:
        """Files that the tasks which ended left, a page of them."""
        asked: dict[str, _PARAMETER] = {"task_name": task, "cursor": cursor}
        return _parsed(ArtifactPage, self._get(_path(workflow, "artifacts"), asked))

    def restart(self, workflow: str, *, pool: str) -> Submission:
        """A new workflow of what did not complete of one that failed."""
        path = f"/api/pool/{_segment(pool)}/workflow/{_segment(workflow)}/restart"
        answer = self._send("POST", path, headers={"Idempotency-Key": self._new_key()})
        return _parsed(Submission, answer)

    def resubmit(
        self, workflow: str, *, pool: str, labels: Sequence[str] = (), priority: str | None = None
    ) -> Submission:
        """A new workflow of the same spec."""
        answer = self._send(
            "POST",
            f"/api/pool/{_segment(pool)}/workflow",
            parameters={"workflow_id": workflow, "label": labels, "priority": priority},
            headers={"Idempotency-Key": self._new_key()},
        )
        return _parsed(Submission, answer)

    def pools(self) -> Pools:
        return _parsed(Pools, self._get("/api/pool", {}))

    def backends(self) -> Backends:
        return _parsed(Backends, self._get("/api/configs/backend", {}))

    def backend(self, name: str) -> Backend:
        return _parsed(Backend, self._get(f"/api/configs/backend/{_segment(name)}", {}))

    def register_backend(self, name: str, digest: str, *, renew: bool = False) -> Registered:
        """`digest`: the SHA-256 of its operator's credential, which stays here. With `renew` it
        takes the place of the one before."""
        body = {"digest": digest, "renew": renew}
        return _parsed(Registered, self._send("PUT", f"/api/backend/{_segment(name)}", json=body))

    def drain_backend(self, name: str, *, undo: bool = False) -> Backend:
        """Start nothing more there; `undo`: start things there again."""
        path = f"/api/backend/{_segment(name)}/drain"
        return _parsed(Backend, self._send("DELETE" if undo else "PUT", path))

    def remove_backend(self, name: str, *, force: bool = False) -> None:
        """Refused while work is there; `force` leaves that to itself."""
        self._send("DELETE", f"/api/configs/backend/{_segment(name)}", json={"force": force})

    def pool_quotas(self, *, pools: Sequence[str] = ()) -> PoolQuotas:
        """Pools with their quotas and what is used of them; without a name all."""
        asked: dict[str, _PARAMETER] = {"pools": pools, "all_pools": not pools}
        return _parsed(PoolQuotas, self._get("/api/pool_quota", asked))

    def resources(self, *, pools: Sequence[str] = (), platforms: Sequence[str] = ()) -> Resources:
        """The nodes that these pools and platforms may use; without a name all there are."""
        asked: dict[str, _PARAMETER] = {
            "pools": pools,
            "platforms": platforms,
            "all_pools": not pools,
        }
        return _parsed(Resources, self._get("/api/resources", asked))

    def why_pending(self, workflow: str) -> WhyPending:
        return _parsed(WhyPending, self._get(_path(workflow, "why-pending"), {}))

    def create_session(
        self, workflow: str, task: str, *, purpose: str = "exec", retry: int | None = None
    ) -> SessionGrant:
        """The right to reach into a running task, for once; `clients.sdk.sessions` uses it."""
        body = {"task": task, "purpose": purpose, "retry": retry}
        return _parsed(SessionGrant, self._send("POST", _path(workflow, "sessions"), json=body))

    def put_pool(self, name: str, configs: Mapping[str, Any], *, description: str) -> None:
        """Create or replace a pool: `configs` as in OSMO's POOL configuration."""
        body = {"configs": dict(configs), "description": description}
        self._send("PUT", f"/api/configs/pool/{_segment(name)}", json=body)

    def patch_workflow_config(self, changes: Mapping[str, int], *, description: str) -> None:
        """What is not named stays as it is: `max_num_tasks`, `max_retry_per_task`, ..."""
        body = {"configs_dict": dict(changes), "description": description}
        self._send("PATCH", "/api/configs/workflow", json=body)

    def version(self) -> Version:
        return _parsed(Version, self._get("/api/version", {}))

    def cancel(self, workflow: str, *, message: str | None = None, force: bool = False) -> None:
        """Asked again it changes nothing, but that `force` ends the grace of what still runs."""
        asked: dict[str, _PARAMETER] = {"message": message, "force": force}
        self._send("POST", _path(workflow, "cancel"), parameters=asked)

    def credentials(self, *, pool: str | None = None) -> Credentials:
        """Yours, or those of a pool, without what is in them."""
        return _parsed(Credentials, self._get("/api/credentials", {"pool": pool}))

    def set_credential(
        self,
        name: str,
        kind: CredentialKind,
        payload: Mapping[str, str],
        *,
        pool: str | None = None,
    ) -> None:
        """Keep a secret with the service; of REGISTRY and DATA the one with its profile goes."""
        body = {"credential": dict(payload)} if kind == "GENERIC" else dict(payload)
        self._send(
            "POST",
            f"/api/credentials/{_segment(name)}",
            parameters={"pool": pool},
            json={f"{kind.lower()}_credential": body},
        )

    def delete_credential(self, name: str, *, pool: str | None = None) -> Credentials:
        """What was deleted."""
        path = f"/api/credentials/{_segment(name)}"
        return _parsed(Credentials, self._send("DELETE", path, parameters={"pool": pool}))

    def jobs(self) -> Jobs:
        """Those of the service that are parked or overdue, and the dead letters beside them."""
        return _parsed(Jobs, self._get("/api/job", {}))

    def job(self, job: str) -> Job:
        return _parsed(Job, self._get(_job_path(job), {}))

    def retry_job(self, job: str, *, attempts: int | None = None) -> Job:
        """Have it tried again, up to `attempts` times: as often as a new one unless told."""
        answer = self._send("POST", _job_path(job, "retry"), parameters={"attempts": attempts})
        return _parsed(Job, answer)

    def drop_job(self, job: str) -> None:
        """Give a parked job up: what waits for it fails."""
        self._send("DELETE", _job_path(job))

    def _post_spec(
        self,
        request: SubmitRequest,
        mode: dict[str, _PARAMETER],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return self._send(
            "POST",
            f"/api/pool/{_segment(request.pool)}/workflow",
            parameters={
                **mode,
                "priority": request.priority,
                "label": request.labels,
                "env_vars": request.env_vars,
            },
            json={
                "file": request.spec,
                "set_variables": list(request.set_variables),
                "set_string_variables": list(request.set_string_variables),
                "uploaded_templated_spec": request.template,
            },
            headers=headers,
        )

    def _get(self, path: str, parameters: Mapping[str, _PARAMETER]) -> httpx.Response:
        return self._send("GET", path, parameters=parameters)

    def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, _PARAMETER] | None = None,
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


def _parsed(model: type[AnAnswer], answer: httpx.Response) -> AnAnswer:
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


def _path(workflow: str, *rest: str) -> str:
    return "/".join(("/api/workflow", _segment(workflow), *rest))


def _segment(name: str) -> str:
    """A name as a segment of a path, which dots alone would climb (RFC 3986, 5.2.4)."""
    if name in {"", ".", ".."}:
        raise BadInput(f"'{name}' is no name")
    return quote(name, safe="")


def _job_path(job: str, *rest: str) -> str:
    return "/".join(("/api/job", _segment(job), *rest))


def _given(parameters: Mapping[str, _PARAMETER]) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in parameters.items()
        if value is not None and value != () and value != []
    }
