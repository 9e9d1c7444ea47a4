"""What is open in OSMO 6.4, as its own service was seen to answer, and is closed here."""

from typing import Any

import jwt
import pytest

from tests.builders_spec import a_task, yaml_of
from tests.unit.security.front_door import HELLO, NEXT_YEAR, FrontDoor, allowing, denying
from xylem.domain.access import ADMIN, USER
from xylem.domain.ids import UserName, WorkflowId
from xylem.domain.role import EVERYBODY, SHIPPED_ROLES


def test_1_the_service_itself_asks_who_may_and_believes_no_header() -> None:
    """There only the gateway asks, and whoever reaches the service is who he says."""
    door = FrontDoor()
    claimed = {"x-osmo-user": "root", "x-osmo-roles": ADMIN}

    direct = door.core.ask("GET", "/api/auth/user", headers=claimed, context={"kind": "user"})

    assert direct.status == 401
    assert door.core.ask("GET", "/api/auth/user", headers=claimed, who="eve").status == 403


def test_2_whoever_may_cancel_in_a_pool_does_not_cancel_anybodys_workflow() -> None:
    door = FrontDoor()
    name = door.submitted(door.token("alice"))

    answer = door.ask("POST", f"/api/workflow/{name}/cancel", token=door.token("bob"))

    assert answer.status == 403
    assert not door.world.look(WorkflowId(name)).workflow.status.final


@pytest.mark.parametrize("role", sorted(SHIPPED_ROLES))
def test_3_a_role_that_ships_is_neither_deleted_nor_emptied_nor_denied(role: str) -> None:
    door = FrontDoor()
    before = door.ask("GET", f"/api/configs/role/{role}", token=door.root).body

    assert door.ask("DELETE", f"/api/configs/role/{role}", token=door.root).status == 400
    assert door.put_role(door.root, role).status == 400
    assert door.put_role(door.root, role, *before["policies"], denying("*:*")).status == 400
    assert door.ask("GET", f"/api/configs/role/{role}", token=door.root).body == before


def test_4_a_user_mints_no_token_in_anothers_name() -> None:
    """There `auth:Token` on `*` matches `user/<anyone>`."""
    door = FrontDoor()
    door.user("root", ADMIN)

    path = "/api/auth/user/root/access_token/mine"
    answer = door.ask("POST", path, token=door.token("eve"), query=NEXT_YEAR)

    assert answer.status == 403
    assert door.world.identity.tokens(UserName("root")) == []


def test_5_nobody_makes_a_token_by_what_everybody_may() -> None:
    """There the role that everybody has comes with `auth:Token` in the Helm chart."""
    door = FrontDoor()

    answer = door.ask(
        "POST", "/api/auth/access_token/mine", token=door.token("eve", EVERYBODY), query=NEXT_YEAR
    )

    assert answer.status == 403


@pytest.mark.parametrize("by", ["name", "uuid"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/spec"), ("GET", "/events"), ("GET", "/audit"), ("POST", "/cancel")],
)
def test_6_a_uuid_is_no_way_around_the_pool_that_one_may_use(
    method: str, path: str, by: str
) -> None:
    """There a pool is looked up by name alone, and what is not found may be in any."""
    door = FrontDoor()
    name = door.submitted(door.token("alice"))
    known = door.world.look(WorkflowId(name)).workflow
    door.role("elsewhere", allowing("workflow:*", on="pool/other"))
    token = door.token("alice", "elsewhere")

    where = f"/api/workflow/{name if by == 'name' else known.uuid}{path}"

    assert door.ask(method, where, token=token).status == 403


def test_7_a_user_tags_his_own_workflow_and_no_other() -> None:
    """There the route has no action, so only an admin may: and whoever wants to is made one."""
    door = FrontDoor()
    door.world.configure(tags=("good",))
    name = door.submitted(door.token("alice"))

    path = f"/api/workflow/{name}/tag"
    mine = door.ask("POST", path, token=door.token("alice"), query="add=good")
    his = door.ask("POST", path, token=door.token("bob"), query="remove=good")

    assert (mine.status, his.status) == (200, 403)
    assert door.world.look(WorkflowId(name)).workflow.tags == ("good",)


def test_8_a_role_for_one_kind_of_config_is_written_as_it_is_read() -> None:
    """There documents say `config/ROLE` and the code `config/role`: a denial misses."""
    door = FrontDoor()
    door.role("no-roles", allowing("config:*"), denying("config:*", on="config/role"))
    token = door.token("eve", "no-roles")

    assert door.ask("GET", "/api/configs/role", token=token).status == 403
    assert door.put_role(token, "new").status == 403
    assert door.ask("GET", "/api/configs/pool", token=token).status == 200


BAD: dict[str, tuple[str, str, str, Any, dict[str, str]]] = {
    "a cycle": (
        "POST",
        "/api/pool/default/workflow",
        "",
        {
            "file": yaml_of(
                a_task("a", inputs=[{"task": "b"}]), a_task("b", inputs=[{"task": "a"}]), name="w"
            )
        },
        {},
    ),
    "a day": ("POST", "/api/auth/access_token/t", "expires_at=never", None, {}),
    "a version": ("GET", "/api/pool", "", None, {"x-osmo-client-version": "new"}),
    "no pool": ("GET", "/api/pool", "all_pools=false", None, {}),
    "no resource": ("GET", "/api/resources/nope", "", None, {}),
    "no backend": ("GET", "/api/configs/backend/nope", "", None, {}),
    "no task": ("GET", "/api/workflow/nope-1/task/nope", "", None, {}),
}


@pytest.mark.parametrize("bad", BAD)
def test_9_a_mistake_is_a_400_that_tells_nothing_of_the_inside(bad: str) -> None:
    """There it is a 500 that ends the connection, or the text of an SQL statement."""
    door = FrontDoor()
    method, path, query, body, headers = BAD[bad]

    answer = door.ask(method, path, token=door.root, query=query, body=body, headers=headers)

    assert answer.status == 400
    said = str(answer.body).lower()
    for inside in ("traceback", "select ", "dynamodb", 'file "', "exception"):
        assert inside not in said


def test_10_a_token_is_bound_to_one_service_and_names_its_key() -> None:
    """There it has no `kid`, and issuer and audience are the word `osmo` everywhere."""
    door = FrontDoor()
    token = door.exchanged(door.access_token(door.token("alice"))).body["token"]

    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["kid"] == door.signer.active_key
    assert (claims["iss"], claims["aud"], claims["sub"]) == (door.signer.issuer, "xylem", "alice")
    assert claims["exp"] - claims["iat"] == 300


def test_what_all_this_is_compared_with_is_not_refused() -> None:
    door = FrontDoor()

    answer = door.ask(
        "POST", "/api/pool/default/workflow", token=door.token("alice", USER), body={"file": HELLO}
    )

    assert answer.status == 200
