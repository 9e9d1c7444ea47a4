"""`xylem doctor`: what is wrong is found, by itself, with what to do about it."""

import base64
import json
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from clients.cli import diagnosis
from clients.cli.diagnosis import Verdict
from clients.sdk.login import Login, store
from tests.unit.clients.answers import NOON, a_refusal
from tests.unit.clients.cli.service_world import ServiceWorld
from tests.unit.clients.cli.world import Said, xylem
from xylem.domain.versions import Version

PROFILE = {"profile": {"username": "alice"}, "roles": ["osmo-user"], "pools": ["default"]}
VERSION = {"major": "6", "minor": "4", "revision": "0"}


def a_version(late: timedelta = timedelta(), **fields: Any) -> httpx.Response:
    headers = {"Date": format_datetime(NOON - late, usegmt=True)}
    return httpx.Response(200, json={**VERSION, **fields}, headers=headers)


def asked(environ: dict[str, str] | None = None, **answers: Any) -> Said:
    """Of a service where all is well, but for these answers."""
    known = {
        "GET /client/version": a_version(),
        "GET /api/version": a_version(),
        "GET /api/profile/settings": PROFILE,
    }
    changed = {
        "version": "GET /client/version",
        "support": "GET /api/version",
        "profile": "GET /api/profile/settings",
        "exchange": "POST /api/auth/jwt/access_token",
    }
    given = {changed[name]: answer for name, answer in answers.items()}
    said_of = {"XYLEM_URL": "https://xylem.example", "XYLEM_CONFIG_DIR": "/nonexistent"}
    return xylem("doctor", "-t", "json", answers={**known, **given}, environ=environ or said_of)


def problems(said: Said) -> list[str]:
    return [one["about"] for one in json.loads(said.out) if one["verdict"] != "fine"]


def a_token(ends: timedelta) -> str:
    claims = {"exp": int((NOON + ends).timestamp())}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"a.{payload}.c"


def test_where_all_is_well_nothing_is_to_do() -> None:
    said = asked()

    assert (said.code, problems(said)) == (0, [])


def test_the_real_service_is_well() -> None:
    said = ServiceWorld().xylem("doctor", environ={"XYLEM_CONFIG_DIR": "/nonexistent"})

    assert said.code == 0
    assert "root with osmo-admin may submit to default" in said.out


def test_a_person_reads_a_table_with_what_to_do() -> None:
    said = xylem("doctor", environ={"XYLEM_CONFIG_DIR": "/nonexistent"})

    assert said.code == 2
    assert "✗" in said.out
    assert "xylem login URL" in said.out


def test_a_service_that_does_not_answer_ends_with_10() -> None:
    said = asked(version=httpx.ConnectError("Name or service not known"))

    assert (said.code, problems(said)) == (10, ["network"])
    assert "name resolution" in said.out


def test_a_clock_that_is_off_is_found_by_the_service_s_own() -> None:
    assert problems(asked(version=a_version(timedelta(seconds=20)))) == []
    off = asked(version=a_version(timedelta(minutes=3)))
    assert (off.code, problems(off)) == (0, ["clock"])
    far = asked(version=a_version(-timedelta(hours=2)))
    assert (far.code, problems(far)) == (2, ["clock"])
    assert "7200 s off" in far.out


@pytest.mark.parametrize(
    ("service", "verdict"),
    [
        (Version(6, 4, 0), Verdict.FINE),
        (Version(6, 5, 0), Verdict.WARNING),
        (Version(6, 3, 9), Verdict.WARNING),
        (Version(7, 0, 0), Verdict.PROBLEM),
        (Version(5, 9, 9), Verdict.PROBLEM),
    ],
)
def test_versions_that_are_apart_are_told(service: Version, verdict: Verdict) -> None:
    assert diagnosis.versions(service).verdict is verdict


def test_a_client_that_an_administrator_supports_no_longer_is_told_so() -> None:
    refusal = httpx.Response(400, json=a_refusal("Your client 6.4.0 is too old", "OSMO_ERROR"))

    said = asked(support=refusal)

    assert (said.code, problems(said)) == (2, ["support"])


def test_what_is_no_xylem_is_told_so() -> None:
    assert problems(asked(version=httpx.Response(200, text="<html>"))) == ["version"]
    assert problems(asked(version=httpx.Response(404, text="no"))) == ["network"]


def test_a_token_is_told_before_it_ends_and_after() -> None:
    def with_token(ends: timedelta, **answers: Any) -> Said:
        url = "https://xylem.example"
        environ = {
            "XYLEM_URL": url, "XYLEM_TOKEN": a_token(ends), "XYLEM_CONFIG_DIR": "/nonexistent"
        }  # fmt: skip
        return asked(environ, **answers)

    assert problems(with_token(timedelta(days=30))) == []
    assert problems(with_token(timedelta(days=3))) == ["token"]
    refused = httpx.Response(401, json=a_refusal("Token has ended", "unauthenticated"))
    ended = with_token(-timedelta(hours=1), version=refused, support=refused, profile=refused)
    assert (ended.code, problems(ended)) == (2, ["token", "rights"])


@pytest.mark.parametrize(
    ("exchange", "found"),
    [
        (httpx.Response(200, json={"token": "a.b.c"}), []),
        (httpx.Response(400, json=a_refusal("it was deleted")), ["token"]),
    ],
)
def test_a_token_that_is_had_anew_is_a_problem_where_it_is_not(
    tmp_path: Path, exchange: httpx.Response, found: list[str]
) -> None:
    store(Login(url="https://xylem.example", access_token="secret"), tmp_path / "config")
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path / "config")}

    said = asked(environ, exchange=exchange)

    assert problems(said) == found
    assert said.code == (2 if found else 0)


def test_who_may_submit_nowhere_is_told_whom_to_ask() -> None:
    assert problems(asked(profile={**PROFILE, "pools": []})) == ["pools"]
    elsewhere = {**PROFILE, "profile": {"username": "alice", "pool": "gone"}}
    assert problems(asked(profile=elsewhere)) == ["pools"]


def test_a_login_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    path = store(Login(url="https://xylem.example", user="alice"), folder)
    environ = {"XYLEM_CONFIG_DIR": str(folder)}
    assert problems(asked(environ)) == []

    path.chmod(0o644)
    said = asked(environ)
    assert (said.code, problems(said)) == (2, ["files"])
    assert f"chmod 600 {path}" in said.out

    path.chmod(0o600)
    folder.chmod(0o777)
    assert problems(asked(environ)) == ["files"]


def test_a_login_that_is_broken_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "login.json").write_text("{")
    tmp_path.chmod(0o700)
    (tmp_path / "login.json").chmod(0o600)

    said = asked({"XYLEM_CONFIG_DIR": str(tmp_path)})

    assert (said.code, problems(said)) == (2, ["login"])
