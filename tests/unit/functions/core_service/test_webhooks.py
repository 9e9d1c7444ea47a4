"""Webhooks over HTTP: made with a secret that is shown once, listed, and taken away."""

import base64
import json

import pytest

from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.notification import MOST_WEBHOOKS

URL = "https://ci.example.com/hook"


def make(service: CoreService, name: str = "ci", url: str = URL, who: str = "alice") -> Answer:
    return service.ask("POST", f"/api/webhook/{name}", body=json.dumps({"url": url}), who=who)


def test_a_webhook_has_a_secret_of_32_bytes_that_no_list_shows() -> None:
    service = CoreService()

    made = make(service)
    listed = service.ask("GET", "/api/webhook")

    assert (made.status, made.body["name"], made.body["url"]) == (200, "ci", URL)
    assert len(base64.b64decode(made.body["secret"].removeprefix("whsec_"))) == 32
    assert listed.body == {"webhooks": [{"name": "ci", "url": URL}]}
    assert make(service, "other", f"{URL}/2").body["secret"] != made.body["secret"]


def test_it_is_its_users_own_and_no_credential_of_his() -> None:
    service = CoreService()
    make(service)

    assert service.ask("GET", "/api/webhook", who="bob").body == {"webhooks": []}
    assert service.ask("GET", "/api/credentials").body == {"credentials": []}
    assert service.ask("DELETE", "/api/webhook/ci", who="bob").status == 404


def test_a_webhook_that_is_deleted_is_gone() -> None:
    service = CoreService()
    make(service)

    gone = service.ask("DELETE", "/api/webhook/ci")

    assert gone.body == {"name": "ci", "url": URL}
    assert service.ask("GET", "/api/webhook").body == {"webhooks": []}


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("ci", f"{URL}/2", "exists already"),
        ("other", URL, "hears of your workflows already"),
        ("1x", f"{URL}/2", "is no name"),
        ("x", "http://ci.example.com/", "https://"),
        ("x", "https://10.0.0.1/", "no public address"),
        ("x", "https://[::1]/", "no public address"),
    ],
)
def test_what_cannot_be_is_refused_and_keeps_nothing(name: str, url: str, says: str) -> None:
    service = CoreService()
    make(service)

    answer = make(service, name, url)

    assert (answer.status, answer.body["error_code"]) == (400, "USER")
    assert says in answer.body["message"]
    assert len(service.ask("GET", "/api/webhook").body["webhooks"]) == 1


def test_a_user_has_a_few_of_them() -> None:
    service = CoreService()
    for number in range(MOST_WEBHOOKS):
        assert make(service, f"w{number}", f"{URL}/{number}").status == 200

    assert "which is the most" in make(service).body["message"]
