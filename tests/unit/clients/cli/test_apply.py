"""`xylem apply`, before the real service: a plan first, then nothing but the plan."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.stories.world import BACKEND
from tests.unit.clients.cli.service_world import ServiceWorld

EXAMPLE = Path(__file__).parents[4] / "examples" / "gitops"
SECRET = {"TEAM_A_REGISTRY_PASSWORD": "not in the folder"}
KINDS = ("WORKFLOW", "ROLE", "POD_TEMPLATE", "RESOURCE_VALIDATION", "POOL", "DATASET")

EVERYTHING = """\
kind: SERVICE
spec: {max_pod_restart_limit: 5m}
---
kind: GROUP_TEMPLATE
name: limits
spec: {apiVersion: v1, kind: ConfigMap, metadata: {name: limits}}
---
kind: POD_TEMPLATE
name: probe
spec: {spec: {containers: [{name: main, image: busybox}]}}
---
kind: BACKEND_TEST
name: nodes
spec: {cron_schedule: "0 * * * *", node_conditions: [Probed], common_pod_template: [probe]}
---
kind: BACKEND
name: cluster-1
spec: {description: The first, tests: [nodes], scheduler_settings: {scheduler_type: volcano}}
---
kind: BUCKET
name: lab
spec: {dataset_path: lab, description: Of the lab}
"""


class Killed(BaseException):
    """Nothing of the program gets to see it."""


def applied(world: ServiceWorld, folder: Path, *options: str) -> str:
    return world.done("apply", "-f", folder, *options, environ=SECRET)


def state(world: ServiceWorld) -> dict[str, object]:
    configs = {kind: json.loads(world.done("config", "show", kind, "-t", "json")) for kind in KINDS}
    user = json.loads(world.done("user", "get", "team-a-ci", "-t", "json"))
    return {
        **configs,
        "user": sorted(one["role_name"] for one in user["roles"]),
        "app": world.done("app", "spec", "team-a-train"),
        "credentials": _credentials(world),
    }


def _credentials(world: ServiceWorld) -> list[str]:
    found = world.done("credential", "list", "--pool", "team-a", "--format-type", "json")
    return [one["cred_name"] for one in json.loads(found)["credentials"]]


def a_folder(path: Path, text: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "all.yaml").write_text(text)
    return path


def pool(description: str) -> str:
    return (
        f"kind: POOL\nname: team\nspec: {{backend: {BACKEND}, description: '{description}',"
        " platforms: {cpu: {}}, default_platform: cpu}\n"
    )


def test_a_plan_is_shown_and_with_a_dry_run_nothing_is_written() -> None:
    world = ServiceWorld()

    said = applied(world, EXAMPLE, "--dry-run")

    assert "+ POOL team-a" in said.splitlines()
    assert "~ WORKFLOW" in said.splitlines()
    assert "+  - golden" in [line.replace("    - ", "  - ") for line in said.splitlines()]
    assert world.writes == []


def test_before_anything_is_written_one_is_asked() -> None:
    world = ServiceWorld()

    refused = world.xylem("apply", "-f", EXAMPLE, stdin="no\n", environ=SECRET)
    silent = world.xylem("apply", "-f", EXAMPLE, environ=SECRET)

    assert (refused.code, silent.code, world.writes) == (0, 2, [])
    world.done("apply", "-f", EXAMPLE, stdin="y\n", environ=SECRET)
    assert world.writes


def test_done_again_it_changes_nothing() -> None:
    world = ServiceWorld()
    applied(world, EXAMPLE, "--yes")
    before, written = state(world), len(world.writes)

    again = applied(world, EXAMPLE, "--yes")

    assert again.endswith("as declared: nothing to do.\n")
    assert (state(world), len(world.writes)) == (before, written)


def test_every_kind_is_written_once_and_is_then_as_declared(tmp_path: Path) -> None:
    world = ServiceWorld()
    folder = a_folder(tmp_path / "all", EVERYTHING)

    applied(world, folder, "--yes")

    assert len(world.writes) == 6
    assert applied(world, folder, "--yes").endswith("nothing to do.\n")
    shown = world.done("config", "show", "BACKEND", "cluster-1")
    assert "volcano" in shown


def test_what_is_no_longer_said_has_its_default_again(tmp_path: Path) -> None:
    world = ServiceWorld()
    applied(
        world,
        a_folder(tmp_path, pool("a") + "---\nkind: WORKFLOW\nspec: {max_num_tasks: 7}\n"),
        "-y",
    )

    said = applied(world, a_folder(tmp_path, pool("") + "---\nkind: WORKFLOW\nspec: {}\n"), "-y")

    assert "-description: a" in said.splitlines()
    assert "max_num_tasks: 10000" in world.done("config", "show", "WORKFLOW")


def kill_at(world: ServiceWorld, write: int) -> Callable[[httpx.Request], None]:
    first = len(world.writes)

    def kill(request: httpx.Request) -> None:
        if request.method != "GET" and len(world.writes) - first == write:
            raise Killed

    return kill


WRITES = 8
"""As many as the example has documents."""


@pytest.mark.parametrize("answered", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_killed_at_any_write_the_next_run_completes_it(write: int, answered: bool) -> None:
    world, whole = ServiceWorld(), ServiceWorld()
    applied(whole, EXAMPLE, "--yes")
    assert len(whole.writes) == WRITES
    kill = kill_at(world, write)
    if answered:
        world.after = kill
    else:
        world.before = kill

    with pytest.raises(Killed):
        applied(world, EXAMPLE, "--yes")
    world.before = world.after = lambda request: None
    applied(world, EXAMPLE, "--yes")

    assert state(world) == state(whole)
    assert applied(world, EXAMPLE, "--yes").endswith("nothing to do.\n")


def test_interrupted_it_says_how_far_it_came_and_ends_as_interrupted_programs_do() -> None:
    world = ServiceWorld()

    def interrupt(request: httpx.Request) -> None:
        if len(world.writes) == 3:
            raise KeyboardInterrupt

    world.before = interrupt
    said = world.xylem("apply", "-f", EXAMPLE, "--yes", environ=SECRET)

    assert said.code == 130
    assert "2 written, 6 not: the same command goes on with them." in said.err


def test_what_another_changes_after_the_plan_is_not_written_over(tmp_path: Path) -> None:
    world = ServiceWorld()
    folder = a_folder(tmp_path, pool("mine"))
    applied(world, folder, "--yes")
    a_folder(tmp_path, pool("mine again"))

    def meanwhile(request: httpx.Request) -> None:
        if request.method != "GET" and request.url.path.endswith("/pool/team"):
            world.before = lambda request: None
            body = json.dumps({"configs": {"backend": BACKEND, "description": "theirs"}})
            world.service.ask(
                "PUT", "/api/configs/pool/team", body=body, who="eve", roles="osmo-admin"
            )

    world.before = meanwhile
    said = world.xylem("apply", "-f", folder, "--yes")

    assert said.code == 2
    assert "by eve" in said.err
    assert "0 written, 1 not" in said.err
    assert "theirs" in world.done("config", "show", "POOL", "team")


def test_what_is_not_declared_is_left_unless_it_is_pruned(tmp_path: Path) -> None:
    world = ServiceWorld()
    world.done("config", "set", "ROLE", "mine", "pool")
    world.done("config", "update", "POOL", "old", "-f", "-", stdin=f"backend: {BACKEND}")
    folder = a_folder(tmp_path, pool("new"))

    left = world.xylem("apply", "-f", folder, "--yes")
    pruned = applied(world, folder, "--yes", "--prune")

    assert "Not declared, and left as they are: POOL default, POOL old" in left.err
    assert [line for line in pruned.splitlines() if line.startswith("-")] == [
        "- POOL old",
        "- POOL default",
    ]
    pools = json.loads(world.done("config", "show", "POOL", "-t", "json"))["pools"]
    assert set(pools) == {"team"}
    assert "mine" in world.done("role", "list")


def test_what_ships_is_never_pruned(tmp_path: Path) -> None:
    world = ServiceWorld()
    template = "kind: POD_TEMPLATE\nname: mine\nspec: {spec: {hostNetwork: true}}\n"
    role = "kind: ROLE\nname: r\nspec: {policies: [{actions: ['workflow:List']}]}\n"

    applied(world, a_folder(tmp_path, f"{template}---\n{role}"), "--yes", "--prune")

    assert "DELETE" not in " ".join(world.writes)


def test_a_secret_is_looked_up_before_anything_is_written() -> None:
    world = ServiceWorld()

    said = world.xylem("apply", "-f", EXAMPLE, "--yes")

    assert said.code == 2
    assert "the environment has no TEAM_A_REGISTRY_PASSWORD" in said.err
    assert world.writes == []


def test_a_secret_that_is_there_is_written_again_when_it_is_said() -> None:
    world = ServiceWorld()
    applied(world, EXAMPLE, "--yes")
    written = len(world.writes)

    assert applied(world, EXAMPLE, "--yes").endswith("nothing to do.\n")
    said = applied(world, EXAMPLE, "--yes", "--renew-secrets")

    assert world.writes[written:] == ["POST /api/credentials/registry"]
    assert SECRET["TEAM_A_REGISTRY_PASSWORD"] not in said


def test_programs_get_the_plan_and_what_was_done() -> None:
    world = ServiceWorld()

    planned = json.loads(applied(world, EXAMPLE, "--dry-run", "-t", "json"))
    done = json.loads(applied(world, EXAMPLE, "--yes", "-t", "json"))

    assert [one["written"] for one in planned["changes"]] == [False] * WRITES
    assert [one["written"] for one in done["changes"]] == [True] * WRITES
    assert {one["action"] for one in done["changes"]} == {"create", "update"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\n", "all.yaml: a document has a `kind`"),
        ("kind: NOPE\nname: x\nspec: {}\n", "NOPE is no kind"),
        ("kind: POOL\nspec: {}\n", "POOL needs a `name`"),
        ("kind: WORKFLOW\nname: x\nspec: {}\n", "WORKFLOW has no name"),
        ("kind: POOL\nname: x\nspec: {}\nextra: 1\n", "has no extra"),
        ("kind: POOL\nname: x\nspec: {}\n", "POOL x: backend: Field required"),
        ("kind: POOL\nname: x\nspec: []\n", "has to be keys with values"),
        ("kind: POOL\nname: x\nspec: {backend: b, plattforms: {}}\n", "plattforms"),
        (
            "kind: POOL\nname: x\nspec: {backend: b, common_pod_template: [nope]}\n",
            "POOL x: spec.common_pod_template[0]: nope is not known",
        ),
        ("kind: ROLE\nname: r\nspec: {policies: [{actions: ['x:Y']}]}\n", "x:Y"),
        (
            "kind: CREDENTIAL\nname: c\nspec: {payload: {key: secret}}\n",
            "payload.key is a secret, which does not belong in a folder",
        ),
        ("kind: APP\nname: a\nspec: {description: d}\n", "as `file: PATH` or as `text`"),
        ("kind: APP\nname: a\nspec: {description: d, file: nope}\n", "nope"),
        ("kind: [\n", "is no YAML"),
        (f"{pool('a')}---\n{pool('b')}", "is declared in all.yaml already"),
        ("", "declares nothing"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_with_its_file(
    tmp_path: Path, text: str, words: str
) -> None:
    world = ServiceWorld()

    said = world.xylem("apply", "-f", a_folder(tmp_path, text), "--yes")

    assert (said.code, world.writes) == (2, [])
    assert words in said.err
