"""`xylem login`: each way to say who asks; a token that has ended is renewed by itself."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest

from clients.sdk.login import Grant, Login, load, store
from tests.unit.clients.answers import NOON, Service, a_refusal
from tests.unit.clients.cli.world import xylem

URL = "https://xylem.example"
POOLS = "GET /api/pool"
LOGIN = "GET /api/auth/login"
EXCHANGE = "POST /api/auth/jwt/access_token"
TOKEN = "POST /token"
ONE_POOL = {"pools": {"default": {"name": "default", "backend": "b", "status": "ONLINE"}}}
PROVIDER = {
    "browser_endpoint": "https://login.test/authorize",
    "browser_client_id": "xylem-cli",
    "device_endpoint": "https://login.test/device",
    "device_client_id": "xylem-cli",
    "token_endpoint": "https://login.test/token",
}
SECRET = "s" * 43


def a_token(life: timedelta = timedelta(hours=1), **claims: Any) -> str:
    ends = int((NOON + life).timestamp())
    return jwt.encode({"exp": ends, **claims}, "k" * 32, "HS256")


def environ(folder: Path) -> dict[str, str]:
    return {"XYLEM_CONFIG_DIR": str(folder)}


def kept(folder: Path) -> Login:
    found = load(folder)
    assert found is not None
    return found


def test_an_access_token_is_kept_and_exchanged_for_what_is_sent(tmp_path: Path) -> None:
    given = a_token()
    service = Service({POOLS: ONE_POOL, EXCHANGE: {"token": given, "expires_at": 1}})

    said = xylem("login", URL, "--token", SECRET, service=service, environ=environ(tmp_path))

    assert said.code == 0, said.err
    assert service.asked == [EXCHANGE, POOLS]
    assert service.requests[1].headers["authorization"] == f"Bearer {given}"
    assert kept(tmp_path) == Login(url=URL, token=given, access_token=SECRET)
    assert SECRET not in said.out + said.err


def test_an_access_token_that_opens_nothing_is_not_kept(tmp_path: Path) -> None:
    answers = {EXCHANGE: httpx.Response(400, json=a_refusal("Access Token is invalid"))}

    said = xylem("login", URL, "--token", SECRET, answers=answers, environ=environ(tmp_path))

    assert said.code == 2
    assert "Access Token is invalid" in said.err
    assert load(tmp_path) is None


def test_a_token_that_has_ended_is_renewed_before_the_next_command(tmp_path: Path) -> None:
    store(Login(url=URL, token=a_token(timedelta(seconds=5)), access_token=SECRET), tmp_path)
    given = a_token()
    service = Service({POOLS: ONE_POOL, EXCHANGE: {"token": given, "expires_at": 1}})

    xylem("pool", "list", service=service, environ=environ(tmp_path))
    again = len(service.requests)
    xylem("pool", "list", service=service, environ=environ(tmp_path))

    assert service.asked[0] == EXCHANGE
    assert EXCHANGE not in service.asked[again:], "it holds for an hour"
    assert kept(tmp_path).token == given


def test_a_refresh_token_is_used_and_the_next_one_kept(tmp_path: Path) -> None:
    grant = Grant(
        kind="refresh", token_url="https://login.test/token", client_id="xylem-cli", secret="first"
    )
    store(Login(url=URL, token=a_token(-timedelta(hours=1)), grant=grant), tmp_path)
    answer = {"id_token": a_token(), "refresh_token": "second"}
    service = Service({POOLS: ONE_POOL, TOKEN: answer})

    xylem("pool", "list", service=service, environ=environ(tmp_path))

    sent = parse_qs(service.requests[0].content.decode())
    assert (sent["grant_type"], sent["refresh_token"]) == (["refresh_token"], ["first"])
    after = kept(tmp_path)
    assert after.token == answer["id_token"]
    assert after.grant is not None and after.grant.secret == "second"


def test_a_refresh_that_another_program_was_faster_with_takes_what_that_one_stored(
    tmp_path: Path,
) -> None:
    grant = Grant(kind="refresh", token_url="https://login.test/token", client_id="c", secret="1")
    old = Login(url=URL, token=a_token(-timedelta(hours=1)), grant=grant)
    store(old, tmp_path)
    theirs = old.model_copy(
        update={"token": a_token(), "grant": grant.model_copy(update={"secret": "2"})}
    )

    def refused(request: httpx.Request) -> httpx.Response:
        store(theirs, tmp_path)
        return httpx.Response(400, json={"error": "invalid_grant"})

    class Refusing(Service):
        def _answer(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/token":
                return refused(request)
            return super()._answer(request)

    service = Refusing({POOLS: ONE_POOL, "GET /api/pool_quota": {"node_sets": []}})

    xylem("pool", "list", service=service, environ=environ(tmp_path))

    assert service.requests[-1].headers["authorization"] == f"Bearer {theirs.token}"


def test_a_program_logs_in_with_its_secret_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of-nightly\n")
    given = a_token()
    service = Service({POOLS: ONE_POOL, LOGIN: PROVIDER, TOKEN: {"access_token": given}})

    said = xylem(
        *("login", URL, "--client-id", "nightly", "--client-secret-file", str(secret)),
        service=service,
        environ=environ(tmp_path / "config"),
    )

    assert said.code == 0, said.err
    assert parse_qs(service.requests[1].content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["nightly"],
        "client_secret": ["of-nightly"],
    }
    assert kept(tmp_path / "config").token == given
    assert "of-nightly" not in said.out + said.err


def test_a_code_is_shown_and_the_login_kept_when_it_was_typed_in(tmp_path: Path) -> None:
    given = a_token()
    begun = {
        "device_code": "d",
        "user_code": "WXYZ-1234",
        "verification_uri": "https://login.test/activate",
        "interval": 0.001,
    }
    service = Service(
        {
            POOLS: ONE_POOL,
            LOGIN: PROVIDER,
            "POST /device": begun,
            TOKEN: {"id_token": given, "refresh_token": "r"},
        }
    )

    said = xylem("login", URL, "--method", "code", service=service, environ=environ(tmp_path))

    assert said.code == 0, said.err
    assert "Open https://login.test/activate and type in: WXYZ-1234" in said.err
    assert kept(tmp_path).token == given


@pytest.mark.parametrize("method", ["pkce", "code"])
def test_a_service_without_a_provider_says_how_to_log_in_else(tmp_path: Path, method: str) -> None:
    nothing = dict.fromkeys(PROVIDER)

    said = xylem(
        "login", URL, "--method", method, answers={LOGIN: nothing}, environ=environ(tmp_path)
    )

    assert said.code == 2
    assert "--token-file" in said.err


def test_the_environment_may_hold_an_access_token_and_nothing_is_stored(tmp_path: Path) -> None:
    given = a_token()
    service = Service({POOLS: ONE_POOL, EXCHANGE: {"token": given, "expires_at": 1}})
    variables = {**environ(tmp_path), "XYLEM_URL": URL, "XYLEM_TOKEN": SECRET}

    xylem("pool", "list", service=service, environ=variables)

    assert service.asked[0] == EXCHANGE
    assert service.requests[1].headers["authorization"] == f"Bearer {given}"
    assert load(tmp_path) is None
