"""The login: who may read it, what goes before it, and what is refused as one."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from clients.sdk.errors import BadInput
from clients.sdk.login import Login, checked_url, current_login, load, store, token_expiry

LOGIN = Login(url="https://xylem.example", token="secret", pool="default")


def test_a_stored_login_comes_back_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = store(LOGIN, tmp_path / "config")

    assert load(tmp_path / "config") == LOGIN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_login_over_one_that_others_could_read_is_private(tmp_path: Path) -> None:
    (tmp_path / "login.json").write_text("{}")
    (tmp_path / "login.json").chmod(0o644)

    path = store(LOGIN, tmp_path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["login.json"]


def test_the_environment_goes_before_the_stored_login(tmp_path: Path) -> None:
    store(LOGIN, tmp_path)
    environ = {"XYLEM_CONFIG_DIR": str(tmp_path)}

    assert current_login(environ) == LOGIN
    assert current_login(
        environ | {"XYLEM_URL": "https://ci.example/", "XYLEM_TOKEN": "t"}
    ) == Login(url="https://ci.example", token="t")


def test_no_login_is_none_and_a_broken_one_says_which_file(tmp_path: Path) -> None:
    assert load(tmp_path) is None

    (tmp_path / "login.json").write_text("{")
    with pytest.raises(BadInput, match="login.json"):
        load(tmp_path)


@pytest.mark.parametrize("url", ["http://[::1", "https://x:foo", "https://x:99999", "foo", ""])
def test_what_is_no_address_is_refused_wherever_it_stands(url: str, tmp_path: Path) -> None:
    (tmp_path / "login.json").write_text(f'{{"url": "{url}"}}')

    with pytest.raises(BadInput, match="not the address"):
        Login(url=url)
    with pytest.raises(BadInput, match="login.json"):
        load(tmp_path)


@pytest.mark.parametrize("token", ["sec\nret", "sécret", "secret\r"])
def test_a_token_that_no_request_can_carry_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(BadInput, match="copied") as refused:
        Login(url="https://xylem.example", token=token)

    assert token not in str(refused.value)


def test_tokens_do_not_travel_in_clear_but_on_this_machine() -> None:
    assert checked_url("http://127.0.0.1:4566/x/") == "http://127.0.0.1:4566/x"
    with pytest.raises(BadInput, match="https"):
        checked_url("http://xylem.example")
    with pytest.raises(BadInput, match="address"):
        checked_url("xylem.example")


def test_a_token_says_when_it_ends_and_what_is_no_token_does_not() -> None:
    ends = datetime(2026, 12, 1, tzinfo=UTC)
    token = jwt.encode({"exp": int(ends.timestamp())}, "k" * 32, algorithm="HS256")

    assert token_expiry(token) == ends
    for other in ("", "a.b", "a.b.c", jwt.encode({}, "k" * 32, algorithm="HS256")):
        assert token_expiry(other) is None
