"""Every operation of the API is in the table of operations, and asked of whoever asks for it."""

import json
import re
from collections.abc import Iterator

import pytest

from functions.core_service.api import PARTS, Application
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import CoreService, ServicesOf
from xylem.domain.access import OPERATIONS, Principal, may, resources_of
from xylem.domain.ids import UserName
from xylem.domain.role import ADMIN, EVERYBODY, SHIPPED_ROLES, USER

OPEN = {
    "GET /health",
    "GET /client/version",
    "GET /api/version",
    "GET /api/auth/login",
    "GET /api/auth/keys",
    "GET /api/auth/jwt/access_token",
    "POST /api/auth/jwt/access_token",
    "GET /api/auth/jwt/refresh_token",
    "POST /api/auth/jwt/refresh_token",
}
"""What one asks before one has a token: `infra_cdk/components/core_service.py` leaves it open."""

BODIES = ("POST", "PUT", "PATCH")


def routes() -> Iterator[str]:
    app = Application(ServicesOf(World()))
    app.load(*PARTS)
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path}"


ROUTES = sorted(routes())
ROLES = [None, *sorted(SHIPPED_ROLES)]


def path_of(operation: str) -> tuple[str, str, dict[str, str]]:
    method, path = operation.split()
    names = re.findall(r"\{(\w+)\}", path)
    parts = {name: "1" if name == "revision" else "default" for name in names}
    return method, path.format(**parts), parts


def test_every_route_is_an_operation_or_open() -> None:
    assert set(ROUTES) - OPEN <= OPERATIONS.keys()
    assert set(ROUTES) >= OPEN


@pytest.mark.parametrize("role", ROLES)
def test_each_operation_is_refused_to_whom_no_role_allows_it(role: str | None) -> None:
    service = CoreService()
    principal = Principal("user", UserName("eve"), frozenset({role} if role else ()))
    for operation in sorted(set(ROUTES) - OPEN):
        method, path, parts = path_of(operation)
        wanted = OPERATIONS[operation]
        allowed = all(
            may(principal, wanted.action, one, lambda: SHIPPED_ROLES)
            for one in resources_of(wanted, parts)
        )

        body = json.dumps({}) if method in BODIES else None
        answer = service.ask(method, path, body=body, who="eve", roles=role or "")

        refused = answer.status == 403 and "may not do" in str(answer.body)
        assert refused is not allowed, (operation, answer)


@pytest.mark.parametrize("operation", sorted(set(ROUTES) - OPEN))
def test_an_operators_token_opens_no_route_of_people(operation: str) -> None:
    method, path, _ = path_of(operation)

    answer = CoreService().ask(method, path, roles=f"{ADMIN},{USER}", kind="operator")

    assert answer.status == 403


def test_a_user_does_what_osmos_user_does_and_no_more() -> None:
    user = Principal("user", UserName("eve"), frozenset({USER}))
    of_user = {
        operation.action
        for operation in OPERATIONS.values()
        if may(user, operation.action, "", lambda: SHIPPED_ROLES)
    }

    assert of_user == {
        "app:Create",
        "app:Delete",
        "app:Read",
        "app:Update",
        "auth:Token",
        "credentials:Create",
        "credentials:Delete",
        "credentials:Read",
        "dataset:Create",
        "dataset:Delete",
        "dataset:Read",
        "dataset:Update",
        "pool:List",
        "profile:Read",
        "profile:Update",
        "resources:Read",
        "user:List",
        "workflow:Cancel",
        "workflow:Create",
        "workflow:Exec",
        "workflow:List",
        "workflow:PortForward",
        "workflow:Read",
        "workflow:Rsync",
        "workflow:Update",
    }
    assert SHIPPED_ROLES.keys() >= {ADMIN, USER, EVERYBODY}
