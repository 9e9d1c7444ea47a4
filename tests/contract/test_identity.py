"""Keys are made once; tokens open what they are for, and nothing else."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import jwt
import pytest
from moto import mock_aws

from tests.builders import BACKEND, NOON, an_attempt
from xylem.domain.access import ADMIN, Principal
from xylem.domain.errors import Unauthenticated, Unavailable
from xylem.domain.ids import UserName
from xylem_aws import clients
from xylem_aws.identity import Signer, Verifier
from xylem_aws.keys import (
    KEPT,
    FreshKeys,
    KeyRing,
    Purpose,
    ensure_keys,
    read_keys,
    rotate,
)
from xylem_aws.task_tokens import HmacTaskTokens

PATH = "/xylem/test/keys"
HERE = "https://api.here.test"
HOUR = timedelta(hours=1)
ALICE = UserName("alice")
NUMBERS = count(1)


PURPOSES: tuple[Purpose, ...] = ("signing", "verifying", "hmac", "sessions", "credentials")


@pytest.fixture(scope="module")
def rings() -> Iterator[dict[str, KeyRing]]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        ssm = clients.ssm("us-east-1")
        with pytest.raises(Unavailable, match=f"no key at {PATH}/signing"):
            read_keys(ssm, PATH, "signing")
        ensure_keys(ssm, PATH)
        made = {purpose: read_keys(ssm, PATH, purpose) for purpose in PURPOSES}
        ensure_keys(ssm, PATH)
        again = {purpose: read_keys(ssm, PATH, purpose) for purpose in PURPOSES}
        assert made == again, "who comes second makes nothing"
        ssm.delete_parameter(Name=f"{PATH}/verifying")
        ensure_keys(ssm, PATH)
        assert read_keys(ssm, PATH, "verifying") == made["verifying"], "made of the other half"
        kinds = {
            found["Name"]: found["Type"]
            for found in ssm.describe_parameters()["Parameters"]
            if "Name" in found and "Type" in found
        }
        assert kinds == {f"{PATH}/{purpose}": "SecureString" for purpose in PURPOSES}
        yield {str(purpose): ring for purpose, ring in made.items()}


@pytest.fixture
def signer(rings: dict[str, KeyRing]) -> Signer:
    return Signer(rings["signing"], HERE)


@pytest.fixture
def verifier(rings: dict[str, KeyRing]) -> Verifier:
    return Verifier(lambda kid, now: rings["verifying"], HERE)


def test_what_checks_tokens_cannot_sign_them(rings: dict[str, KeyRing]) -> None:
    assert all("PRIVATE" not in key for key in rings["verifying"].keys.values())


def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        verifier.verify(token, NOON)
    assert not token or token not in str(refused.value)
    return str(refused.value)


def test_a_persons_token_says_who_it_is_and_which_roles(signer: Signer, verifier: Verifier) -> None:
    token = signer.user(ALICE, [ADMIN], life=HOUR, now=NOON)

    assert verifier.verify(token, NOON) == Principal(
        "user", ALICE, frozenset({ADMIN}), signed_at=NOON, until=NOON + HOUR
    )


def test_an_operators_token_is_for_one_backend(signer: Signer, verifier: Verifier) -> None:
    found = verifier.verify(signer.operator(BACKEND, life=HOUR, now=NOON), NOON)

    assert (found.kind, found.backend, found.roles) == ("operator", BACKEND, frozenset())


def test_a_token_is_good_until_it_expires(signer: Signer, verifier: Verifier) -> None:
    token = signer.user(ALICE, [], life=HOUR, now=NOON - HOUR)

    assert verifier.verify(token, NOON - timedelta(seconds=1)).subject == ALICE
    assert "expired" in refusal(verifier, token)


def test_a_token_of_another_deployment_opens_nothing(
    rings: dict[str, KeyRing], verifier: Verifier
) -> None:
    there = Signer(rings["signing"], "https://api.there.test")

    assert "issuer" in refusal(verifier, there.user(ALICE, [ADMIN], life=HOUR, now=NOON))


def test_a_tasks_token_opens_nothing_of_people_nor_theirs_of_a_task(
    rings: dict[str, KeyRing], signer: Signer, verifier: Verifier
) -> None:
    tokens = HmacTaskTokens(rings["hmac"])

    refusal(verifier, tokens.sign(an_attempt(), expires=NOON + HOUR))
    for token in (
        signer.user(ALICE, [ADMIN], life=HOUR, now=NOON),
        signer.operator(BACKEND, life=HOUR, now=NOON),
    ):
        with pytest.raises(Unauthenticated, match="key that is not ours"):
            tokens.verify(token, NOON)


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "e30.e30.e30", "é.é.é"])
def test_what_is_no_token_is_refused(verifier: Verifier, token: str) -> None:
    refusal(verifier, token)


def test_nobody_chooses_the_algorithm_but_we(rings: dict[str, KeyRing], verifier: Verifier) -> None:
    ring = rings["signing"]
    claims = {"iss": HERE, "aud": "xylem", "sub": "mallory", "roles": [ADMIN], "exp": 2**40}
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": ring.active})

    refusal(verifier, unsigned)


def test_a_changed_token_is_refused(signer: Signer, verifier: Verifier) -> None:
    head, claims, signature = signer.user(ALICE, [], life=HOUR, now=NOON).split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    more = base64.urlsafe_b64encode(json.dumps({**said, "roles": [ADMIN]}).encode()).decode()

    assert "Signature" in refusal(verifier, f"{head}.{more.rstrip('=')}.{signature}")


def test_old_keys_verify_until_they_are_removed(rings: dict[str, KeyRing]) -> None:
    old = HmacTaskTokens(rings["hmac"]).sign(an_attempt(), expires=NOON + HOUR)
    new = KeyRing("new", {**rings["hmac"].keys, "new": base64.b64encode(b"n" * 32).decode()})
    only = KeyRing("new", {"new": new.keys["new"]})

    assert HmacTaskTokens(KeyRing.load(new.dump())).verify(old, NOON) == an_attempt()
    with pytest.raises(Unauthenticated, match="key that is not ours"):
        HmacTaskTokens(only).verify(old, NOON)


def test_a_tasks_token_is_a_web_token_like_any_other(rings: dict[str, KeyRing]) -> None:
    ring = rings["hmac"]
    key = base64.b64decode(ring.keys[ring.active])
    token = HmacTaskTokens(ring).sign(an_attempt(), expires=NOON + HOUR)
    options = {"verify_exp": False}

    claims = jwt.decode(token, key, ["HS256"], audience="xylem-task", options=options)  # type: ignore[arg-type]

    assert (claims["workflow"], claims["retry"]) == ("hello-1", 0)
    assert (
        HmacTaskTokens(ring).verify(jwt.encode(claims, key, "HS256", {"kid": ring.active}), NOON)
        == an_attempt()
    )


# Rotation -----------------------------------------------------------------------------------------


class Rotating:
    """A deployment of its own, whose keys change, with who signs and who checks there."""

    def __init__(self) -> None:
        self.ssm = clients.ssm("us-east-1")
        self.path = f"{PATH}/rotating/{next(NUMBERS)}"
        ensure_keys(self.ssm, self.path)
        self.reads = 0
        self.now = NOON
        keys = FreshKeys(self._read)
        self.verifier = Verifier(lambda kid, now: keys.ring(now, naming=kid), HERE)

    def _read(self) -> KeyRing:
        self.reads += 1
        return read_keys(self.ssm, self.path, "verifying")

    def token(self) -> str:
        signer = Signer(read_keys(self.ssm, self.path, "signing"), HERE)
        return signer.user(ALICE, [ADMIN], life=HOUR, now=self.now)

    def opens(self, token: str) -> bool:
        try:
            return self.verifier.verify(token, self.now).subject == ALICE
        except Unauthenticated:
            return False


@pytest.fixture
def rotating(rings: dict[str, KeyRing]) -> Rotating:
    assert rings, "the mocked AWS is there"
    return Rotating()


def test_a_token_of_a_new_key_is_good_at_once_and_one_of_the_old_until_the_next(
    rotating: Rotating,
) -> None:
    old = rotating.token()
    assert rotating.opens(old)

    rotating.now += timedelta(seconds=11)
    rotate(rotating.ssm, rotating.path)
    new = rotating.token()
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    assert rotating.opens(new) and rotating.opens(old)

    rotate(rotating.ssm, rotating.path)
    rotating.now += KEPT + timedelta(seconds=1)
    assert not rotating.opens(old)
    assert rotating.opens(new)


def test_a_key_that_others_know_is_believed_no_more_after_minutes(rotating: Rotating) -> None:
    old = rotating.token()
    assert rotating.opens(old)

    ring = rotate(rotating.ssm, rotating.path, at_once=True)
    rotating.now += KEPT + timedelta(seconds=1)

    assert not rotating.opens(old)
    assert rotating.opens(rotating.token())
    assert list(ring.keys) == [ring.active]
    assert list(read_keys(rotating.ssm, rotating.path, "verifying").keys) == [ring.active]


def test_tokens_of_unheard_of_keys_do_not_make_us_read_again_and_again(rotating: Rotating) -> None:
    assert rotating.opens(rotating.token())
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"unheard-of"}').rstrip(b"=").decode()

    for _ in range(50):
        assert not rotating.opens(f"{head}.e30.AA")

    assert rotating.reads == 1


def test_a_rotated_ring_fits_its_parameter(rotating: Rotating) -> None:
    """4 KB: docs.aws.amazon.com/general/latest/gr/ssm.html, "Parameter Store quotas"."""
    for _ in range(3):
        ring = rotate(rotating.ssm, rotating.path)

    assert len(ring.keys) == 2
    for purpose in ("signing", "verifying"):
        assert len(read_keys(rotating.ssm, rotating.path, purpose).dump()) <= 4096
