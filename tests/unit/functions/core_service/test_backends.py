"""Backends over HTTP: OSMO's routes show and remove them, ours register and drain."""

import json
from typing import Any

import pytest

from tests.builders_spec import yaml_of
from tests.stories.world import BACKEND, CONNECTION
from tests.unit.functions.core_service.gateway import WEBSOCKET_URL, Answer, CoreService
from xylem.domain.ids import BackendName
from xylem.domain.registration import credential_text, digest_of

NEW = BackendName("cluster-2")
DIGEST = digest_of(credential_text(NEW, "secret"))
OSMO = {
    "name",
    "description",
    "version",
    "k8s_uid",
    "k8s_namespace",
    "dashboard_url",
    "grafana_url",
    "tests",
    "scheduler_settings",
    "node_conditions",
    "last_heartbeat",
    "created_date",
    "router_address",
    "online",
}


def as_admin(service: CoreService, method: str, path: str, **body: Any) -> Answer:
    text = json.dumps(body) if body else None
    return service.ask(method, path, body=text, who="carol", roles="osmo-admin")


def register(service: CoreService, name: str = NEW, **more: Any) -> Answer:
    return as_admin(service, "PUT", f"/api/backend/{name}", digest=DIGEST, **more)


def listed(service: CoreService) -> dict[str, Any]:
    answer = as_admin(service, "GET", "/api/configs/backend")
    assert set(answer.body) == {"backends"}, "OSMO's clients refuse another field"
    return {one["name"]: one for one in answer.body["backends"]}


def test_a_backend_is_shown_with_every_field_of_osmos() -> None:
    service = CoreService()

    shown = listed(service)[BACKEND]

    assert set(shown) >= OSMO
    assert (shown["k8s_uid"], shown["version"], shown["online"]) == ("uid", "1", True)
    assert shown["last_heartbeat"] == "2026-06-01T12:00:00"
    assert as_admin(service, "GET", f"/api/configs/backend/{BACKEND}").body == shown


def test_a_backend_that_nobody_knows_is_a_400_as_a_pool_is() -> None:
    service = CoreService()

    for name in ("nope", "x" * 3000):
        answer = as_admin(service, "GET", f"/api/configs/backend/{name}")
        assert (answer.status, answer.body["error_code"]) == (400, "USER")


def test_who_registers_a_backend_is_told_where_its_operator_dials_in() -> None:
    service = CoreService()

    answer = register(service)

    assert (answer.status, answer.body["websocket_url"]) == (200, WEBSOCKET_URL)
    assert (answer.body["joined"], answer.body["registered_by"]) == (False, "carol")
    assert set(listed(service)) == {BACKEND, NEW}
    assert set(listed(service)[NEW]) >= OSMO
    assert register(service).body == answer.body, "a lost answer is asked for again"


def test_a_name_that_is_taken_is_renewed_on_purpose_alone() -> None:
    service = CoreService()

    refused = register(service, BACKEND)
    renewed = register(service, BACKEND, renew=True)

    assert (refused.status, refused.body["error_code"]) == (409, "refused")
    assert renewed.status == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [("Upper", {"digest": DIGEST}), (NEW, {"digest": "xop_b_s"}), (NEW, {}), ("a" * 300, {})],
)
def test_what_cannot_be_registered_is_a_clean_4xx(name: str, body: dict[str, str]) -> None:
    answer = CoreService().ask(
        "PUT",
        f"/api/backend/{name}",
        body=json.dumps(body),
        roles="osmo-admin",
    )

    assert answer.status in {400, 422}


def test_a_drained_backend_says_so_and_its_pools_are_under_maintenance() -> None:
    service = CoreService()

    for _ in range(2):
        assert as_admin(service, "PUT", f"/api/backend/{BACKEND}/drain").body["draining"] is True
    pool = service.ask("GET", "/api/pool").body["pools"]["default"]
    refused = service.submit(yaml_of())

    assert pool["status"] == "MAINTENANCE"
    assert (refused.status, "is drained" in refused.body["message"]) == (400, True)
    for _ in range(2):
        opened = as_admin(service, "DELETE", f"/api/backend/{BACKEND}/drain")
        assert opened.body["draining"] is False
    assert service.submit(yaml_of()).status == 200


def test_a_backend_with_work_is_removed_by_force_alone() -> None:
    service = CoreService()
    service.submit(yaml_of())
    service.world.settle()

    refused = as_admin(service, "DELETE", f"/api/configs/backend/{BACKEND}")
    forced = as_admin(service, "DELETE", f"/api/configs/backend/{BACKEND}", force=True)

    assert (refused.status, refused.body["error_code"]) == (409, "refused")
    assert "w-1" in refused.body["message"]
    assert (forced.status, forced.body) == (200, None)
    assert listed(service) == {}
    assert service.world.links.hung_up == {CONNECTION}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"/api/backend/{NEW}"),
        ("PUT", f"/api/backend/{BACKEND}/drain"),
        ("DELETE", f"/api/backend/{BACKEND}/drain"),
        ("DELETE", f"/api/configs/backend/{BACKEND}"),
    ],
)
def test_changing_a_backend_is_for_admins(method: str, path: str) -> None:
    service = CoreService()

    answer = service.ask(method, path, body=json.dumps({"digest": DIGEST}))

    assert answer.status == 403
    assert set(listed(service)) == {BACKEND}
