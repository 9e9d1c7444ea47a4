"""Workflows by label, tag and app, and tasks across workflows."""

import json
from typing import Any

from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.gateway import Answer, CoreService

ADMIN = "osmo-admin"
APP = yaml_of(name="of-app")


def a_service() -> CoreService:
    service = CoreService()
    service.world.configure(tags=("night", "week"))
    return service


def names(service: CoreService, query: str) -> list[str]:
    answer = service.ask("GET", "/api/workflow", query=f"all_pools=true&{query}")
    assert answer.status == 200, answer.body
    return [one["name"] for one in answer.body["workflows"]]


def tag(service: CoreService, name: str, query: str, **more: Any) -> Answer:
    return service.ask("POST", f"/api/workflow/{name}/tag", query=query, **more)


def test_workflows_are_listed_by_their_labels() -> None:
    service = a_service()
    service.submit(yaml_of(name="one"), query="label=team=a")
    service.submit(yaml_of(name="two"), query="label=team=b&label=x=y")
    service.submit(yaml_of(name="three"))

    assert names(service, "label=team=(a|b)") == ["one-1", "two-1"]
    assert names(service, "label=team=*&label=x=y") == ["two-1"]
    assert names(service, "no_label=team") == ["three-1"]


def test_a_workflow_is_tagged_with_what_an_admin_allows_and_listed_by_it() -> None:
    service = a_service()
    service.submit(yaml_of(name="one"))
    service.submit(yaml_of(name="two"))

    assert tag(service, "one-1", "add=night&add=week").status == 200
    assert tag(service, "one-1", "add=night&remove=week").status == 200
    assert tag(service, "two-1", "add=other").status == 400

    assert service.ask("GET", "/api/workflow/one-1").body["tags"] == ["night"]
    assert names(service, "tags=night&tags=week") == ["one-1"]
    assert service.ask("GET", "/api/tag").body == {"tags": ["night", "week"]}


def test_setting_a_tag_again_writes_nothing() -> None:
    service = a_service()
    service.submit(yaml_of(name="one"))
    tag(service, "one-1", "add=night")
    service.world.doorbell.take()
    before = service.kept()

    assert tag(service, "one-1", "add=night").status == 200

    assert service.kept() == before


def test_nobody_tags_what_another_submitted() -> None:
    service = a_service()
    service.submit(yaml_of(name="one"))

    assert tag(service, "one-1", "add=night", who="bob").status == 403
    assert tag(service, "one-1", "add=night", who="bob", roles=ADMIN).status == 200


def test_a_workflow_that_was_submitted_from_an_app_says_so_and_is_listed_by_it() -> None:
    service = a_service()
    service.ask("POST", "/api/app/user/train", query="description=d", body=json.dumps(APP))
    uuid = service.ask("GET", "/api/app/user/train").body["uuid"]

    made = service.submit(APP, query=f"app_uuid={uuid}&app_version=1", who="bob")

    shown = service.ask("GET", f"/api/workflow/{made.body['name']}").body
    assert (shown["app_owner"], shown["app_name"], shown["app_version"]) == ("alice", "train", 1)
    assert names(service, "all_users=true&app=train") == ["of-app-1"]
    assert names(service, "all_users=true&app=train:2") == []
    listed = service.ask("GET", "/api/app", who="bob").body["apps"]
    assert [one["name"] for one in listed] == ["train"], "he submitted from it"


def test_a_submission_from_an_app_that_is_not_there_is_refused() -> None:
    service = a_service()

    assert service.submit(APP, query="app_uuid=none&app_version=1").status == 400


def test_tasks_are_listed_with_what_they_ask_for_themselves() -> None:
    service = a_service()
    text = yaml_of(
        a_task("a", resource="big"),
        a_task("b"),
        name="one",
        resources={"big": {"cpu": 2, "memory": "3Gi"}, "default": {}},
    )
    made = service.submit(text)
    assert made.status == 200, made.body

    listed = service.ask("GET", "/api/task", query="all_pools=true").body["tasks"]
    summed = service.ask("GET", "/api/task", query="all_pools=true&summary=true").body["summaries"]

    assert {one["task_name"]: (one["cpu"], one["memory"]) for one in listed} == {
        "a": (2, 3.0),
        "b": (0, 0.0),
    }
    assert [(one["user"], one["cpu"], one["memory"]) for one in summed] == [("alice", 2, 3.0)]


def test_tasks_are_listed_by_their_status_and_whose_they_are() -> None:
    service = a_service()
    service.submit(yaml_of(name="one"))
    service.world.settle()

    def found(query: str) -> list[str]:
        answer = service.ask("GET", "/api/task", query=f"all_pools=true&{query}")
        return [one["workflow_id"] for one in answer.body["tasks"]]

    assert found("statuses=PROCESSING") == ["one-1"]
    assert found("statuses=RUNNING") == []
    assert found("users=bob") == []
    assert found("users=bob&all_users=true&workflow_id=on") == ["one-1"]


def test_who_set_a_pool_need_not_name_one() -> None:
    service = a_service()
    service.submit(yaml_of(name="one"))
    assert service.ask("GET", "/api/workflow").status == 400

    body = json.dumps({"pool": "default"})
    assert service.ask("POST", "/api/profile/settings", body=body).status == 200

    listed = service.ask("GET", "/api/workflow").body["workflows"]
    assert [one["name"] for one in listed] == ["one-1"]
