"""People whom an identity provider knows: its tokens are verified by issuer, audience and its keys,
over real HTTP, and what they are there becomes roles here."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest

from tests.fakes.provider import CLIENT, Provider, a_provider
from tests.unit.security.front_door import HERE, MINUTES, FrontDoor, allowing
from xylem.domain import provider as trust
from xylem.domain.access import ADMIN, USER
from xylem.domain.errors import Unauthenticated, Unavailable
from xylem.domain.ids import UserName
from xylem.domain.values import replace
from xylem_aws.keys import new_signing_keys
from xylem_aws.provider_keys import KEYS_BELIEVED, KEYS_KEPT, ProviderTokens, dump, fetching, load

PROFILE = "/api/profile/settings"
CAROL = UserName("carol")


class Scene:
    def __init__(self, provider: Provider, **changes: Any) -> None:
        self.provider = provider
        trusted = trust.Provider(
            issuer=provider.url,
            audiences=(CLIENT, "nightly-api"),
            keys_url=f"{provider.url}/keys",
            token_url=f"{provider.url}/token",
            authorize_url=f"{provider.url}/authorize",
            device_url=f"{provider.url}/device",
        )
        self.trusted = load(dump([replace(trusted, **changes)]))
        tokens = ProviderTokens(lambda: self.trusted, fetching(local=True))
        self.door = FrontDoor(providers=tokens)

    def token(self, **claims: Any) -> str:
        return self.provider.token(now=self.door.world.clock().timestamp(), **claims)

    def roles(self, token: str) -> list[str] | None:
        """None: he is not let in."""
        answer = self.door.ask("GET", PROFILE, token=token)
        return list(answer.body["roles"]) if answer.status == 200 else None

    def fetched(self) -> int:
        return self.provider.asked.count("/keys")


@pytest.fixture
def provider() -> Iterator[Provider]:
    with a_provider() as made:
        yield made


@pytest.fixture
def scene(provider: Provider) -> Scene:
    return Scene(provider)


def test_whom_the_provider_knows_comes_in_under_his_name_with_his_roles(scene: Scene) -> None:
    answer = scene.door.ask("GET", PROFILE, token=scene.token(roles=["osmo-user", "unheard-of"]))

    assert answer.body["profile"]["username"] == "carol"
    assert answer.body["roles"] == [USER]
    assert scene.door.dial(scene.token()).roles == {USER}
    [given] = scene.door.world.identity.having(USER)
    assert (given[0], given[1].assigned_by) == (CAROL, "provider")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.test"},
        {"iss": "http://169.254.169.254"},
        {"aud": "another-client"},
        {"aud": []},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"preferred_username": "a b"},
        {"preferred_username": "pool:default"},
        {"preferred_username": "", "sub": ""},
        {"preferred_username": "x" * 200},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_or_names_nobody_opens_nothing(
    scene: Scene, claims: dict[str, Any]
) -> None:
    assert scene.roles(scene.token(**claims)) is None
    with pytest.raises(Unauthenticated):
        scene.door.dial(scene.token(**claims))
    assert set(scene.provider.asked) <= {"/keys"}


def test_an_issuer_that_nobody_trusted_is_never_asked_for_its_keys(provider: Provider) -> None:
    scene = Scene(provider, issuer="https://login.trusted.test")

    assert scene.roles(scene.token()) is None
    assert provider.asked == []


def test_a_token_that_names_addresses_of_keys_has_them_passed_over(scene: Scene) -> None:
    theirs = new_signing_keys()
    claims = jwt.decode(scene.token(), options={"verify_signature": False})
    url = f"{scene.provider.url}/theirs"
    header = {"kid": scene.provider.active, "jku": url, "x5u": url}

    forged = jwt.encode(claims, theirs.keys[theirs.active], "RS256", header)

    assert scene.roles(forged) is None
    assert "/theirs" not in scene.provider.asked


@pytest.mark.parametrize("alg", ["none", "HS256", "HS512", "ES257"])
def test_an_algorithm_with_a_shared_secret_or_without_any_opens_nothing(
    scene: Scene, alg: str
) -> None:
    head, claims, _ = scene.token().split(".")
    said = {"alg": alg, "kid": scene.provider.active}
    head = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()

    assert scene.roles(f"{head}.{claims}.") is None
    assert scene.roles(f"{head}.{claims}.AAAA") is None


def test_a_providers_token_under_our_issuers_name_is_checked_with_our_keys(scene: Scene) -> None:
    assert scene.roles(scene.token(iss=HERE, aud="xylem", roles=[ADMIN])) is None


def test_our_own_token_under_a_providers_name_is_checked_with_its_keys(scene: Scene) -> None:
    said = scene.token(kid=None)
    claims = jwt.decode(said, options={"verify_signature": False})
    ours = new_signing_keys()

    assert scene.roles(jwt.encode(claims, ours.keys[ours.active], "RS256")) is None


# Keys ---------------------------------------------------------------------------------------------


def test_keys_are_fetched_once_for_many_tokens_and_again_when_they_are_old(scene: Scene) -> None:
    for _ in range(5):
        assert scene.roles(scene.token()) == [USER]
    assert scene.fetched() == 1

    scene.door.world.later(KEYS_KEPT + timedelta(seconds=1))

    assert scene.roles(scene.token()) == [USER]
    assert scene.fetched() == 2


def test_a_new_key_is_found_when_its_first_token_comes(scene: Scene) -> None:
    assert scene.roles(scene.token()) == [USER]
    scene.provider.rotate()
    scene.door.world.later(timedelta(seconds=31))

    assert scene.roles(scene.token()) == [USER]


def test_a_key_that_its_provider_took_back_verifies_no_more_once_keys_are_old(scene: Scene) -> None:
    old = scene.token()
    assert scene.roles(old) == [USER]
    scene.provider.rotate(keep=False)

    scene.door.world.later(KEYS_KEPT + timedelta(seconds=1))

    assert scene.roles(old) is None


def test_tokens_of_unheard_of_keys_do_not_make_us_ask_again_and_again(scene: Scene) -> None:
    assert scene.roles(scene.token()) == [USER]
    claims = jwt.decode(scene.token(), options={"verify_signature": False})
    theirs = new_signing_keys()

    for number in range(20):
        header = {"kid": f"unheard-of-{number}"}
        assert scene.roles(jwt.encode(claims, theirs.keys[theirs.active], "RS256", header)) is None

    assert scene.fetched() == 1


def test_a_provider_that_is_away_is_believed_by_its_last_keys_for_a_while(scene: Scene) -> None:
    assert scene.roles(scene.token()) == [USER]
    scene.provider.down = True

    scene.door.world.later(KEYS_KEPT + timedelta(minutes=5))
    assert scene.roles(scene.token()) == [USER]

    scene.door.world.later(KEYS_BELIEVED)
    with pytest.raises(Unavailable):
        scene.door.ask("GET", PROFILE, token=scene.token())


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/keys", "http://localhost.evil.test/", "file:///etc/passwd", "ftp://a/"],
)
def test_keys_are_fetched_from_https_alone_but_for_this_machine_in_a_local_stack(url: str) -> None:
    for local in (True, False):
        with pytest.raises(Unavailable, match="no address of a provider"):
            fetching(local=local)(url)
    with pytest.raises(Unavailable, match="no address of a provider"):
        fetching(local=False)("http://127.0.0.1:1/keys")


def test_a_redirect_of_the_keys_is_not_followed(provider: Provider) -> None:
    query = "response_type=code&code_challenge_method=S256&state=s&redirect_uri=http://192.0.2.1/"

    with pytest.raises(Unavailable, match="cannot be had"):
        fetching(local=True)(f"{provider.url}/authorize?{query}")


# Roles --------------------------------------------------------------------------------------------


def with_role(scene: Scene, sync: str, external: list[str] | None = None) -> None:
    more = {} if external is None else {"external_roles": external}
    scene.door.role("team", allowing("config:Read"), sync_mode=sync, **more)


def test_a_role_is_had_by_whom_the_provider_calls_by_its_outer_names(scene: Scene) -> None:
    with_role(scene, "import", ["ml-engineers", "ml-leads"])

    assert scene.roles(scene.token(roles=["ml-leads"])) == ["team"]
    assert scene.roles(scene.token(roles=["team"])) == ["team"], "and keeps it: it was imported"
    assert scene.roles(scene.token(roles=["team"], preferred_username="dave")) == []


@pytest.mark.parametrize(
    ("sync", "first", "then"),
    [("import", ["team"], ["team"]), ("force", ["team"], []), ("ignore", [], [])],
)
def test_what_the_provider_says_no_more_is_lost_where_a_role_is_forced(
    scene: Scene, sync: str, first: list[str], then: list[str]
) -> None:
    with_role(scene, sync)

    assert scene.roles(scene.token(roles=["team"])) == first
    assert scene.roles(scene.token(roles=[])) == then


def test_a_forced_role_that_is_lost_is_lost_by_his_tokens_too(scene: Scene) -> None:
    with_role(scene, "force")
    secret = scene.door.access_token(scene.token(roles=["team", USER]))

    assert scene.roles(scene.token(roles=[USER])) == [USER]

    given = scene.door.exchanged(secret).body["token"]
    assert scene.roles(given) == [USER]


def test_a_role_that_an_admin_gave_is_his_besides(scene: Scene) -> None:
    with_role(scene, "ignore")
    scene.door.user("carol", "team")

    assert scene.roles(scene.token()) == [USER, "team"]


def test_a_role_that_an_admin_took_is_gone_when_the_gateway_asks_again(scene: Scene) -> None:
    scene.door.user("carol", ADMIN)
    assert scene.roles(scene.token(roles=[])) == [ADMIN]
    path = f"/api/auth/user/carol/roles/{ADMIN}"
    assert scene.door.ask("DELETE", path, token=scene.door.root).status == 200

    assert scene.roles(scene.token(roles=[])) == []


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("groups", {"groups": ["osmo-user"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["osmo-user"]}}),
        ("https://acme.test/roles", {"https://acme.test/roles": ["osmo-user"]}),
        ("scope", {"scope": "openid osmo-user"}),
    ],
)
def test_roles_are_read_where_the_provider_says_them(
    provider: Provider, claim: str, said: dict[str, Any]
) -> None:
    scene = Scene(provider, roles_claim=claim)

    assert scene.roles(scene.token(**{"roles": [ADMIN], **said})) == [USER]


@pytest.mark.parametrize("said", [5, "", {}, None, [1, {}, None], ["x" * 300], [[USER]]], ids=str)
def test_roles_that_are_none_are_none(scene: Scene, said: Any) -> None:
    assert scene.roles(scene.token(roles=said)) == []


def test_an_address_as_a_name_has_to_be_verified(provider: Provider) -> None:
    scene = Scene(provider, user_claims=("email",))
    mail = {"email": "carol@acme.test"}

    assert scene.roles(scene.token(**mail)) == [USER]
    assert scene.roles(scene.token(**mail, email_verified=True)) == [USER]
    assert scene.roles(scene.token(**mail, email_verified=False)) is None


# Called back --------------------------------------------------------------------------------------


def test_whom_an_admin_signs_out_has_to_log_in_again_however_short_his_token_lives(
    scene: Scene,
) -> None:
    at = int(scene.door.world.clock().timestamp())
    token = scene.token(exp=at + int(MINUTES.total_seconds()) - 1)
    assert scene.roles(token) == [USER]

    path = "/api/auth/user/carol/sign-out"
    assert scene.door.ask("POST", path, token=scene.door.root).status == 200

    assert scene.roles(token) is None
    scene.door.world.later(timedelta(seconds=1))
    assert scene.roles(scene.token()) == [USER]


def test_who_comes_again_and_again_writes_nothing_after_the_first_time(scene: Scene) -> None:
    scene.roles(scene.token())
    before = scene.door.world.identity.user(CAROL)

    for _ in range(3):
        scene.roles(scene.token())

    assert scene.door.world.identity.user(CAROL) == before


def test_clients_are_told_where_to_log_in_and_an_admins_word_goes_before(scene: Scene) -> None:
    url = scene.provider.url

    told = scene.door.open("GET", "/api/auth/login", None).body
    assert told == {
        "device_endpoint": f"{url}/device",
        "device_client_id": CLIENT,
        "browser_endpoint": f"{url}/authorize",
        "browser_client_id": CLIENT,
        "token_endpoint": f"{url}/token",
        "logout_endpoint": None,
    }

    login = {"service_auth": {"login_info": {"browser_client_id": "another"}}}
    scene.door.ask(
        "PATCH", "/api/configs/service", token=scene.door.root, body={"configs_dict": login}
    )
    after = scene.door.open("GET", "/api/auth/login", None).body
    assert after == {**told, "browser_client_id": "another"}
