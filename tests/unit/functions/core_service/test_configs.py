"""Configs of the service, of pools and of roles, and their history, as OSMO's clients ask for
them."""

import json
from typing import Any

import pytest

from tests.stories.world import BACKEND
from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.config import ConfigKind

POOL = {"backend": BACKEND, "platforms": {"cpu": {}, "gpu": {}}, "default_platform": "cpu"}


def asked(
    service: CoreService, method: str, path: str, body: Any = None, query: str = ""
) -> Answer:
    text = None if body is None else json.dumps(body)
    path = f"/api/configs/{path}"
    return service.ask(method, path, body=text, query=query, who="root", roles="osmo-admin")


def done(service: CoreService, method: str, path: str, body: Any = None, query: str = "") -> Any:
    answer = asked(service, method, path, body, query)
    assert answer.status == 200, answer.body
    return answer.body


def with_pool() -> CoreService:
    service = CoreService()
    done(service, "PUT", "pool/p", {"configs": POOL, "description": "d", "tags": ["x"]})
    return service


def history(service: CoreService, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done(service, "GET", "history", query=query)["configs"]
    return found


def test_part_of_a_pool_is_set_and_the_rest_stays() -> None:
    service = with_pool()

    after = done(
        service, "PATCH", "pool/p", {"configs_dict": {"platforms": {"gpu": {"description": "g"}}}}
    )

    assert set(after["platforms"]) == {"cpu", "gpu"}
    assert after["platforms"]["gpu"]["description"] == "g"
    assert after["default_platform"] == "cpu"
    bad = asked(service, "PATCH", "pool/p", {"configs_dict": {"bogus": 1}})
    assert (bad.status, "bogus" in bad.body["message"]) == (400, True)


def test_a_pool_is_renamed_and_goes() -> None:
    service = with_pool()

    done(service, "PUT", "pool/p/rename", {"new_name": "q"})
    assert asked(service, "GET", "pool/p").status == 400
    assert asked(service, "PUT", "pool/q/rename", {"new_name": "default"}).status == 400
    done(service, "DELETE", "pool/q", {"description": "bye"})

    assert set(done(service, "GET", "pool")["pools"]) == {"default"}
    assert [
        (one["name"], one["description"]) for one in history(service, "config_types=POOL")[-3:]
    ] == [
        ("p", "d"),
        ("p", "Rename pool p to q"),
        ("q", "bye"),
    ]


def test_a_platform_is_put_and_renamed_with_what_names_it() -> None:
    service = with_pool()

    done(service, "PUT", "pool/p/platform/big", {"configs": {"description": "b"}})
    done(service, "PUT", "pool/p/platform/cpu/rename", {"new_name": "small"})

    assert set(done(service, "GET", "pool/p/platform")) == {"big", "gpu", "small"}
    assert done(service, "GET", "pool/p")["default_platform"] == "small"
    assert asked(service, "GET", "pool/p/platform/cpu").status == 400


def test_two_revisions_are_compared_and_the_earlier_is_set_again() -> None:
    service = with_pool()
    newest = history(service, "config_types=POOL&order=DESC&limit=1")[0]["revision"]
    done(service, "DELETE", "pool/p")

    query = f"config_type=POOL&first_revision={newest}&second_revision={newest + 1}"
    diff = done(service, "GET", "diff", query=query)
    assert set(diff["first_data"]["pools"]) == {"default", "p"}
    assert set(diff["second_data"]["pools"]) == {"default"}

    done(service, "POST", "history/rollback", {"config_type": "POOL", "revision": newest})
    assert set(done(service, "GET", "pool")["pools"]) == {"default", "p"}


def test_the_history_is_asked_for_by_what_was_changed_when_and_how_it_is_tagged() -> None:
    service = with_pool()
    done(service, "POST", "history/pool/revision/3/tags", {"set_tags": ["good"]})

    assert [one["name"] for one in history(service, "name=p")] == ["p"]
    assert [one["revision"] for one in history(service, "tags=x&tags=good")] == [3]
    assert history(service, "tags=bad") == []
    assert history(service, "created_after=2027-01-01T00:00:00") == []
    at = history(service, "at_timestamp=2026-06-01T12:00:00")
    assert len(at) == len({one["config_type"] for one in at}) == len(ConfigKind)
    assert all(one["data"] is None for one in history(service, "omit_data=true"))


@pytest.mark.parametrize("path", ["workflow_alerts.slack_token", "backend_images.credential.auth"])
def test_no_secret_is_kept_in_a_config_and_a_mask_is_passed_over(path: str) -> None:
    service = CoreService()

    def changed(value: str) -> Answer:
        changes: Any = value
        for key in reversed(path.split(".")):
            changes = {key: changes}
        return asked(service, "PATCH", "workflow", {"configs_dict": changes})

    refused = changed("a-secret-value")

    assert (refused.status, path in refused.body["message"]) == (400, True)
    assert "a-secret-value" not in str(refused.body) + service.kept()
    assert changed("**********").status == 200


def test_what_an_admin_reads_he_may_write() -> None:
    service = CoreService()
    for kind in ("workflow", "service"):
        shown = done(service, "GET", kind)
        assert done(service, "PUT", kind, {"configs": shown}) == shown


def test_a_role_is_put_read_used_and_taken_away() -> None:
    service = with_pool()
    role = {
        "name": "team",
        "description": "d",
        "policies": [{"actions": ["workflow:*"], "resources": ["pool/p"]}],
    }
    body = json.dumps(
        {"file": "workflow:\n  name: w\n  tasks:\n  - {name: a, image: i, command: [x]}\n"}
    )

    def submit(roles: str) -> int:
        return service.ask("POST", "/api/pool/p/workflow", body=body, roles=roles).status

    assert submit("osmo-user,team") == 403
    done(service, "PUT", "role/team", {"configs": role})
    assert submit("osmo-user,team") == 200
    assert submit("osmo-user") == 403
    assert done(service, "GET", "role/team")["policies"][0]["resources"] == ["pool/p"]

    done(service, "DELETE", "role/team")
    assert submit("osmo-user,team") == 403


@pytest.mark.parametrize("action", ["bad", "workflow:Fly", "", "pool/a"])
def test_a_role_with_an_action_that_is_none_is_refused(action: str) -> None:
    role = {"name": "r", "description": "", "policies": [{"actions": [action]}]}

    answer = asked(CoreService(), "PUT", "role/r", {"configs": role})

    assert (answer.status, answer.body["error_code"]) == (400, "USER")
    assert "configs.policies[0].actions[0]" in answer.body["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "pool/q", {"configs": POOL}),
        ("PATCH", "pool/p", {"configs_dict": {"description": "x"}}),
        ("DELETE", "pool/p", {}),
        ("PUT", "pool/p/rename", {"new_name": "q"}),
        ("POST", "history/rollback", {"config_type": "POOL", "revision": 1}),
    ],
)
def test_a_change_that_was_decided_about_an_earlier_revision_is_refused(
    method: str, path: str, body: dict[str, Any]
) -> None:
    service = with_pool()
    [seen] = [one["revision"] for one in history(service, "config_types=POOL&limit=1&order=DESC")]
    before = done(service, "GET", "pool")

    late = asked(service, method, path, {**body, "expected_revision": seen - 1})

    assert (late.status, late.body["error_code"]) == (409, "stale")
    assert f"it is at revision {seen}, by root, not {seen - 1}" in late.body["message"]
    assert done(service, "GET", "pool") == before
    done(service, method, path, {**body, "expected_revision": seen})


def test_what_was_never_set_is_at_its_first_revision() -> None:
    service = CoreService()
    workflow = {"configs_dict": {"max_num_tasks": 7}}

    assert asked(service, "PATCH", "workflow", {**workflow, "expected_revision": 2}).status == 409
    done(service, "PATCH", "workflow", {**workflow, "expected_revision": 1})


def test_a_change_of_buckets_is_noted_as_any_other() -> None:
    service = CoreService()
    bucket = {"configs_dict": {"dataset_path": "data", "description": "d"}}

    done(service, "PATCH", "dataset/main", {**bucket, "description": "why", "tags": ["x"]})
    stale = asked(service, "PATCH", "dataset/main", {**bucket, "expected_revision": 1})

    assert stale.status == 409
    [newest] = history(service, "config_types=DATASET&limit=1&order=DESC")
    assert (newest["name"], newest["description"], newest["tags"]) == ("main", "why", ["x"])
