"""Logging in with a provider, over real HTTP on this machine: each way to a token, and what is no
answer to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from clients.sdk import oidc
from clients.sdk.errors import BadInput, Unauthorized, Unreachable
from clients.sdk.fresh import fresh
from clients.sdk.login import Login, claims_of, ended
from clients.sdk.oidc import Given, LoginInfo
from tests.fakes.provider import CLIENT, PROGRAM, PROGRAM_SECRET, Provider, a_provider

NETWORK = oidc.Provider()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with a_provider() as made:
        yield made


def info(provider: Provider) -> LoginInfo:
    return LoginInfo(
        device_endpoint=f"{provider.url}/device",
        device_client_id=CLIENT,
        browser_endpoint=f"{provider.url}/authorize",
        browser_client_id=CLIENT,
        token_endpoint=f"{provider.url}/token",
    )


Visit = Callable[[str], object]


class Browser:
    """Opens a page in a thread of its own, as a browser is a process of its own."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.pages: list[str] = []
        self._threads: list[Thread] = []

    def __call__(self, page: str) -> None:
        self.pages.append(page)
        thread = Thread(target=self._visit, args=(page,))
        thread.start()
        self._threads.append(thread)

    def closed(self) -> None:
        for thread in self._threads:
            thread.join()


def agrees(page: str) -> httpx.Response:
    return httpx.get(page, follow_redirects=True, trust_env=False)


def logged_in(provider: Provider, visit: Visit = agrees, **more: float) -> Given:
    browser = Browser(visit)
    try:
        # A test names its limits: mypy takes `more` for every parameter.
        return oidc.browser(info(provider), NETWORK, open_page=browser, **more)  # type: ignore[arg-type]
    finally:
        browser.closed()


def test_a_page_in_the_browser_ends_in_a_token_of_the_person_and_a_way_to_more(
    provider: Provider,
) -> None:
    given = logged_in(provider)

    assert claims_of(given.token)["preferred_username"] == "carol"
    assert given.grant is not None
    assert (given.grant.kind, given.grant.client_id) == ("refresh", CLIENT)


def test_each_login_has_a_proof_a_state_and_a_nonce_of_its_own(provider: Provider) -> None:
    pages: list[str] = []

    def visit(page: str) -> None:
        pages.append(page)
        agrees(page)

    logged_in(provider, visit)
    logged_in(provider, visit)

    first, second = (parse_qs(urlsplit(page).query) for page in pages)
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name][0]) >= 43
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"][0].startswith("http://localhost:")


def test_the_challenge_is_that_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert oidc.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_who_comes_back_with_another_state_is_not_listened_to(provider: Provider) -> None:
    """A page that somebody else has the browser open, with a code of his own."""

    def visit(page: str) -> None:
        back = parse_qs(urlsplit(page).query)["redirect_uri"][0]
        for query in ("?code=his&state=wrong", "?code=his", "/favicon.ico"):
            answer = httpx.get(f"{back}{query}", trust_env=False)
            assert answer.status_code == 400
        agrees(page)

    assert claims_of(logged_in(provider, visit).token)["sub"] == "5f2b"


def test_a_refusal_of_the_provider_is_told_in_its_words_and_never_shown_as_a_page(
    provider: Provider,
) -> None:
    pages: list[httpx.Response] = []

    def visit(page: str) -> None:
        query = parse_qs(urlsplit(page).query)
        back, state = query["redirect_uri"][0], query["state"][0]
        refusal = {"error_description": "<script>no</script>", "state": state, "error": "denied"}
        pages.append(httpx.get(back, params=refusal, trust_env=False))

    with pytest.raises(Unauthorized, match="<script>no</script>"):
        logged_in(provider, visit)
    assert "<script>" not in pages[0].text


def test_a_token_for_another_login_is_not_taken(provider: Provider) -> None:
    provider.nonce = "of another"

    with pytest.raises(Unauthorized, match="another login"):
        logged_in(provider)


def test_nobody_waits_for_ever_for_a_page(provider: Provider) -> None:
    with pytest.raises(Unauthorized, match="in time"):
        logged_in(provider, lambda page: None, wait_seconds=0.01)


def test_a_code_is_typed_in_elsewhere_while_we_ask_again(provider: Provider) -> None:
    told: list[tuple[str, str]] = []
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        provider.agreed = len(waits) == 3

    given = oidc.device(info(provider), NETWORK, tell=lambda *said: told.append(said), sleep=sleep)

    assert told == [(f"{provider.url}/activate", "WXYZ-1234")]
    assert waits == [1, 1, 1]
    assert claims_of(given.token)["preferred_username"] == "carol"


def test_a_code_that_nobody_types_in_ends(provider: Provider) -> None:
    with pytest.raises(Unauthorized, match="in time"):
        oidc.device(info(provider), NETWORK, tell=lambda *_: None, sleep=lambda _: None)


def test_a_program_logs_in_with_its_own_secret_and_again_with_the_same(provider: Provider) -> None:
    given = oidc.client_credentials(info(provider), NETWORK, client=PROGRAM, secret=PROGRAM_SECRET)

    assert claims_of(given.token)["sub"] == PROGRAM
    assert given.grant is not None
    again = oidc.again(given.grant, NETWORK)
    assert again.grant == given.grant
    with pytest.raises(Unauthorized, match="invalid_client"):
        oidc.client_credentials(info(provider), NETWORK, client=PROGRAM, secret="wrong")


def test_a_refresh_token_that_was_used_is_not_used_again(provider: Provider) -> None:
    given = logged_in(provider)
    assert given.grant is not None

    again = oidc.again(given.grant, NETWORK)

    assert claims_of(again.token)["preferred_username"] == "carol"
    assert again.grant is not None and again.grant.secret != given.grant.secret
    with pytest.raises(Unauthorized, match="invalid_grant"):
        oidc.again(given.grant, NETWORK)


def test_a_login_is_refreshed_before_its_token_ends_and_not_sooner(provider: Provider) -> None:
    given = logged_in(provider)
    login = Login(url="https://xylem.example", token=given.token, grant=given.grant)
    ends = datetime.fromtimestamp(claims_of(given.token)["exp"], UTC)

    assert not ended(login, ends - timedelta(minutes=1))
    assert ended(login, ends - timedelta(seconds=29))
    assert not ended(Login(url=login.url, token=given.token), ends), "nothing could be done"

    after = fresh(login)
    assert after.grant != login.grant
    assert claims_of(after.token or "")["sub"] == "5f2b"


@pytest.mark.parametrize("lacking", ["browser_endpoint", "browser_client_id", "token_endpoint"])
def test_a_service_without_a_provider_says_what_is_missing(
    provider: Provider, lacking: str
) -> None:
    without = info(provider).model_copy(update={lacking: None})

    with pytest.raises(BadInput, match=lacking):
        oidc.browser(without, NETWORK, open_page=lambda page: None)


@pytest.mark.parametrize("url", ["http://login.test/token", "ftp://login.test", "login.test"])
def test_no_secret_goes_to_a_provider_in_clear(provider: Provider, url: str) -> None:
    there = info(provider).model_copy(update={"token_endpoint": url})

    with pytest.raises(BadInput):
        oidc.client_credentials(there, NETWORK, client=PROGRAM, secret=PROGRAM_SECRET)


def test_a_provider_that_is_not_there_is_named(provider: Provider) -> None:
    gone = info(provider).model_copy(update={"token_endpoint": "http://127.0.0.1:9/token"})

    with pytest.raises(Unreachable, match="127.0.0.1:9"):
        oidc.client_credentials(gone, NETWORK, client=PROGRAM, secret=PROGRAM_SECRET)


def test_an_access_token_is_exchanged_at_the_service() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"token": "short.lived.one", "expires_at": 1})

    login = Login(url="https://xylem.example", access_token="s" * 43)
    assert ended(login, datetime.now(UTC))

    after = fresh(login, transport=httpx.MockTransport(answer))

    assert (after.token, after.access_token) == ("short.lived.one", "s" * 43)
    assert asked[0].url.path == "/api/auth/jwt/access_token"
    assert "authorization" not in asked[0].headers


def test_an_access_token_that_was_taken_away_is_told_as_such() -> None:
    gone = httpx.MockTransport(
        lambda _: httpx.Response(400, json={"message": "Access Token is invalid"})
    )

    with pytest.raises(Unauthorized, match="Access Token is invalid"):
        fresh(Login(url="https://xylem.example", access_token="s" * 43), transport=gone)
