"""What OSMO's clients ask of the Core Service, of the deployed one: tokens, apps, configs."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from clients.sdk.login import load
from tests.conftest import Stack
from tests.e2e.running import finish

pytestmark = pytest.mark.e2e

SPEC = """
workflow:
  name: of-an-app
  tasks:
  - {name: t, image: alpine, command: [echo, hello]}
"""


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Iterator[httpx.Client]:
    login = load(stack.settings.login_folder)
    assert login is not None
    headers = {"Authorization": f"Bearer {login.token}"} if login.token else {}
    if login.user:
        headers["x-osmo-user"] = login.user
    with httpx.Client(
        base_url=stack.client.url, headers=headers, trust_env=False, timeout=30
    ) as client:
        yield client


def done(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.content else None


def test_an_access_token_is_exchanged_used_and_taken_away(
    stack: Stack, admin: httpx.Client
) -> None:
    secret = done(admin.post("/api/auth/access_token/ci", params={"expires_at": "2027-06-01"}))
    exchange = stack.client.url + "/api/auth/jwt/access_token"
    told = done(httpx.post(exchange, json={"token": secret}, trust_env=False))
    bearer = {"Authorization": f"Bearer {told['token']}"}

    listed = httpx.get(stack.client.url + "/api/pool", headers=bearer, trust_env=False)
    assert listed.status_code == 200, listed.text
    done(admin.delete("/api/auth/access_token/ci"))
    assert httpx.post(exchange, json={"token": secret}, trust_env=False).status_code == 400


def test_whoever_wants_to_log_in_is_told_how(stack: Stack) -> None:
    told = done(httpx.get(stack.client.url + "/api/auth/login", trust_env=False))

    assert "token_endpoint" in told


def test_a_token_that_is_taken_away_closes_the_sockets_of_its_user(
    stack: Stack, admin: httpx.Client
) -> None:
    secret = done(admin.post("/api/auth/access_token/watch", params={"expires_at": "2027-06-01"}))
    exchange = stack.client.url + "/api/auth/jwt/access_token"
    token = done(httpx.post(exchange, json={"token": secret}, trust_env=False))["token"]
    url, headers = stack.settings.websocket_url, {"Authorization": f"Bearer {token}"}

    with connect(url, additional_headers=headers) as socket:
        done(admin.delete("/api/auth/access_token/watch"))
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=20)
    with pytest.raises(InvalidStatus):
        connect(url, additional_headers=headers)


def test_an_app_is_made_changed_submitted_and_deleted(stack: Stack, admin: httpx.Client) -> None:
    path = "/api/app/user/greeter"
    done(admin.post(path, params={"description": "says hello"}, json=SPEC))
    added = done(admin.patch(path, json=SPEC.replace("hello", "hello again")))
    shown = done(admin.get(path))
    submitted = done(
        admin.post(
            "/api/pool/default/workflow",
            params={"app_uuid": shown["uuid"], "app_version": 1},
            json={"file": SPEC},
        )
    )
    finish(stack.client, submitted["name"])
    listed = done(admin.get("/api/app", params={"all_users": True}))
    of_app = done(admin.get("/api/workflow", params={"app": "greeter", "all_pools": True}))

    assert added["version"] == 2
    assert [one["version"] for one in shown["versions"]] == [1, 2]
    assert "greeter" in [one["name"] for one in listed["apps"]]
    assert [one["name"] for one in of_app["workflows"]] == [submitted["name"]]
    done(admin.post(f"{path}/rename", json="welcomer"))
    done(admin.delete("/api/app/user/welcomer", params={"all_versions": True}))


def test_a_config_has_a_history_and_goes_back_in_it(admin: httpx.Client) -> None:
    template = {"spec": {"hostNetwork": False}}
    body = {"configs": template, "description": "for the test", "tags": ["e2e"]}
    done(admin.put("/api/configs/pod_template/e2e", json=body))
    done(admin.delete("/api/configs/pod_template/e2e"))

    found = done(
        admin.get("/api/configs/history", params={"config_types": "POD_TEMPLATE", "tags": "e2e"})
    )
    [revision] = found["configs"]
    assert (revision["name"], revision["description"]) == ("e2e", "for the test")
    number = revision["revision"]
    back = {"config_type": "POD_TEMPLATE", "revision": number}
    done(admin.post("/api/configs/history/rollback", json=back))
    assert done(admin.get("/api/configs/pod_template/e2e")) == template
    asked = {"config_type": "POD_TEMPLATE", "first_revision": number, "second_revision": number + 1}
    assert done(admin.get("/api/configs/diff", params=asked))["first_data"]["e2e"] == template
    done(admin.delete("/api/configs/pod_template/e2e"))
