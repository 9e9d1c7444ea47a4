"""OSMO's client says its version, and is told what it should know of it."""

import base64

import pytest
from fastapi.testclient import TestClient

from tests.stories.world import USER, World
from tests.unit.functions.core_service.test_api import a_client
from xylem.domain.values import replace


def a_world(**versions: str) -> World:
    world = World()
    world.configs.change_service(
        lambda config: replace(config, **versions),  # type: ignore[arg-type]
        author=USER,
        now=world.clock(),
    )
    return world


def says(client: TestClient, version: str, path: str = "/api/pool") -> tuple[int, str]:
    answer = client.get(path, headers={"x-osmo-client-version": version})
    warning = answer.headers.get("x-osmo-warning", "")
    return answer.status_code, base64.b64decode(warning).decode() or answer.text


@pytest.mark.parametrize("version", ["6.4.0", "6.4.0.rc1", "7.0.0"])
def test_a_client_as_new_as_the_api_is_told_nothing(version: str) -> None:
    status, told = says(a_client(a_world(latest_version="9.0.0")), version)

    assert (status, told[:9]) == (200, '{"pools":')


def test_an_older_one_is_told_of_the_newer() -> None:
    assert says(a_client(World()), "6.0.0") == (
        200,
        "New client 6.4.0 available. You have 6.0.0: please update.",
    )
    assert "New client 6.3.0" in says(a_client(a_world(latest_version="6.3.0")), "6.0.0")[1]


def test_one_that_is_too_old_is_refused_but_where_it_learns_of_a_newer_one() -> None:
    client = a_client(a_world(min_supported_version="6.2.0"))

    status, told = says(client, "6.1.9")

    assert (status, "supports 6.2.0 and newer" in told) == (400, True)
    assert says(client, "6.1.9", "/client/version")[0] == 200


@pytest.mark.parametrize("version", ["", "six", "6.4", "6.4.0.", "6" * 5000 + ".0.0"])
def test_a_version_that_is_none_is_a_400(version: str) -> None:
    status, told = says(a_client(World()), version)

    assert (status, "is no version: send one such as 6.4.0" in told) == (400, True)
