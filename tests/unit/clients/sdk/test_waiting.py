"""Waiting for an end, and lists to theirs."""

import pytest

from clients.sdk.client import Client
from clients.sdk.login import Login
from clients.sdk.waiting import wait, workflows
from tests.unit.clients.answers import Service, a_workflow
from tests.unit.clients.sdk.test_async_client import LIST, QUERY, URL, listed


def a_client(service: Service) -> Client:
    return Client(Login(url=URL), transport=service, sleep=lambda _: None)


def test_the_end_is_waited_for() -> None:
    service = Service({QUERY: [a_workflow(status="PENDING"), a_workflow(status="FAILED")]})
    slept: list[float] = []

    ended = wait(a_client(service), "hello-1", sleep=slept.append, clock=lambda: sum(slept))

    assert (ended.status, slept) == ("FAILED", [0.2])


def test_a_wait_has_an_end_of_its_own() -> None:
    service = Service({QUERY: a_workflow(status="RUNNING")})
    slept: list[float] = []

    with pytest.raises(TimeoutError, match="hello-group"):
        wait(a_client(service), "hello-1", timeout=3, sleep=slept.append, clock=lambda: sum(slept))


def test_a_list_is_read_no_further_than_it_is_looked_at() -> None:
    service = Service({LIST: [listed("b-1", cursor="2026#b-1"), listed("a-1")]})
    found = workflows(a_client(service), users=["alice"])

    assert next(found).name == "b-1"
    assert len(service.requests) == 1
    assert [one.name for one in found] == ["a-1"]
    assert service.requests[1].url.params["cursor"] == "2026#b-1"
