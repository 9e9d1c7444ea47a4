"""`xylem credential …`: OSMO's requests, byte for byte, and no secret in what is printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.clients.answers import Service
from tests.unit.clients.cli.world import xylem

LIST = "GET /api/credentials"
SECRET = "hunter2-hunter2"
TWO = {
    "credentials": [
        {"cred_name": "reg", "cred_type": "REGISTRY", "profile": "nvcr.io"},
        {"cred_name": "c1", "cred_type": "GENERIC", "profile": None},
    ]
}


def setting(
    *arguments: str, name: str = "c1", stdin: str = "", config: Path = Path("/dev/null/none")
) -> tuple[Any, Any]:
    """What was said, and what was sent."""
    service = Service({f"POST /api/credentials/{name}": json.loads("null")})
    environ = {"XYLEM_URL": "https://xylem.example", "XYLEM_CONFIG_DIR": str(config)}
    said = xylem("credential", "set", *arguments, service=service, stdin=stdin, environ=environ)
    sent = [json.loads(request.content) for request in service.requests]
    return said, sent


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("c1", "--payload", "a=b"), {"generic_credential": {"credential": {"a": "b"}}}),
        (
            ("c1", "--payload", "a=b=c", "d="),
            {"generic_credential": {"credential": {"a": "b=c", "d": ""}}},
        ),
        (
            ("--payload", "a=b", "c=d", "--type", "GENERIC", "c1"),
            {"generic_credential": {"credential": {"a": "b", "c": "d"}}},
        ),
        (
            ("c1", "--type", "REGISTRY", "--payload", "registry=nvcr.io", "username=u", "auth=p"),
            {"registry_credential": {"registry": "nvcr.io", "username": "u", "auth": "p"}},
        ),
        (
            (
                "c1",
                "--type",
                "data",
                "--payload",
                "endpoint=s3://bucket/",
                "access_key_id=a",
                "access_key=b",
                "--payload",
                "region=us-east-1",
                "--no-check",
            ),
            {
                "data_credential": {
                    "endpoint": "s3://bucket",
                    "access_key_id": "a",
                    "access_key": "b",
                    "region": "us-east-1",
                }
            },
        ),
    ],
)
def test_a_credential_is_sent_as_osmos_client_sends_it(
    arguments: tuple[str, ...], body: dict[str, Any], tmp_path: Path
) -> None:
    said, sent = setting(*arguments, config=tmp_path)

    assert (said.code, sent) == (0, [body])


def test_values_come_from_files_and_from_standard_input(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text(f"{SECRET}\n")

    said, sent = setting("c1", "--payload-file", f"a={key}", "b=-", stdin="line 1\nline 2\n")

    assert sent == [{"generic_credential": {"credential": {"a": SECRET, "b": "line 1\nline 2"}}}]
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("c1",), "--payload KEY=VALUE"),
        (("c1", "--payload", SECRET), "KEY=VALUE"),
        (("c1", "--payload", f"={SECRET}"), "KEY=VALUE"),
        (("c1", "--payload", "a=b", "--payload-file", "a=-"), "a is given twice"),
        (("c1", "--payload-file", "a=/nowhere/at/all"), "cannot be read"),
        (("c1", "--type", "REGISTRY", "--payload", f"password={SECRET}"), "password: a REGISTRY"),
    ],
)
def test_what_cannot_be_sent_is_said_without_the_secret(
    arguments: tuple[str, ...], says: str
) -> None:
    said, sent = setting(*arguments)

    assert (said.code, sent) == (2, [])
    assert says in said.err
    assert SECRET not in said.out + said.err


def test_credentials_are_listed() -> None:
    said = xylem("credential", "list", answers={LIST: TWO})

    assert said.code == 0
    assert [line.split() for line in said.out.splitlines()] == [
        ["Name", "Type", "Profile"],
        ["reg", "REGISTRY", "nvcr.io"],
        ["c1", "GENERIC"],
    ]


def test_the_format_may_stand_before_the_word_as_osmo_has_it() -> None:
    said = xylem("credential", "--format-type", "json", "list", answers={LIST: TWO})

    assert json.loads(said.out) == TWO


def test_none_is_no_error() -> None:
    said = xylem("credential", "list", answers={LIST: {"credentials": []}})

    assert said.code == 0
    assert "xylem credential set" in said.out


def test_one_is_deleted() -> None:
    gone = {"credentials": [TWO["credentials"][1]]}
    said = xylem("credential", "delete", "c1", answers={"DELETE /api/credentials/c1": gone})

    assert (said.code, said.out) == (0, "Deleted credential c1.\n")


def test_who_sets_a_secret_that_is_too_short_to_be_masked_is_told_so() -> None:
    said, _ = setting("c1", "--payload", "short=1234567", f"long={SECRET}")

    assert said.err.splitlines() == [
        "Warning: short has fewer than 8 characters: it is not masked where a task prints it."
    ]


def test_an_address_is_no_secret_however_short_it_is() -> None:
    said, _ = setting(
        *("c1", "--type", "REGISTRY", "--payload"),
        *("registry=x.io", "username=u", f"auth={SECRET}"),
    )

    assert said.err == ""
