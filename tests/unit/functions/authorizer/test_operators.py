"""Who dials in as an operator: with the credential that was registered, or with a token that is
younger than what an admin decided last."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import BACKEND
from tests.contract.conftest import create_tables
from tests.unit.functions.environment import KEYS_PATH, Context, deployed
from xylem.domain.access import USER, operator_name
from xylem.domain.ids import UserName
from xylem.domain.registration import Registration, credential_text, digest_of
from xylem.domain.values import replace
from xylem_aws.bootstrap import ports
from xylem_aws.identity import Signer
from xylem_aws.keys import read_keys

HERE = "https://api.here.test"
HOUR = timedelta(hours=1)
CREDENTIAL = credential_text(BACKEND, "secret")


@dataclass(frozen=True, slots=True)
class Deployed:
    signer: Signer

    def token(self, *, ago: timedelta = timedelta()) -> str:
        now = datetime.now(UTC)
        return self.signer.operator(BACKEND, life=HOUR + ago, now=now - ago)


@pytest.fixture
def here() -> Iterator[Deployed]:
    tables = {"backends": "backends", "identity": "identity"}
    settings = {f"{name.upper()}_TABLE": table for name, table in tables.items()}
    with deployed("authorizer", API_URL=HERE, **settings) as ssm:
        create_tables(tables)
        yield Deployed(Signer(read_keys(ssm, KEYS_PATH, "signing"), HERE))


def dial(token: str) -> dict[str, Any]:
    from functions.authorizer.handler import websocket  # noqa: PLC0415 - its logger reads the environment

    event = {"headers": {"Authorization": f"Bearer {token}"}, "methodArn": "arn:aws:x"}
    answer: dict[str, Any] = websocket(event, Context("authorizer"))
    return answer


def passes(token: str) -> bool:
    try:
        return bool(dial(token)["policyDocument"]["Statement"][0]["Effect"] == "Allow")
    except Exception as refused:
        assert str(refused) == "Unauthorized"
        return False


def registered(**fields: Any) -> Registration:
    known = ports().backends.registration(BACKEND)
    fresh = Registration(BACKEND, digest=digest_of(CREDENTIAL), since=datetime.now(UTC))
    after = replace(known or replace(fresh, version=0), **fields)
    ports().backends.register(replace(after, version=after.version + 1))
    return after


def test_the_credential_passes_as_the_operator_of_its_backend(here: Deployed) -> None:
    assert not passes(CREDENTIAL), "nobody registered it yet"
    registered()

    answer = dial(CREDENTIAL)

    assert answer["context"] == {
        "kind": "operator",
        "subject": operator_name(BACKEND),
        "roles": "",
        "backend": BACKEND,
    }
    assert not passes(CREDENTIAL + "x")
    assert not passes(CREDENTIAL.replace(BACKEND, "another"))


def test_a_renewed_or_removed_credential_passes_no_more(here: Deployed) -> None:
    registered()
    registered(digest=digest_of("another"))
    assert not passes(CREDENTIAL)

    registered(digest=digest_of(CREDENTIAL))
    assert passes(CREDENTIAL)

    registered(state="removed", digest=None)
    assert not passes(CREDENTIAL)


def test_a_token_passes_until_an_admin_says_the_next_word(here: Deployed) -> None:
    old = here.token(ago=timedelta(minutes=2))
    assert passes(old)

    registered(since=datetime.now(UTC) - timedelta(minutes=1))

    assert not passes(old)
    assert passes(here.token())


def test_people_are_let_in_unless_they_were_called_back_since(here: Deployed) -> None:
    token = here.signer.user(UserName("alice"), [USER], life=HOUR, now=datetime.now(UTC))
    assert dial(token)["context"]["kind"] == "user"

    ports().identity.sign_out(UserName("alice"), datetime.now(UTC))

    assert not passes(token)


def test_an_operators_credential_opens_no_route_of_people(here: Deployed) -> None:
    from functions.authorizer.handler import http  # noqa: PLC0415 - as above

    registered()
    headers = {"Authorization": f"Bearer {CREDENTIAL}"}

    assert http({"headers": headers}, Context("authorizer")) == {"isAuthorized": False}
