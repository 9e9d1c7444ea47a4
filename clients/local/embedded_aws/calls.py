"""Who called what: every call of an AWS API as a line of `calls.jsonl`.

Nothing on one machine enforces IAM policies, so least privilege is proven the other way round: the
end-to-end tests compare what each function did with what its policy in the template allows. For
that a call is written down in the words of a policy: the actions that IAM checks, each with its
resource. A DynamoDB transaction is no action of its own, it needs the action of each of its items
on that item's table; a query of an index names the index; HeadObject is `s3:GetObject`
(https://docs.aws.amazon.com/service-authorization/latest/reference/). ministack knows that much for
its own IAM mode; we ask it.

What a call is billed goes to `usage`; a line has the units of DynamoDB, too.

Seam: `app._dispatch_service_request`, which every call of an AWS API passes. Calls of @connections
come from `connections_api`. A line costs about 50 microseconds; lines are written twice a second.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.local.embedded_aws import dynamodb_usage
from clients.local.embedded_aws.lambda_environment import access_key_of
from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.usage import Meter, Usage, of_api_call

DISPATCH = Seam(
    "ministack.app",
    "_dispatch_service_request",
    ("method", "path", "headers", "body", "query_params", "request_id"),
)
ACTIONS = "ministack.core.iam_actions"
ACTION_PARAMETERS = ("service", "method", "path", "headers", "body", "query_params")
ACTION = Seam(ACTIONS, "extract_iam_action", ACTION_PARAMETERS)
RESOURCE = Seam(ACTIONS, "extract_resource_arn", (*ACTION_PARAMETERS, "region", "account_id"))
TRANSACTION = Seam(
    ACTIONS, "dynamodb_transaction_checks", ("iam_action", "body", "region", "account_id")
)
TABLES = Seam(ACTIONS, "dynamodb_resource_arns", ("body", "region", "account_id"))
FURTHER = Seam(
    ACTIONS, "s3_additional_checks", ("method", "path", "headers", "body", "query_params")
)
ROUTER = "ministack.core.router"
SERVICE = Seam(ROUTER, "detect_service", ("method", "path", "headers", "query_params"))
ACCESS_KEY = Seam(ROUTER, "extract_access_key_id", ("headers", "query_params"))
REGION = Seam(ROUTER, "extract_region", ("headers", "query_params"))
ACCOUNT = Seam("ministack.core.responses", "get_account_id", ())
ROUTING = Seam(
    "ministack.app", "_routing_params", ("method", "path", "headers", "body", "query_params")
)
SEAMS = (
    DISPATCH,
    ACTION,
    RESOURCE,
    TRANSACTION,
    TABLES,
    FURTHER,
    SERVICE,
    ACCESS_KEY,
    REGION,
    ACCOUNT,
    ROUTING,
)

CALLER = "caller"
"""Who calls without a function's credentials: a person, the CDK, the tests."""

LIMIT = 32 * 1024 * 1024
FLUSH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Call:
    at: float
    who: str
    operation: str
    """The API's own name for it; what was authorised is in `allow`."""
    allow: tuple[tuple[str, str], ...]
    """(action, resource) pairs that a policy has to allow."""
    status: int
    request_bytes: int
    capacity_units: float | None = None

    def line(self) -> str:
        fields: dict[str, Any] = {
            "at": round(self.at, 3),
            "who": self.who,
            "operation": self.operation,
            "allow": [{"action": action, "resource": resource} for action, resource in self.allow],
            "status": self.status,
            "request_bytes": self.request_bytes,
        }
        if self.capacity_units is not None:
            fields["capacity_units"] = self.capacity_units
        return json.dumps(fields, separators=(",", ":")) + "\n"


class CallJournal:
    """The file. At `limit` it becomes `calls.jsonl.1`, in place of the one before."""

    def __init__(self, path: Path, *, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._unwritten: list[Call] = []

    def add(self, call: Call) -> None:
        self._unwritten.append(call)

    def flush(self) -> None:
        if not self._unwritten:
            return
        calls, self._unwritten = self._unwritten, []
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(call.line() for call in calls)
            size = file.tell()
        if size >= self._limit:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    async def flush_in_background(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.flush()


class Callers:
    """Names the function of an access key."""

    def __init__(self, functions: Callable[[], Iterable[str]]) -> None:
        self._functions = functions
        self._names: dict[str, str] = {}

    def who(self, access_key: str | None) -> str:
        if access_key is None or not access_key.startswith("ASIA"):
            return CALLER
        if access_key not in self._names:
            self._names = {access_key_of(name): name for name in self._functions()}
        return self._names.get(access_key, CALLER)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A call as ministack's dispatcher gets it, with what it makes of it."""

    service: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    query: dict[str, list[str]]
    region: str
    account: str

    @property
    def action(self) -> str:
        """As IAM calls it; empty where ministack has no name."""
        return ACTION.get()(*self._parts) or ""

    def authorisations(self, action: str) -> tuple[tuple[str, str], ...]:
        """What IAM checks for this call; each pair once."""
        if self.service == "dynamodb":
            items = TRANSACTION.get()(action, self.body, self.region, self.account)
            tables = TABLES.get()(self.body, self.region, self.account) or ["*"]
            return tuple(dict.fromkeys(items or [(action, table) for table in tables]))
        resource = RESOURCE.get()(*self._parts, self.region, self.account)
        checks = [(action, resource)]
        if self.service == "s3":
            further = FURTHER.get()(self.method, self.path, self.headers, self.body, self.query)
            checks += [(action, arn) for action, arn in further]
        return tuple(dict.fromkeys(checks))

    @property
    def _parts(self) -> tuple[Any, ...]:
        return (self.service, self.method, self.path, self.headers, self.body, self.query)


def api_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> ApiRequest:
    params = ROUTING.get()(method, path, headers, body, query)
    return ApiRequest(
        service=SERVICE.get()(method, path, headers, params),
        method=method,
        path=path,
        headers=headers,
        body=body,
        query=params,
        region=REGION.get()(headers, query),
        account=ACCOUNT.get()(),
    )


def is_presigned(query: dict[str, list[str]]) -> bool:
    """Then a pod or a person transfers, with the rights of the function that signed."""
    return "X-Amz-Signature" in query or "Signature" in query


def count(usage: Usage, who: str, request: ApiRequest, call: Call, answer: Any) -> None:
    """What AWS bills for a call, DynamoDB's units aside."""
    size = max(call.request_bytes, len(answer) if isinstance(answer, bytes | str) else 0)
    billed = of_api_call(
        request.service,
        call.operation,
        request.method,
        request.path,
        query=request.query,
        size=size,
    )
    resource = call.allow[0][1].rpartition(":")[2] if call.allow else ""
    for meter, what, amount in billed:
        usage.add(meter, who, what or resource, amount)
        if meter is Meter.S3_GETS and isinstance(answer, bytes) and is_presigned(request.query):
            usage.add(Meter.BYTES_OUT, who, what, len(answer))


Dispatch = Callable[..., Any]


def install(
    journal: CallJournal,
    callers: Callers,
    usage: Usage,
    *,
    after: Callable[[ApiRequest, str], None],
) -> None:
    """Record and count every call; `after` is told of it before its answer leaves."""

    def recording(stock: Dispatch) -> Dispatch:
        async def dispatch(
            method: str,
            path: str,
            headers: dict[str, str],
            body: bytes,
            query_params: dict[str, list[str]],
            request_id: str,
        ) -> Any:
            at = time.time()
            # First, because handlers change what they are given.
            request = api_request(method, path, headers, body, query_params)
            action = request.action
            who = callers.who(ACCESS_KEY.get()(headers, query_params))
            with dynamodb_usage.counted() as units:
                answer = await stock(method, path, headers, body, query_params, request_id)
            status, _, answer_body = answer
            after(request, action)
            call = Call(
                at=at,
                who=who,
                operation=action or f"{request.service}:{method} {path}",
                allow=request.authorisations(action) if action else (),
                status=int(status),
                request_bytes=len(body),
                capacity_units=sum(unit.amount for unit in units) if units else None,
            )
            journal.add(call)
            for meter, what, amount in units:
                usage.add(meter, who, what, amount)
            count(usage, who, request, call, answer_body)
            return answer

        return dispatch

    DISPATCH.wrap(recording)
