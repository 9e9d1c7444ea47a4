"""Nobody comes to more than he was given, by whatever route of configs, users, profiles or tokens;
and what is somebody else's stays his."""

from typing import Any

import pytest

from tests.unit.security.front_door import HELLO, FrontDoor, allowing, denying
from xylem.domain.access import ADMIN, USER
from xylem.domain.ids import UserName, WorkflowId

MALLORY = "mallory"


def a_door(*policies: dict[str, Any]) -> tuple[FrontDoor, str]:
    """With somebody who was given a role with these policies, and his token."""
    door = FrontDoor()
    door.role("his", *policies)
    door.user(MALLORY, "his")
    return door, door.token(MALLORY, USER, "his")


WRITES_ROLES = allowing("config:*")
MANAGES_USERS = allowing("user:Manage")


# Roles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        allowing("*"),
        allowing("*:*"),
        allowing("user:Manage"),
        allowing("*:Manage"),
        allowing("workflow:*"),
        allowing("workflow:Cancel", on="pool/*"),
        allowing("workflow:Cancel", on="user/alice"),
    ],
    ids=lambda policy: f"{policy['actions']} on {policy['resources']}",
)
@pytest.mark.parametrize("name", ["his", "osmo-user", "new"])
def test_whoever_writes_roles_writes_none_that_allows_what_he_may_not(
    policy: dict[str, Any], name: str
) -> None:
    door, token = a_door(WRITES_ROLES)
    before = door.ask("GET", f"/api/configs/role/{name}", token=door.root).body
    kept = before["policies"] if name != "new" else []

    for method, path, body in (
        ("PUT", f"/{name}", {"name": name, "description": "", "policies": [*kept, policy]}),
        ("PUT", "", [{"name": name, "description": "", "policies": [*kept, policy]}]),
    ):
        answer = door.ask(method, f"/api/configs/role{path}", token=token, body={"configs": body})
        assert answer.status == 403, (answer, policy)
    assert door.ask("GET", f"/api/configs/role/{name}", token=door.root).body == before


def test_whoever_writes_roles_hands_on_what_he_may_do_and_less() -> None:
    door, token = a_door(WRITES_ROLES, allowing("workflow:*", on="pool/team-*"))

    for policy in (
        allowing("config:Read"),
        allowing("workflow:Cancel", on="pool/team-a"),
        allowing("workflow:*", on="pool/team-a*"),
        denying("*:*"),
    ):
        assert door.put_role(token, "new", policy).status == 200


def test_what_he_is_denied_anywhere_he_hands_on_nowhere() -> None:
    door, token = a_door(WRITES_ROLES, allowing("workflow:*"), denying("workflow:*", on="pool/b"))

    assert door.put_role(token, "new", allowing("workflow:*")).status == 403
    assert door.put_role(token, "new", allowing("workflow:*", on="pool/b*")).status == 403
    assert door.put_role(token, "new", allowing("workflow:*", on="pool/a")).status == 200


def test_nobody_takes_the_denial_out_of_his_own_role_or_deletes_that() -> None:
    door, token = a_door(WRITES_ROLES, allowing("workflow:*"), denying("workflow:Cancel"))

    assert door.put_role(token, "his", WRITES_ROLES, allowing("workflow:*")).status == 403
    assert door.ask("DELETE", "/api/configs/role/his", token=token).status == 403


def test_a_role_is_not_given_to_a_providers_people_by_who_may_not_give_it() -> None:
    door, token = a_door(WRITES_ROLES)
    shipped = door.ask("GET", f"/api/configs/role/{ADMIN}", token=door.root).body

    taken = {**shipped, "external_roles": ["everybody"]}
    body = {"configs": taken}
    answer = door.ask("PUT", f"/api/configs/role/{ADMIN}", token=token, body=body)

    assert answer.status == 403


def test_an_earlier_revision_of_roles_is_no_way_back_to_more() -> None:
    door, token = a_door(WRITES_ROLES, allowing("*:*"))
    door.role("his", WRITES_ROLES)
    history = door.ask(
        "GET", "/api/configs/history", token=door.root, query="config_types=ROLE&omit_data=true"
    )
    earlier = history.body["configs"][-1]["revision"] - 1

    body = {"config_type": "ROLE", "revision": earlier}
    answer = door.ask("POST", "/api/configs/history/rollback", token=token, body=body)

    assert answer.status == 403
    assert door.ask("GET", "/api/auth/user", token=token).status == 403


def test_the_right_to_the_history_is_none_to_the_configs_themselves() -> None:
    door, token = a_door(allowing("config:Update", on="config/history"))
    changed = {"configs_dict": {"max_num_tasks": 5}}
    door.ask("PATCH", "/api/configs/workflow", token=door.root, body=changed)

    body = {"config_type": "WORKFLOW", "revision": 1}
    answer = door.ask("POST", "/api/configs/history/rollback", token=token, body=body)

    assert answer.status == 403
    assert door.world.configs.workflow().max_num_tasks == 5


@pytest.mark.parametrize("kind", ["pool", "pod_template", "backend", "service", "workflow", "role"])
def test_the_right_to_one_kind_of_config_is_none_to_another(kind: str) -> None:
    other = "pool" if kind == "role" else "role"
    door, token = a_door(allowing("config:*", on=f"config/{kind}"))

    assert door.ask("GET", f"/api/configs/{kind}", token=token).status == 200
    assert door.ask("GET", f"/api/configs/{other}", token=token).status == 403


# Users --------------------------------------------------------------------------------------------


def test_whoever_manages_users_gives_nobody_a_role_beyond_his_own() -> None:
    door, token = a_door(MANAGES_USERS)
    door.user("friend")

    for method, path, body in (
        ("POST", "/user", {"id": "puppet", "roles": [ADMIN]}),
        ("POST", "/user/friend/roles", {"role_name": ADMIN}),
        ("POST", f"/user/{MALLORY}/roles", {"role_name": ADMIN}),
        ("POST", f"/roles/{ADMIN}/users", {"user_ids": ["friend", MALLORY]}),
    ):
        assert door.ask(method, f"/api/auth{path}", token=token, body=body).status == 403
    assert door.world.identity.having(ADMIN) == []
    assert door.world.identity.user(UserName("puppet")) is None


def test_whoever_manages_users_gives_them_his_own_roles() -> None:
    door, token = a_door(MANAGES_USERS)
    door.user("friend")

    for role in ("his", USER):
        body = {"role_name": role}
        answer = door.ask("POST", "/api/auth/user/friend/roles", token=token, body=body)
        assert answer.status == 200


def test_nobody_frees_himself_of_a_role_that_denies_him_something() -> None:
    door, token = a_door(MANAGES_USERS, denying("workflow:Cancel"))

    assert door.ask("DELETE", f"/api/auth/user/{MALLORY}/roles/his", token=token).status == 403
    assert door.ask("DELETE", f"/api/auth/user/{MALLORY}", token=token).status == 403


@pytest.mark.parametrize("role", [USER, "osmo-backend", "osmo-ctrl"])
def test_nobody_else_makes_users_or_sees_them(role: str) -> None:
    door = FrontDoor()
    token = door.token("eve", role)

    for method, path, body in (
        ("GET", "/user", None),
        ("POST", "/user", {"id": "eve2", "roles": [ADMIN]}),
        ("GET", "/user/root", None),
        ("POST", "/user/eve/roles", {"role_name": ADMIN}),
        ("GET", f"/roles/{ADMIN}/users", None),
    ):
        assert door.ask(method, f"/api/auth{path}", token=token, body=body).status == 403


# Mass assignment ----------------------------------------------------------------------------------


def test_a_profile_takes_what_is_a_profiles_and_passes_the_rest_over() -> None:
    door = FrontDoor()
    door.user("alice", USER)
    body = {
        "slack_notification": True,
        "username": "root",
        "user": "root",
        "roles": [ADMIN],
        "pools": ["everything"],
        "token": {"name": "mine"},
    }

    alice = door.token("alice")
    assert door.ask("POST", "/api/profile/settings", token=alice, body=body).status == 200

    shown = door.ask("GET", "/api/profile/settings", token=alice).body
    assert (shown["profile"]["username"], shown["roles"]) == ("alice", [USER])
    assert (shown["pools"], shown["token"]) == (["default"], None)
    assert door.ask("GET", "/api/profile/settings", token=door.root).body["profile"] == {
        "username": "root",
        "email_notification": False,
        "slack_notification": False,
        "pool": None,
    }


def test_who_makes_a_user_says_neither_who_made_him_nor_when_nor_his_version() -> None:
    door = FrontDoor()
    body = {"id": "carol", "created_by": "system", "created_at": "1999-01-01", "version": 9}

    made = door.ask("POST", "/api/auth/user", token=door.root, body=body).body

    assert made["created_by"] == "root"
    assert made["created_at"].startswith("2026-06-01")


def test_whoever_submits_is_who_he_is_whatever_the_body_says() -> None:
    door = FrontDoor()
    body = {"file": HELLO, "user": "root", "uuid": "0" * 32, "pool": "other", "status": "COMPLETED"}

    answer = door.ask("POST", "/api/pool/default/workflow", token=door.token("alice"), body=body)

    made = door.world.look(WorkflowId(answer.body["name"])).workflow
    assert (made.user, made.pool, made.uuid == "0" * 32) == ("alice", "default", False)


@pytest.mark.parametrize("extra", ["user", "sealed_by", "owner"])
def test_a_credential_with_more_than_a_credentials_fields_is_refused(extra: str) -> None:
    door = FrontDoor()
    data = {"endpoint": "s3://b", "access_key_id": "k", "access_key": "s", extra: "root"}

    answer = door.ask(
        "POST", "/api/credentials/mine", token=door.token("eve"), body={"data_credential": data}
    )

    assert answer.status == 422
    assert door.world.credentials.all(UserName("root")) == []


# What is somebody else's --------------------------------------------------------------------------

ACTS = {
    "cancel": ("POST", "/api/workflow/{}/cancel", "", None),
    "tag": ("POST", "/api/workflow/{}/tag", "add=mine", None),
    "enter": ("POST", "/api/workflow/{}/sessions", "", {"task": "a"}),
    "forward": ("POST", "/api/workflow/{}/sessions", "", {"task": "a", "purpose": "port-forward"}),
    "copy": ("POST", "/api/workflow/{}/sessions", "", {"task": "a", "purpose": "rsync"}),
    "exec": ("POST", "/api/workflow/{}/exec/task/a", "entry_command=sh", None),
    "exec of a group": ("POST", "/api/workflow/{}/exec/group/a", "entry_command=sh", None),
    "ports": ("POST", "/api/workflow/{}/portforward/a", "task_ports=80", None),
    "web": ("POST", "/api/workflow/{}/webserver/a", "task_port=80", None),
    "rsync": ("POST", "/api/workflow/{}/rsync/task/a", "", None),
}


@pytest.mark.parametrize("by", ["name", "uuid"])
@pytest.mark.parametrize("act", ACTS)
def test_another_users_workflow_is_not_touched(act: str, by: str) -> None:
    door = FrontDoor()
    door.world.configure(tags=("mine",))
    name = WorkflowId(door.submitted(door.token("alice")))
    door.world.up(name, "a")
    door.world.settle()
    known = door.world.look(name).workflow
    method, path, query, body = ACTS[act]
    before = door.core.kept()

    answer = door.ask(
        method,
        path.format(name if by == "name" else known.uuid),
        token=door.token("eve"),
        query=query,
        body=body,
    )

    assert answer.status == 403, answer
    assert "was submitted by alice" in answer.body["message"]
    assert door.world.look(name).workflow == known
    assert door.core.kept() == before


def test_a_users_credentials_are_there_for_nobody_else() -> None:
    door = FrontDoor()
    secret = {"generic_credential": {"credential": {"key": "s3cret"}}}
    alice, eve = door.token("alice"), door.token("eve")
    assert door.ask("POST", "/api/credentials/mine", token=alice, body=secret).status == 200

    assert door.ask("GET", "/api/credentials", token=eve).body == {"credentials": []}
    assert door.ask("DELETE", "/api/credentials/mine", token=eve).status == 400
    for method, path in (("GET", ""), ("DELETE", "/mine"), ("POST", "/mine")):
        body = secret if method == "POST" else None
        answer = door.ask(
            method, f"/api/credentials{path}", token=eve, query="pool=default", body=body
        )
        assert answer.status == 403
    assert "s3cret" not in str(door.ask("GET", "/api/credentials", token=alice).body)
    assert [one.name for one in door.world.credentials.all(UserName("alice"))] == ["mine"]


@pytest.mark.parametrize("query", ["", "restart"])
def test_a_workflow_that_one_may_not_read_is_not_submitted_again(query: str) -> None:
    """Its spec would be readable as that of the new one."""
    door = FrontDoor()
    name = door.submitted(door.token("alice"))
    door.role("elsewhere", allowing("workflow:*", on="pool/other"), allowing("workflow:Create"))
    token = door.token("eve", "elsewhere")

    path = "/api/pool/default/workflow"
    again = (f"{path}/{name}/restart", "") if query else (path, f"workflow_id={name}")
    answer = door.ask("POST", again[0], token=token, query=again[1])

    assert answer.status == 403
    assert "workflow:Read" in answer.body["message"]
