"""Who has no token of ours, or one of another kind, does not pass; nothing is said of why in the
answer, and no traceback of it in the log."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import BACKEND, an_attempt
from tests.contract.conftest import create_tables
from tests.unit.functions.environment import KEYS_PATH, Context, deployed
from xylem.domain.access import USER
from xylem.domain.errors import Unauthenticated
from xylem.domain.identity import TOKEN_LIFE
from xylem.domain.ids import UserName
from xylem_aws.bootstrap import ports
from xylem_aws.identity import Signer
from xylem_aws.keys import ensure_keys, read_keys
from xylem_aws.task_tokens import HmacTaskTokens

HERE = "https://api.here.test"
HOUR = timedelta(hours=1)
ALICE = UserName("alice")


@dataclass(frozen=True, slots=True)
class Keys:
    here: Signer
    elsewhere: Signer
    tasks: HmacTaskTokens


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    """The authorizer's own environment, as its function has it, and who signs for it."""
    with deployed("authorizer", API_URL=HERE, IDENTITY_TABLE="identity") as ssm:
        create_tables({"identity": "identity"})
        ensure_keys(ssm, "/xylem/other/keys")
        signing = read_keys(ssm, KEYS_PATH, "signing")
        yield Keys(
            here=Signer(signing, HERE),
            elsewhere=Signer(signing, "https://api.elsewhere.test"),
            tasks=HmacTaskTokens(read_keys(ssm, KEYS_PATH, "hmac")),
        )


def ask(token: str | None, **headers: str) -> dict[str, Any]:
    from functions.authorizer.handler import http  # noqa: PLC0415 - its logger reads the environment

    given = {"Authorization": f"Bearer {token}"} if token is not None else {}
    answer: dict[str, Any] = http({"headers": {**given, **headers}}, Context("authorizer"))
    return answer


def a_token(keys: Keys, life: timedelta = HOUR) -> str:
    return keys.here.user(ALICE, [USER], life=life, now=datetime.now(UTC))


def a_part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def test_a_person_with_a_token_of_ours_passes_as_who_it_names(keys: Keys) -> None:
    answer = ask(a_token(keys))

    assert answer == {
        "isAuthorized": True,
        "context": {"kind": "user", "subject": "alice", "roles": USER},
    }


def test_a_token_of_some_minutes_is_checked_without_reading_a_row(keys: Keys) -> None:
    ports().__dict__.pop("identity", None)

    assert ask(a_token(keys, TOKEN_LIFE))["isAuthorized"] is True
    assert "identity" not in vars(ports())


def test_no_token_opens_nothing(keys: Keys, capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(None) == {"isAuthorized": False}
    assert ask(None, **{"x-osmo-user": "alice"}) == {"isAuthorized": False}, "only in `local`"
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_token_that_has_expired_opens_nothing(keys: Keys) -> None:
    assert ask(a_token(keys, -timedelta(seconds=1))) == {"isAuthorized": False}


def test_a_token_of_another_deployment_opens_nothing(keys: Keys) -> None:
    other = keys.elsewhere.user(ALICE, [USER], life=HOUR, now=datetime.now(UTC))

    assert ask(other) == {"isAuthorized": False}


def test_an_operators_token_does_not_pass_for_a_persons(keys: Keys) -> None:
    answer = ask(keys.here.operator(BACKEND, life=HOUR, now=datetime.now(UTC)))

    assert answer["isAuthorized"] is False


def test_a_tasks_token_does_not_pass_for_a_persons(keys: Keys) -> None:
    answer = ask(keys.tasks.sign(an_attempt(), expires=datetime.now(UTC) + HOUR))

    assert answer == {"isAuthorized": False}


def test_a_token_whose_claims_were_changed_opens_nothing(keys: Keys) -> None:
    head, claims, signature = a_token(keys).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    better = a_part(json.dumps(said | {"roles": ["osmo-admin"]}))

    assert ask(f"{head}.{better}.{signature}") == {"isAuthorized": False}


RS256 = a_part('{"alg":"RS256","kid":"k"}')


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        "é.é.é",
        "\udcff.a.b",
        a_part("[]") + ".e30.x",
        a_part("[" * 4000) + ".e30.x",
        RS256 + "." + a_part("[" * 4000) + ".AA",
        a_part('{"alg":"none"}') + ".e30.",
        a_part('{"alg":1,"kid":{"a":[]}}') + ".e30.AA",
        a_part('{"alg":"RS256","kid":"k","crit":5}') + ".e30.AA",
        a_part('{"kid":' + "9" * 5000 + "}") + ".e30.AA",
        "." * 5000,
    ],
    ids=lambda token: ascii(token[:20]),
)
def test_what_is_no_token_is_refused_without_a_traceback(
    keys: Keys, capfd: pytest.CaptureFixture[str], token: str
) -> None:
    assert ask(token) == {"isAuthorized": False}
    with pytest.raises(Unauthenticated):
        keys.tasks.verify(token, datetime.now(UTC))
    assert "Traceback" not in "".join(capfd.readouterr())
