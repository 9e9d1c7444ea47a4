"""What one may ask for is bounded: in size, how often, and how much at a time; whoever is over it
hears so in the shape of every error, and when to come again."""

import json

import pytest

from functions.core_service.api import BODY_BYTES, LARGE_BODY_BYTES
from tests.builders_spec import a_task, yaml_of
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.access import ADMIN
from xylem.domain.ids import WorkflowId
from xylem.usecases.limits import OWN, WINDOW, PerSecond

SPEC = yaml_of(a_task("a"), name="w")


def require_later(answer: Answer) -> None:
    assert answer.status == 429
    assert set(answer.body) == {"message", "error_code", "workflow_id"}
    assert answer.body["error_code"] == "too_many"
    assert int(answer.headers["retry-after"]) > 0


# How often ----------------------------------------------------------------------------------------


def test_whoever_asks_too_often_is_told_when_to_come_again() -> None:
    service = CoreService(limits=PerSecond(user=1))
    answers = [service.ask("GET", "/api/profile/settings") for _ in range(OWN + 11)]

    assert [one.status for one in answers[:-1]] == [200] * (OWN + 10)
    require_later(answers[-1])
    assert service.ask("GET", "/api/profile/settings", who="bob").status == 200

    service.world.later(WINDOW)
    assert service.ask("GET", "/api/profile/settings").status == 200


def test_what_is_refused_counts_as_well() -> None:
    """Whoever tries doors is stopped at those, too."""
    service = CoreService(limits=PerSecond(user=1))
    statuses = [service.ask("GET", "/api/auth/user").status for _ in range(OWN + 11)]

    assert statuses == [403] * (OWN + 10) + [429]


def test_what_is_open_to_all_is_not_counted_for_nobody_is_known_there() -> None:
    service = CoreService(limits=PerSecond(user=0))

    for _ in range(50):
        assert service.ask("GET", "/api/version").status == 200


# How much -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("POST", "/api/profile/settings", BODY_BYTES),
        ("POST", "/api/credentials/mine", BODY_BYTES),
        ("PATCH", "/api/configs/workflow", BODY_BYTES),
        ("POST", "/api/auth/jwt/access_token", BODY_BYTES),
        ("POST", "/api/nothing/there", BODY_BYTES),
        ("POST", "/api/pool/default/workflow", LARGE_BODY_BYTES),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_a_body_is_bounded_before_it_is_read(
    method: str, path: str, most: int, binary: bool
) -> None:
    service = CoreService()
    body = "x" * (most + 4)

    answer = service.ask(
        method, path, body=body.encode() if binary else body, roles=ADMIN, who="root"
    )

    assert answer.status == 413
    assert answer.body["error_code"] == "too_large"
    smaller = service.ask(method, path, body="x" * (most - 4), roles=ADMIN, who="root")
    assert smaller.status in {404, 413, 422}
    assert "bytes; the most here is" not in smaller.body["message"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/workflow", "all_pools=true&limit=1001"),
        ("/api/workflow", "all_pools=true&limit=-1"),
        ("/api/workflow", "all_pools=true&offset=999999999999"),
        ("/api/app", "limit=100000"),
        ("/api/auth/user", "count=1001"),
        ("/api/configs/history", "limit=1001"),
        ("/api/configs/history", "offset=10000000"),
    ],
)
def test_a_page_is_bounded(path: str, query: str) -> None:
    answer = CoreService().ask("GET", path, query=query, who="root", roles=f"{ADMIN},osmo-user")

    assert answer.status in {400, 422}


# How many at a time -------------------------------------------------------------------------------


def limited(**limits: int) -> CoreService:
    service = CoreService()
    changes: dict[str, object] = {}
    if "user" in limits:
        changes["user_workflow_limits"] = {"max_num_workflows": limits["user"]}
    if "pool" in limits:
        changes["max_num_workflows_per_pool"] = limits["pool"]
    body = json.dumps({"configs_dict": changes})
    answer = service.ask("PATCH", "/api/configs/workflow", body=body, who="root", roles=ADMIN)
    assert answer.status == 200, answer
    return service


def end(world: World, name: str) -> None:
    """Cancelled, and its cluster has answered."""
    world.settle()
    world.cancel(WorkflowId(name))
    world.settle()


def test_a_user_has_so_many_workflows_at_a_time_and_another_when_one_ended() -> None:
    service = limited(user=2)
    assert [service.submit(SPEC).status for _ in range(2)] == [200, 200]

    require_later(service.submit(SPEC))
    assert "alice has 2 workflows" in service.submit(SPEC).body["message"]
    assert service.submit(SPEC, who="bob").status == 200
    assert WorkflowId("w-4") not in service.world.rows.stored_workflows

    end(service.world, "w-1")
    assert service.submit(SPEC).status == 200
    require_later(service.submit(SPEC))


def test_a_pool_has_so_many_workflows_at_a_time_whosever_they_are() -> None:
    service = limited(pool=2)
    assert [service.submit(SPEC, who=who).status for who in ("alice", "bob")] == [200, 200]

    answer = service.submit(SPEC, who="carol")

    require_later(answer)
    assert "Pool default has 2 workflows" in answer.body["message"]


def test_a_restart_and_a_resubmission_are_submissions() -> None:
    service = limited(user=1)
    service.submit(SPEC)
    end(service.world, "w-1")
    service.submit(SPEC)

    path = "/api/pool/default/workflow"
    require_later(service.ask("POST", f"{path}/w-1/restart"))
    require_later(service.ask("POST", path, query="workflow_id=w-1"))


def test_whoever_validates_takes_no_place_and_needs_none() -> None:
    service = limited(user=0)

    assert service.submit(SPEC, query="validation_only=true").status == 200
    require_later(service.submit(SPEC))


def test_an_answer_that_was_lost_is_given_again_though_there_is_no_room_any_more() -> None:
    service = limited(user=1)
    key = {"idempotency-key": "once"}
    first = service.submit(SPEC, headers=key)

    again = service.submit(SPEC, headers=key)

    assert (again.status, again.body["name"]) == (200, first.body["name"])


def test_the_limits_are_read_back_as_they_were_set_and_are_off_at_first() -> None:
    assert CoreService().world.configs.workflow().max_num_workflows is None
    service = limited(user=3, pool=7)

    shown = service.ask("GET", "/api/configs/workflow", who="root", roles=ADMIN).body

    assert shown["user_workflow_limits"]["max_num_workflows"] == 3
    assert shown["max_num_workflows_per_pool"] == 7
