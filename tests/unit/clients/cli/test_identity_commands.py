"""`xylem user`, `role`, `token`, `profile` and `whoami`, before the real service."""

import json
from datetime import date, timedelta

import pytest

from tests.unit.clients.cli.service_world import ServiceWorld


def with_ci() -> ServiceWorld:
    world = ServiceWorld()
    world.done("user", "create", "ci", "--roles", "osmo-user", "osmo-admin")
    return world


def test_a_user_is_made_with_roles_and_shown() -> None:
    shown = with_ci().done("user", "get", "ci")

    assert "osmo-admin" in shown
    assert "osmo-user" in shown
    assert "by root" in shown


def test_users_are_listed_by_prefix_and_role() -> None:
    world = with_ci()
    world.done("user", "create", "bob")

    assert "bob" in world.done("user", "list")
    assert "bob" not in world.done("user", "list", "--roles", "osmo-admin", "osmo-user")
    assert "ci" not in world.done("user", "list", "--id-prefix", "b")


def test_roles_of_a_user_are_given_and_taken_by_one_command() -> None:
    world = with_ci()
    after = world.done(
        *("user", "update", "ci", "--add-roles", "osmo-ctrl"),
        *("--remove-roles", "osmo-admin", "osmo-user", "-t", "json"),
    )

    assert [one["role_name"] for one in json.loads(after)["roles"]] == ["osmo-ctrl"]
    assert world.xylem("user", "update", "ci").code == 2


@pytest.mark.parametrize(
    ("command", "write"),
    [
        (("user", "delete", "ci"), "DELETE /api/auth/user/ci"),
        (("token", "delete", "t", "--user", "ci"), "DELETE /api/auth/user/ci/access_token/t"),
        (("role", "delete", "team-a"), "DELETE /api/configs/role/team-a"),
        (("config", "delete", "ROLE", "team-a"), "DELETE /api/configs/role/team-a"),
        (("config", "rollback", "ROLE:1"), "POST /api/configs/history/rollback"),
        (("app", "rename", "a", "b"), "POST /api/app/user/a/rename"),
        (("app", "delete", "a", "--all"), "DELETE /api/app/user/a"),
    ],
)
def test_what_cannot_be_undone_is_asked_about(command: tuple[str, ...], write: str) -> None:
    world = with_ci()
    world.done("token", "set", "t", "--user", "ci")
    world.done("config", "set", "ROLE", "team-a", "pool")
    world.done("app", "create", "a", "-d", "x", "--file", "-", stdin="workflow:\n  name: a\n")

    def asked_so_far() -> bool:
        return write in world.asked

    refused = world.xylem(*command, stdin="n\n")
    assert (refused.code, asked_so_far()) == (0, False)
    assert "othing was" in refused.err

    silent = world.xylem(*command)
    assert (silent.code, asked_so_far()) == (2, False)
    assert "say --force" in silent.err

    assert world.xylem(*command, stdin="y\n").code == 0
    assert asked_so_far()


def test_with_yes_or_force_nothing_is_asked() -> None:
    world = with_ci()
    world.done("user", "create", "bob")

    assert "?" not in world.xylem("user", "delete", "ci", "-y").err
    assert "?" not in world.xylem("user", "delete", "bob", "--force").err


def test_a_token_is_shown_once_and_listed_without_its_secret() -> None:
    world = with_ci()

    said = world.xylem("token", "set", "laptop", "--user", "ci", "--description", "mine")
    secret = said.out.strip()
    listed = world.done("token", "list", "--user", "ci")

    assert len(secret) == 43
    assert "not shown again" in said.err
    assert "laptop" in listed
    assert "mine" in listed
    assert secret not in listed


def test_a_token_ends_when_it_is_said_or_in_a_month() -> None:
    world = with_ci()

    said = json.loads(world.done("token", "set", "a", "--user", "ci", "-t", "json"))
    assert date.fromisoformat(said["expires_at"]) - world.world.clock().date() == timedelta(31)
    assert world.xylem("token", "set", "b", "--expires-at", "soon").code == 2


def test_a_role_is_set_from_a_file_shown_and_given() -> None:
    world = with_ci()
    policies = "policies: [{actions: ['workflow:*'], resources: [pool/a]}]"

    world.done("role", "set", "team-a", "--file", "-", stdin=policies)
    world.done("role", "assign", "team-a", "ci")

    assert "pool/a" in world.done("role", "show", "team-a")
    assert "team-a" in world.done("role", "list")
    assert "ci" in world.done("role", "users", "team-a")


def test_of_several_users_those_who_are_known_get_the_role() -> None:
    world = with_ci()

    said = world.xylem("role", "assign", "osmo-ctrl", "ci", "Not A Name!")

    assert said.code == 1
    assert "ci has role osmo-ctrl." in said.out
    assert "there is no such user" in said.err


def test_who_asks_is_told_who_he_is() -> None:
    world = ServiceWorld()
    world.done("profile", "set", "pool", "default", who="alice", roles="osmo-user")

    said = world.done("whoami", who="alice", roles="osmo-user")

    assert "alice" in said
    assert "https://xylem.test" in said
    assert [line.split()[-1] for line in said.splitlines() if "default pool" in line] == ["default"]


def test_notifications_are_switched() -> None:
    world = ServiceWorld()

    world.done("profile", "set", "notifications", "email", "true")

    assert "email" in world.done("profile", "list")
    assert world.xylem("profile", "set", "notifications", "carrier-pigeon", "true").code == 2
    assert world.xylem("profile", "set", "notifications", "email").code == 2
