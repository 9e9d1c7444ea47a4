"""Nothing is open to a caller without a token, and no kind of token passes for another."""

import httpx
import pytest

from tests.conftest import Stack

pytestmark = pytest.mark.e2e

ROUTES = [
    ("GET", "/api/workflow?all_pools=true"),
    ("GET", "/api/workflow/hello-1"),
    ("GET", "/api/workflow/hello-1/logs"),
    ("GET", "/api/pool"),
    ("GET", "/api/auth/user"),
    ("GET", "/api/auth/access_token"),
    ("GET", "/api/configs/role"),
    ("POST", "/api/pool/default/workflow"),
    ("PUT", "/api/configs/pool/default"),
    ("POST", "/runtime/logs?offset=0"),
    ("POST", "/runtime/token"),
    ("POST", "/runtime/inputs"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", [None, "nonsense", "a.b.c"])
def test_a_route_is_closed_to_who_has_no_token_of_ours(
    stack: Stack, method: str, path: str, token: str | None
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    answer = httpx.request(method, stack.client.url + path, headers=headers, trust_env=False)

    assert answer.status_code in {401, 403}, answer.text


def test_an_operators_token_opens_no_route_of_people(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.operator_token}"}

    answer = httpx.get(stack.client.url + "/api/pool", headers=headers, trust_env=False)

    assert answer.status_code == 403
