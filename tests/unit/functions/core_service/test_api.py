"""The API as OSMO's clients see it, on the world of the stories."""

from importlib import import_module
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from functions.core_service.api import PARTS, Application, Part, part_of
from functions.core_service.errors import STATUS
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import ServicesOf
from xylem.domain.errors import XylemError

HELLO = """
workflow:
  name: hello
  tasks:
  - {name: hello, image: alpine, command: [echo, hi]}
"""


class Gateway:
    """What API Gateway and Mangum put in front of the application: who the authorizer found."""

    def __init__(self, app: FastAPI, context: dict[str, str] | None) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._context is not None:
            event = {"requestContext": {"authorizer": {"lambda": self._context}}}
            scope = {**scope, "aws.event": event}
        await self._app(scope, receive, send)


def a_client(world: World, *, roles: str = "osmo-user", kind: str = "user") -> TestClient:
    app = Application(ServicesOf(world))
    context = {"kind": kind, "subject": "alice", "roles": roles}
    return TestClient(Gateway(app, context))


def submit(client: TestClient, spec: str = HELLO, **query: Any) -> Any:
    return client.post("/api/pool/default/workflow", json={"file": spec}, params=query)


def test_every_error_of_the_domain_has_a_status() -> None:
    assert set(XylemError.__subclasses__()) == set(STATUS)


def test_a_submission_answers_with_its_name_and_where_to_look() -> None:
    answer = submit(a_client(World()))

    assert answer.status_code == 200
    assert answer.json() == {
        "name": "hello-1",
        "overview": "/api/workflow/hello-1",
        "logs": "/api/workflow/hello-1/logs",
        "spec": None,
        "dashboard_url": None,
        "warnings": [],
    }


def test_a_validation_names_the_workflow_and_makes_none() -> None:
    world = World()

    answer = submit(a_client(world), validation_only=True)

    assert answer.json()["name"] == "hello"
    assert answer.json()["logs"] == "Workflow validation succeeded."
    assert submit(a_client(world)).json()["name"] == "hello-1", "no number was used"


def test_a_dry_run_gives_the_spec_after_its_template() -> None:
    spec = 'workflow:\n  name: "{{ n }}"\n  tasks: []\ndefault-values:\n  n: dflt\n'

    answer = submit(a_client(World()), spec, dry_run=True)

    assert answer.json()["name"] == "dflt"
    assert answer.json()["spec"] == "workflow:\n  name: dflt\n  tasks: []\n"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/workflow/nobody-1", "DATABASE"),
        ("/api/workflow/nobody-1/spec", "DATABASE"),
        ("/api/workflow/nobody-1/task/t", "DATABASE"),
    ],
)
def test_what_is_unknown_is_a_400_in_osmos_body(path: str, code: str) -> None:
    answer = a_client(World()).get(path)

    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert set(answer.json()) == {"message", "error_code", "workflow_id"}


def test_an_unknown_pool_is_a_400() -> None:
    answer = a_client(World()).post("/api/pool/nope/workflow", json={"file": HELLO})

    assert answer.status_code == 400
    assert answer.json()["error_code"] == "USER"
    assert answer.json()["message"].startswith("Pool nope not found.")


def test_a_workflow_is_shown_with_its_groups_and_tasks_as_osmo_shows_it() -> None:
    world = World()
    client = a_client(world)
    submit(client)
    world.settle()
    shown = client.get("/api/workflow/hello-1").json()

    assert (shown["status"], shown["submitted_by"]) == ("PENDING", "alice")
    assert shown["pool"] == "default"
    [group] = shown["groups"]
    assert (group["name"], group["status"]) == ("hello-group", "PROCESSING")
    [task] = group["tasks"]
    assert (task["name"], task["retry_id"], task["lead"]) == ("hello", 0, True)
    assert task["logs"] == "/api/workflow/hello-1/logs?last_n_lines=1000&task_name=hello&retry_id=0"
    assert client.get(f"/api/workflow/{shown['uuid']}").json() == shown, "a uuid finds it, too"
    assert client.get("/api/workflow/hello-1?skip_groups=true").json()["groups"] == []


def test_a_list_is_by_time_with_the_end_that_was_asked_for_first() -> None:
    client = a_client(World())
    for _ in range(3):
        submit(client)
    newest = client.get("/api/workflow", params={"all_pools": True, "order": "DESC", "limit": 2})
    oldest = client.get("/api/workflow", params={"all_pools": True, "limit": 2})

    assert [one["name"] for one in newest.json()["workflows"]] == ["hello-3", "hello-2"]
    assert newest.json()["more_entries"] is True
    assert [one["name"] for one in oldest.json()["workflows"]] == ["hello-1", "hello-2"]


def test_a_list_without_a_pool_is_refused_as_osmo_does() -> None:
    answer = a_client(World()).get("/api/workflow")

    assert answer.status_code == 400
    assert answer.json() == {
        "message": "No pool selected!",
        "error_code": "USER",
        "workflow_id": None,
    }


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_a_page_has_at_most_a_thousand_entries(limit: int) -> None:
    answer = a_client(World()).get("/api/workflow", params={"all_pools": True, "limit": limit})

    assert answer.status_code == 400


def test_the_spec_is_given_as_it_is_kept_and_the_template_as_it_was_written() -> None:
    world = World()
    client = a_client(world)
    spec = HELLO.replace("hi]", '"{{ word }}"]') + "default-values: {word: hi}\n"
    submit(client, spec)

    kept = client.get("/api/workflow/hello-1/spec")
    written = client.get("/api/workflow/hello-1/spec?use_template=true")

    assert kept.headers["content-type"].startswith("text/plain")
    assert "- hi" in kept.text
    assert "lead: true" in kept.text
    assert "{{ word }}" in written.text


def test_only_an_admin_changes_a_pool() -> None:
    world = World()
    body = {"configs": {"backend": "cluster-2", "platforms": {"cpu": {}}}, "description": "d"}

    refused = a_client(world).put("/api/configs/pool/p2", json=body)
    taken = a_client(world, roles="osmo-admin").put("/api/configs/pool/p2", json=body)

    assert refused.status_code == 403
    assert (taken.status_code, taken.json()) == (200, None)
    assert set(a_client(world).get("/api/pool").json()["pools"]) == {"default", "p2"}


def test_a_default_platform_that_the_pool_does_not_have_is_refused() -> None:
    body = {"configs": {"backend": "b", "default_platform": "gpu", "platforms": {"cpu": {}}}}

    answer = a_client(World(), roles="osmo-admin").put("/api/configs/pool/p2", json=body)

    assert answer.status_code == 400
    assert "cpu" in answer.json()["message"]


def test_a_pool_is_online_while_its_backend_is_heard() -> None:
    pools = a_client(World()).get("/api/pool").json()["pools"]

    assert pools["default"]["status"] == "ONLINE"


@pytest.mark.parametrize("kind", ["operator", "user"])
def test_who_has_no_role_may_not_even_read(kind: str) -> None:
    client = a_client(World(), roles="", kind=kind)

    assert client.get("/api/pool").status_code == 403


def test_without_an_authorizer_in_front_everything_is_closed() -> None:
    world = World()
    app = Application(ServicesOf(world))

    assert TestClient(Gateway(app, None)).get("/api/pool").status_code == 401


def test_a_mistake_of_ours_is_a_500_that_shows_nothing_of_it() -> None:
    world = World()

    def broken() -> None:
        raise RuntimeError("secret detail")

    world.clock = broken  # type: ignore[assignment]
    app = Application(ServicesOf(world))
    context = {"kind": "user", "subject": "alice", "roles": "osmo-user"}
    client = TestClient(Gateway(app, context), raise_server_exceptions=False)

    answer = client.get("/api/pool")

    assert answer.status_code == 500
    assert "secret" not in answer.text


@pytest.mark.parametrize("part", PARTS)
def test_the_routes_of_a_part_are_where_their_paths_are_looked_for(part: Part) -> None:
    router = import_module(f"functions.core_service.routes.{part}").router

    paths = [route.path for route in router.routes]

    assert paths and {part_of(path) for path in paths} == {part}


def test_the_description_has_the_routes_of_every_part() -> None:
    described = TestClient(Application(ServicesOf(World()))).get("/api/openapi.json").json()

    whole = Application(ServicesOf(World()))
    whole.load(*PARTS)
    assert described == whole.openapi()
    assert {part_of(path) for path in described["paths"]} == set(PARTS)
