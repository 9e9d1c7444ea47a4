"""What is no good token opens nothing, and a good one nothing after it was called back."""

import ast
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest

from tests.builders import BACKEND
from tests.unit.security.front_door import (
    HERE,
    HOUR,
    MINUTES,
    NEXT_YEAR,
    FrontDoor,
    allowing,
    denying,
    keys,
)
from xylem.domain.access import ADMIN, USER
from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import UserName
from xylem_aws.identity import Signer
from xylem_aws.keys import KeyRing, new_signing_keys, public_halves

PROFILE = "/api/profile/settings"


def claims_of(door: FrontDoor, **changes: Any) -> dict[str, Any]:
    now = int(door.world.clock().timestamp())
    said = {"iss": HERE, "aud": "xylem", "sub": "root", "roles": [ADMIN], "iat": now}
    return {**said, "exp": now + 300, **changes}


def signed(claims: dict[str, Any], ring: KeyRing | None = None, **header: Any) -> str:
    ring = ring or keys()
    given = {"kid": ring.active, **header}
    return jwt.encode(claims, ring.keys[ring.active], algorithm="RS256", headers=given)


def a_part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def refused(door: FrontDoor, token: str) -> bool:
    """At both doors."""
    with pytest.raises(Unauthenticated):
        door.dial(token)
    return door.ask("GET", PROFILE, token=token).status == 401


def test_the_token_that_the_others_are_compared_with_opens_the_door() -> None:
    door = FrontDoor()

    assert door.ask("GET", PROFILE, token=signed(claims_of(door))).status == 200


def test_an_expired_token_opens_nothing() -> None:
    door = FrontDoor()
    token = door.token("alice", life=MINUTES)

    door.world.later(MINUTES)

    assert refused(door, token)


@pytest.mark.parametrize("audience", ["xylem-task", "another-service", ["x", "y"], None, 5])
def test_a_token_for_another_audience_opens_nothing(audience: Any) -> None:
    door = FrontDoor()
    claims = claims_of(door, aud=audience)
    header = {"alg": "RS256", "kid": keys().active}
    text = jwt.api_jws.encode(
        json.dumps(claims).encode(), keys().keys[keys().active], "RS256", header
    )

    assert refused(door, text)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_that_names_no_algorithm_opens_nothing(alg: str) -> None:
    door = FrontDoor()
    head = a_part({"alg": alg, "kid": keys().active, "typ": "JWT"})

    for signature in ("", "AA"):
        assert refused(door, f"{head}.{a_part(claims_of(door))}.{signature}")


def test_a_token_signed_with_our_public_key_as_a_secret_opens_nothing() -> None:
    """The classic confusion of RS256 with HS256."""
    door = FrontDoor()
    public = public_halves(keys()).keys[keys().active]
    said = f"{a_part({'alg': 'HS256', 'kid': keys().active})}.{a_part(claims_of(door))}"
    mac = hmac.digest(public.encode(), said.encode(), hashlib.sha256)

    assert refused(door, f"{said}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


def test_a_token_signed_with_another_key_under_our_keys_name_opens_nothing() -> None:
    door, theirs = FrontDoor(), new_signing_keys()

    assert refused(door, signed(claims_of(door), theirs))
    assert refused(door, signed(claims_of(door), theirs, kid=keys().active))


def test_a_token_that_brings_its_own_key_is_not_checked_with_that() -> None:
    door, theirs = FrontDoor(), new_signing_keys()
    theirs_public = Signer(theirs, HERE).public_keys()[theirs.active]
    brought = {"jwk": dict(theirs_public), "jku": f"{HERE}/keys", "x5u": f"{HERE}/certificate"}

    assert refused(door, signed(claims_of(door), theirs, kid=keys().active, **brought))


@pytest.mark.parametrize("lacking", ["exp", "iat", "iss", "aud", "sub", "roles"])
def test_a_token_that_lacks_a_claim_opens_nothing(lacking: str) -> None:
    door = FrontDoor()
    claims = claims_of(door)
    del claims[lacking]

    assert refused(door, signed(claims))


def test_an_access_token_itself_is_no_bearer_token() -> None:
    """OSMO's documentation says that it is; what lies in a header at each request leaks sooner."""
    door = FrontDoor()
    secret = door.access_token(door.token("alice"))

    assert refused(door, secret)


# After revocation ---------------------------------------------------------------------------------


def called_back(door: FrontDoor, name: str) -> None:
    answer = door.ask("POST", f"/api/auth/user/{name}/sign-out", token=door.root)
    assert (answer.status, answer.body) == (200, None)


def test_a_deleted_access_token_is_exchanged_no_more_and_what_it_gave_ends_in_minutes() -> None:
    door = FrontDoor()
    alice = door.token("alice")
    secret = door.access_token(alice)
    given = door.exchanged(secret).body["token"]

    assert door.ask("DELETE", "/api/auth/access_token/ci", token=alice).status == 200

    assert door.exchanged(secret).status == 400
    with pytest.raises(Unauthenticated):
        door.dial(given)
    door.world.later(MINUTES)
    assert refused(door, given)


def test_a_name_that_is_given_again_does_not_revive_the_secret_before() -> None:
    door = FrontDoor()
    alice = door.token("alice")
    old = door.access_token(alice)
    door.ask("DELETE", "/api/auth/access_token/ci", token=alice)

    new = door.access_token(alice)

    assert door.exchanged(old).status == 400
    assert door.exchanged(new).status == 200


def test_a_token_that_was_called_back_opens_nothing_and_a_later_one_does() -> None:
    door = FrontDoor()
    old = door.token("alice", life=30 * 24 * HOUR)
    assert door.ask("GET", PROFILE, token=old).status == 200

    called_back(door, "alice")

    assert refused(door, old)
    door.world.later(timedelta(seconds=1))
    assert door.ask("GET", PROFILE, token=door.token("alice", life=HOUR)).status == 200


def test_what_was_signed_for_a_user_who_was_deleted_does_not_outlive_him() -> None:
    door = FrontDoor()
    door.user("alice", USER)
    old = door.token("alice", life=30 * 24 * HOUR)

    assert door.ask("DELETE", "/api/auth/user/alice", token=door.root).status == 200

    assert refused(door, old)
    door.user("alice", USER)
    assert refused(door, old), "who has the name after him does not inherit it either"


def ends_a_token(door: FrontDoor) -> None:
    door.ask("DELETE", "/api/auth/access_token/ci", token=door.token("alice"))


def ends_a_role(door: FrontDoor) -> None:
    door.ask("DELETE", f"/api/auth/user/alice/roles/{USER}", token=door.root)


def ends_a_user(door: FrontDoor) -> None:
    door.ask("DELETE", "/api/auth/user/alice", token=door.root)


@pytest.mark.parametrize(
    "ends", [ends_a_token, ends_a_role, ends_a_user, lambda door: called_back(door, "alice")]
)
def test_whose_rights_end_loses_his_open_sockets_and_nobody_else_does(
    ends: Callable[[FrontDoor], None],
) -> None:
    door = FrontDoor()
    door.user("alice", USER)
    door.access_token(door.token("alice"))
    door.dial(door.token("alice", life=HOUR), "hers-1")
    door.dial(door.token("alice", life=HOUR), "hers-2")
    door.dial(door.token("bob", life=HOUR), "his")

    ends(door)

    assert door.world.links.hung_up == {"hers-1", "hers-2"}


def test_nobody_but_who_manages_users_calls_anybody_back() -> None:
    door = FrontDoor()
    token = door.token("eve", life=HOUR)

    for name in ("root", "eve"):
        path = f"/api/auth/user/{name}/sign-out"
        assert door.ask("POST", path, token=token).status == 403
    assert door.ask("GET", PROFILE, token=token).status == 200


def test_an_operators_token_is_refused_where_people_come_in() -> None:
    door = FrontDoor()
    token = door.signer.operator(BACKEND, life=HOUR, now=door.world.clock())

    assert door.ask("GET", PROFILE, token=token).status == 403


# Tokens that would make more of themselves --------------------------------------------------------


def test_a_token_makes_no_token_that_has_more_roles_or_outlives_it() -> None:
    door = FrontDoor()
    door.role("team", allowing("config:Read"))
    door.user("alice", USER, "team")
    less = door.access_token(door.token("alice"), query=f"expires_at=2026-07-01&roles={USER}")
    given = door.exchanged(less).body["token"]

    def made(query: str) -> int:
        path = "/api/auth/access_token/next"
        return door.ask("POST", path, token=given, query=query).status

    assert made("expires_at=2026-06-20&roles=team") == 400
    assert made("expires_at=2026-07-02") == 400
    assert made("expires_at=2026-07-01") == 200
    tokens = door.world.identity.tokens(UserName("alice"))
    assert {one.name: one.role_names for one in tokens} == {"ci": {USER}, "next": {USER}}


def test_a_deleted_token_makes_no_successor_in_the_minutes_that_it_has_left() -> None:
    door = FrontDoor()
    alice = door.token("alice")
    given = door.exchanged(door.access_token(alice)).body["token"]
    door.ask("DELETE", "/api/auth/access_token/ci", token=alice)

    answer = door.ask("POST", "/api/auth/access_token/next", token=given, query=NEXT_YEAR)

    assert answer.status == 400
    assert door.world.identity.tokens(UserName("alice")) == []


def test_a_denial_is_not_laid_aside_by_a_token_that_asks_for_less() -> None:
    door = FrontDoor()
    door.role("no-cancel", denying("workflow:Cancel"))
    door.user("alice", USER, "no-cancel")
    path, alice = "/api/auth/access_token/ci", door.token("alice", USER, "no-cancel")

    less = door.ask("POST", path, token=alice, query=f"{NEXT_YEAR}&roles={USER}")

    assert less.status == 400 and "no-cancel" in less.body["message"]
    assert door.ask("POST", path, token=alice, query=NEXT_YEAR).status == 200


@pytest.mark.parametrize("role", [USER, None])
def test_nobody_mints_a_token_for_another(role: str | None) -> None:
    door = FrontDoor()
    door.user("root", ADMIN)
    path = "/api/auth/user/root/access_token/mine"
    eve = door.token("eve", *([role] if role else ["osmo-ctrl", "osmo-backend"]))

    for method in ("GET", "POST", "DELETE"):
        where = path if method != "GET" else path.rpartition("/")[0]
        assert door.ask(method, where, token=eve, query=NEXT_YEAR).status == 403
    assert door.world.identity.tokens(UserName("root")) == []


def test_a_manager_of_users_mints_no_token_for_who_may_more_than_he() -> None:
    door = FrontDoor()
    door.role("manager", allowing("user:Manage"))
    door.user("root", ADMIN)
    door.user("ci", "manager")
    manager = door.token("mallory", "manager")

    def minted(name: str) -> int:
        path = f"/api/auth/user/{name}/access_token/mine"
        return door.ask("POST", path, token=manager, query=NEXT_YEAR).status

    assert minted("root") == 403
    assert minted("ci") == 200
    assert door.world.identity.tokens(UserName("root")) == []


# How secrets are compared -------------------------------------------------------------------------


def test_how_long_a_wrong_token_takes_tells_nothing_of_a_right_one(
    pytestconfig: pytest.Config,
) -> None:
    """An access token is found by its hash, which a guess does not steer; what is compared, is by
    `hmac.compare_digest`. So no module that handles secrets compares one by `==`."""
    secret = {"digest", "mac", "given", "signature", "secret", "shown", "token"}
    layers = pytestconfig.rootpath / "layers"
    found = []
    for module in (
        "core/python/xylem/domain/registration.py",
        "core/python/xylem/usecases/session_tokens.py",
        "core/python/xylem/usecases/users.py",
        "aws/python/xylem_aws/task_tokens.py",
        "aws/python/xylem_aws/users.py",
        "aws/python/xylem_aws/identity.py",
    ):
        for node in ast.walk(ast.parse((layers / module).read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                names = {
                    part.id if isinstance(part, ast.Name) else part.attr
                    for part in (node.left, *node.comparators)
                    if isinstance(part, ast.Name | ast.Attribute)
                }
                if names & secret:
                    found.append((module, ast.unparse(node)))

    # What an admin registers again is no secret of the one who asks: he brings it.
    assert found == [("core/python/xylem/domain/registration.py", "known.digest == digest")]
