"""The asynchronous client asks what the other one asks, and waits for many things at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from inspect import signature
from typing import Any

import httpx
import pytest

from clients.sdk.async_client import AsyncClient
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import Refused, Unavailable, Unreachable
from clients.sdk.login import Login
from tests.unit.clients.answers import Service, a_page, a_refusal, a_workflow

URL = "https://xylem.example/base"
SUBMIT = "POST /base/api/pool/default/workflow"
QUERY = "GET /base/api/workflow/hello-1"
LIST = "GET /base/api/workflow"
SUBMITTED = {"name": "hello-1", "warnings": []}
HELLO = SubmitRequest(spec="workflow: {}", pool="default")


class Pauses:
    """Nobody waits; how long he would have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def now(self) -> float:
        return sum(self.seconds)


def asked(
    service: Service,
    talk: Callable[[AsyncClient], Awaitable[Any]],
    *,
    pauses: Pauses | None = None,
) -> Any:
    paused = pauses or Pauses()

    async def whole() -> Any:
        login = Login(url=URL, token="t0")
        client = AsyncClient(login, transport=service, sleep=paused, clock=paused.now)
        async with client:
            return await talk(client)

    return asyncio.run(whole())


def listed(*names: str, cursor: str | None = None) -> dict[str, Any]:
    rows = [
        {"name": one, "user": "a", "status": "RUNNING", "submit_time": "2026-01-01T00:00:00"}
        for one in names
    ]
    return {"workflows": rows, "more_entries": cursor is not None, "cursor": cursor}


def test_a_submission_whose_answer_was_lost_is_sent_again_with_the_same_key() -> None:
    service = Service({SUBMIT: [httpx.ReadError("cut"), httpx.Response(503), SUBMITTED]})
    pauses = Pauses()

    submitted = asked(service, lambda client: client.submit(HELLO), pauses=pauses)

    assert submitted.name == "hello-1"
    assert len(service.requests) == 3
    assert len({one.headers["Idempotency-Key"] for one in service.requests}) == 1
    assert len(pauses.seconds) == 2
    assert {one.headers["Authorization"] for one in service.requests} == {"Bearer t0"}


def test_two_submissions_at_the_same_time_are_two_and_do_not_mix() -> None:
    async def both(client: AsyncClient) -> list[str]:
        one = client.submit(HELLO)
        other = client.submit(SubmitRequest(spec="other", pool="far"))
        return [each.name for each in await asyncio.gather(one, other)]

    far = "POST /base/api/pool/far/workflow"
    service = Service(
        {SUBMIT: [httpx.Response(503), SUBMITTED], far: {"name": "far-1", "warnings": []}}
    )

    assert asked(service, both) == ["hello-1", "far-1"]
    keys = {one.url.path: one.headers["Idempotency-Key"] for one in service.requests}
    assert len(set(keys.values())) == 2
    assert json.loads(service.requests[-1].content)["file"] in {"other", HELLO.spec}


def test_a_redirect_is_followed_and_what_is_compressed_is_read_once() -> None:
    large = "https://store.example/large"
    there = httpx.Response(307, headers={"Location": large})
    body = httpx.Response(200, text="a log", headers={"content-type": "text/plain"})
    service = Service({"GET /base/api/workflow/hello-1/logs": there, "GET /large": body})

    assert asked(service, lambda client: client.logs("hello-1")) == "a log"
    assert "Authorization" not in service.requests[1].headers


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(400, json=a_refusal("no")), Refused),
        (httpx.Response(503), Unavailable),
        (httpx.ConnectError("nobody"), Unreachable),
    ],
)
def test_errors_are_those_of_the_other_client(answer: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        asked(Service({QUERY: answer}), lambda client: client.query("hello-1"))


def test_whatever_the_client_learns_to_say_can_be_asked() -> None:
    pages = [
        {"records": [], "cursor": "c1"},
        {"records": [], "cursor": None},
    ]
    service = Service({"GET /base/api/workflow/hello-1/audit": pages})

    found = asked(service, lambda client: client.ask(lambda it: list(it.audit("hello-1"))))

    assert found == []
    assert [one.url.params.get("cursor") for one in service.requests] == [None, "c1"]


def test_two_submissions_in_one_question_have_keys_of_their_own() -> None:
    service = Service({SUBMIT: [SUBMITTED, httpx.ReadError("cut"), SUBMITTED]})

    asked(service, lambda client: client.ask(lambda it: [it.submit(HELLO), it.submit(HELLO)]))

    first, second, again = (one.headers["Idempotency-Key"] for one in service.requests)
    assert first != second == again


def test_a_list_is_gone_through_page_by_page_as_far_as_it_is_looked_at() -> None:
    service = Service({LIST: [listed("c-1", "b-1", cursor="2026#b-1"), listed("a-1")]})

    async def names(client: AsyncClient) -> list[str]:
        return [one.name async for one in client.workflows(statuses=["RUNNING"])]

    assert asked(service, names) == ["c-1", "b-1", "a-1"]
    assert [one.url.params.get("cursor") for one in service.requests] == [None, "2026#b-1"]
    assert {one.url.params["statuses"] for one in service.requests} == {"RUNNING"}


def test_it_waits_for_the_end_and_looks_less_often_the_longer_it_takes() -> None:
    running = a_workflow(status="RUNNING")
    service = Service({QUERY: [*[running] * 30, a_workflow()]})
    pauses = Pauses()

    ended = asked(service, lambda client: client.wait("hello-1"), pauses=pauses)

    assert ended.status.final
    assert pauses.seconds == sorted(pauses.seconds)
    assert pauses.seconds[0] == 0.2


def test_it_waits_no_longer_than_it_is_told_to() -> None:
    service = Service({QUERY: a_workflow(status="RUNNING")})

    with pytest.raises(TimeoutError, match="hello-1 is RUNNING after"):
        asked(service, lambda client: client.wait("hello-1", timeout=10))


def test_a_log_is_followed_to_its_end() -> None:
    pages = [a_page("one", cursor=""), a_page(cursor=""), a_page("two", closed=True)]
    service = Service({"GET /base/api/workflow/hello-1/logs/follow": pages})

    async def texts(client: AsyncClient) -> list[str]:
        followed = client.follow_logs("hello-1")
        return [one.text async for page in followed for one in page.records]

    assert asked(service, texts) == ["one", "two"]
    assert [one.url.params["wait"] for one in service.requests] == ["0", "20", "20"]


def test_each_method_takes_what_the_other_clients_does() -> None:
    own = {"ask", "aclose", "workflows", "wait", "follow_logs"}
    shared = {name for name in vars(AsyncClient) if not name.startswith("_")} - own

    assert {"submit", "query", "cancel", "why_pending"} <= shared
    for name in shared:
        assert signature(getattr(AsyncClient, name)) == signature(getattr(Client, name))
