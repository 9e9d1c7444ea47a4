"""Credentials over HTTP: OSMO's routes, and nothing of a secret in any answer, log or row."""

import json
import logging
from typing import Any

import pytest

from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.credential import DOCKER_HUB

SECRET = "correct horse battery staple"
GENERIC = {"generic_credential": {"credential": {"token": SECRET}}}
REGISTRY = {"registry_credential": {"registry": "nvcr.io", "username": "u", "auth": SECRET}}
DATA = {
    "data_credential": {
        "endpoint": "s3://bucket/",
        "access_key_id": "id",
        "access_key": SECRET,
        "region": "us-east-1",
    }
}


def put(service: CoreService, name: str, body: Any, **more: Any) -> Answer:
    return service.ask("POST", f"/api/credentials/{name}", body=json.dumps(body), **more)


def listed(service: CoreService, **more: Any) -> Any:
    return service.ask("GET", "/api/credentials", **more).body["credentials"]


def test_what_is_set_is_listed_by_kind_and_name_and_never_with_what_is_in_it() -> None:
    service = CoreService()
    for name, body in (("g2", GENERIC), ("g1", GENERIC), ("dat", DATA), ("reg", REGISTRY)):
        answer = put(service, name, body)
        assert (answer.status, answer.body) == (200, None)

    assert listed(service) == [
        {"cred_name": "reg", "cred_type": "REGISTRY", "profile": "nvcr.io"},
        {"cred_name": "g1", "cred_type": "GENERIC", "profile": None},
        {"cred_name": "g2", "cred_type": "GENERIC", "profile": None},
        {"cred_name": "dat", "cred_type": "DATA", "profile": "s3://bucket"},
    ]
    assert listed(service, who="bob") == []


def test_what_is_deleted_is_told_and_gone() -> None:
    service = CoreService()
    put(service, "g1", GENERIC)

    gone = service.ask("DELETE", "/api/credentials/g1")
    again = service.ask("DELETE", "/api/credentials/g1")

    entry = {"cred_name": "g1", "cred_type": "GENERIC", "profile": None}
    assert (gone.status, gone.body) == (200, {"credentials": [entry]})
    assert (again.status, again.body["error_code"]) == (400, "USER")
    assert listed(service) == []


def test_a_generic_one_is_not_overwritten() -> None:
    service = CoreService()
    put(service, "g1", GENERIC)

    again = put(service, "g1", {"generic_credential": {"credential": {"token": "other"}}})

    assert (again.status, again.body["error_code"]) == (400, "USER")
    assert "delete it first" in again.body["message"]
    kept = service.world.credentials.open("alice", "g1")  # type: ignore[arg-type]  # a name
    assert kept is not None
    assert kept.payload == {"token": SECRET}


@pytest.mark.parametrize("body", [REGISTRY, DATA])
def test_one_of_a_profile_takes_the_place_of_the_other(body: dict[str, Any]) -> None:
    service = CoreService()
    put(service, "old", body)
    same = put(service, "old", body)
    renamed = put(service, "new", body)

    assert (same.status, renamed.status) == (200, 200)
    assert [one["cred_name"] for one in listed(service)] == ["new"]


def test_another_profile_does_not_take_a_name() -> None:
    service = CoreService()
    put(service, "store", DATA)
    other = {"data_credential": {**DATA["data_credential"], "endpoint": "gs://other"}}

    assert put(service, "store", other).status == 400
    assert [one["profile"] for one in listed(service)] == ["s3://bucket"]


@pytest.mark.parametrize("host", ["", "docker.io", "index.docker.io"])
def test_docker_hub_has_one_name(host: str) -> None:
    service = CoreService()
    put(service, "hub", {"registry_credential": {"registry": host, "auth": "x"}})

    assert listed(service)[0]["profile"] == DOCKER_HUB


MANY = {f"k{n}": "v" for n in range(101)}
BAD: list[tuple[str, Any, int, str]] = [
    ("1bad", GENERIC, 400, "is no name"),
    ("bad-", GENERIC, 400, "is no name"),
    ("a" * 64, GENERIC, 400, "is no name"),
    ("ok", {**GENERIC, **REGISTRY}, 400, "exactly one"),
    ("ok", {}, 400, "exactly one"),
    ("ok", {"generic_credential": {"credential": {}}}, 400, "KEY=VALUE"),
    ("ok", {"generic_credential": {"credential": {"a b": SECRET}}}, 400, "'a b' is no key"),
    ("ok", {"generic_credential": {"credential": {"..a": SECRET}}}, 400, "is no key"),
    ("ok", {"generic_credential": {"credential": {"a/../b": SECRET}}}, 400, "is no key"),
    ("ok", {"generic_credential": {"credential": {"k": SECRET * 2000}}}, 400, "the most is 32768"),
    ("ok", {"generic_credential": {"credential": MANY}}, 400, "100 keys at the most"),
    ("ok", {"generic_credential": {"credential": {"k": f"{SECRET}\0"}}}, 400, "NUL"),
    ("ok", {"generic_credential": {"credential": {"k": [SECRET]}}}, 422, "body.generic"),
    ("ok", {"generic_credential": {"credential": SECRET}}, 422, "body.generic"),
    ("ok", {"generic_credential": {"credential": {"k": f"{SECRET}\ud800"}}}, 422, "surrogate"),
    ("ok", {"generic_credential": {"credential": {"k": "v"}, "x": SECRET}}, 422, "body.generic"),
    ("ok", {"registry_credential": {"registry": "nvcr.io", "password": SECRET}}, 422, "auth"),
    ("ok", {"registry_credential": {"registry": "u@nvcr.io", "auth": SECRET}}, 400, "host alone"),
    ("ok", {"data_credential": {"endpoint": "s3://b", "access_key": SECRET}}, 422, "access_key_id"),
    *(
        (
            "ok",
            {"data_credential": {**DATA["data_credential"], field: value}},
            400,
            field,
        )
        for field, value in (
            ("endpoint", "https://bucket.s3.amazonaws.com"),
            ("endpoint", "s3://"),
            ("endpoint", f"s3://user:{'x' * 9}@bucket"),
            ("override_url", "ftp://store"),
            ("override_url", "https://u:p@store"),
            ("addressing_style", "sideways"),
        )
    ),
]


@pytest.mark.parametrize(("name", "body", "status", "says"), BAD)
def test_what_is_wrong_is_said_without_the_secret(
    name: str,
    body: Any,
    status: int,
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    service = CoreService()

    answer = put(service, name, body)

    assert (answer.status, answer.body["error_code"]) == (
        status,
        "USER" if status == 400 else "USAGE",
    )
    assert says in answer.body["message"]
    assert SECRET not in json.dumps(answer.body)
    assert SECRET not in caplog.text
    assert listed(service) == []


def test_the_secret_is_in_no_log_and_no_row_of_the_service(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    service = CoreService()
    for name, body in (("g", GENERIC), ("r", REGISTRY), ("d", DATA)):
        put(service, name, body)
        put(service, name, body)

    said = capfd.readouterr()
    assert SECRET not in caplog.text + said.out + said.err + service.kept()


def test_a_user_has_fifty_at_the_most() -> None:
    service = CoreService()
    for number in range(50):
        assert put(service, f"g{number}", GENERIC).status == 200

    full = put(service, "one-more", GENERIC)

    assert (full.status, full.body["error_code"]) == (400, "USER")
    assert put(service, "one-more", GENERIC, who="bob").status == 200


def test_an_operator_keeps_no_credentials() -> None:
    assert put(CoreService(), "g", GENERIC, kind="operator").status == 403


def test_an_admin_keeps_some_for_a_pool_and_nobody_else_sees_or_changes_them() -> None:
    service = CoreService()
    answers = [
        service.ask(
            method,
            f"/api/credentials{name}",
            query="pool=default",
            body=json.dumps(GENERIC) if method == "POST" else None,
            who=who,
            roles=roles,
        ).status
        for who, roles in (("bob", "osmo-user"), ("root", "osmo-admin"))
        for method, name in (("POST", "/g1"), ("GET", ""), ("DELETE", "/g1"))
    ]

    assert answers == [403, 403, 403, 200, 200, 200]
    assert (
        service.ask("GET", "/api/credentials", query="pool=nope", roles="osmo-admin").status == 400
    )
