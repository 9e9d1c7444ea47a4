"""Credentials on the way of a workflow: asked for at submission, handed over at the start, kept
nowhere else."""

import base64
import gzip
import json
import random
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import NOON, a_mail
from tests.stories.world import USER, World
from xylem.domain.credential import data, generic, keeper_of, registry
from xylem.domain.errors import InvalidSpec
from xylem.domain.ids import BackendName, PoolName, TaskName
from xylem.domain.plan import (
    Checkpoint,
    CredentialUse,
    File,
    GroupPlan,
    TaskPlan,
    UrlInput,
    UrlOutput,
    WorkflowPlan,
)
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.usecases import asked, credentials, jobs, mailbox

SECRET = "correct horse battery staple"
TOKEN = generic("token", {"value": SECRET, "user": "alice"})
STORE = data("store", endpoint="s3://bucket", access_key_id="id", access_key=SECRET)
NVIDIA = registry("nvidia", host="nvcr.io", username="alice", auth=SECRET)
TEAM = data("team", endpoint="s3://bucket/team", access_key_id="team", access_key=SECRET)


POOL = PoolName("default")


def a_task(name: str = "t", **more: Any) -> TaskPlan:
    return TaskPlan(TaskName(name), "alpine", ("true",), lead=True, **more)


def a_group_of(plan: WorkflowPlan) -> GroupPlan:
    """All of its tasks in one."""
    return GroupPlan("g", tuple(task for group in plan.groups for task in group.tasks))


def a_plan(*tasks: TaskPlan) -> WorkflowPlan:
    return WorkflowPlan("w", tuple(GroupPlan(f"{task.name}-group", (task,)) for task in tasks))


USES = a_task(credentials=(CredentialUse("token", environment={"TOKEN": "value"}),))
MOUNTS = a_task(credentials=(CredentialUse("token", mount="/creds"),))


def keep(world: World, *kept: Any) -> None:
    for credential in kept:
        world.credentials.put(USER, credential, replacing=None, now=NOON)


def of_group(world: World, plan: WorkflowPlan, *, runtime: str = "runtime") -> credentials.Secrets:
    """Of its first."""
    return credentials.of_group(
        plan.groups[0], USER, pool=POOL, runtime_image=runtime, credentials=world.credentials
    )


def require(world: World, *tasks: TaskPlan) -> None:
    asked.require(a_plan(*tasks), USER, pool=POOL, credentials=world.credentials)


def test_a_plan_that_asks_for_what_is_there_is_accepted() -> None:
    world = World()
    keep(world, TOKEN)

    require(world, USES, replace(MOUNTS, name=TaskName("u")))


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (a_task(credentials=(CredentialUse("nope", mount="/c"),)), "the credential nope, which"),
        (
            a_task(credentials=(CredentialUse("token", environment={"A": "valu", "B": "user"}),)),
            "asks for valu of the credential token, which has user, value",
        ),
    ],
)
def test_a_plan_that_asks_for_more_is_refused(task: TaskPlan, says: str) -> None:
    world = World()
    keep(world, TOKEN)

    with pytest.raises(InvalidSpec, match=says) as refused:
        require(world, a_task("first"), task)
    assert refused.value.code == "CREDENTIAL"


def test_anothers_credential_is_none() -> None:
    world = World()
    world.credentials.put("bob", TOKEN, replacing=None, now=NOON)  # type: ignore[arg-type]  # a name

    with pytest.raises(InvalidSpec):
        require(world, USES)


def test_pods_are_given_what_their_group_names_and_no_more() -> None:
    world = World()
    keep(world, TOKEN, generic("other", {"value": "not asked for"}))
    plan = a_plan(USES)

    given = of_group(world, plan)

    assert given.named == {"token": TOKEN.payload}
    assert given.stores == {}
    assert SECRET not in repr(given)


def test_the_keys_of_a_store_are_those_of_the_longest_prefix() -> None:
    world = World()
    keep(world, STORE, TEAM, data("other", endpoint="gs://x", access_key_id="", access_key=""))
    task = a_task(
        inputs=(UrlInput("s3://bucket/team/in"),),
        outputs=(UrlOutput("s3://bucket/teamwork"),),
        checkpoints=(Checkpoint("/osmo/data/output/c", "s3://elsewhere/c", timedelta(minutes=1)),),
    )

    given = of_group(world, a_plan(task))

    assert given.stores == {"s3://bucket": STORE.payload, "s3://bucket/team": TEAM.payload}
    assert given.named == {}


def test_a_store_is_opened_by_the_attempts_own_secret_and_named_nowhere_else() -> None:
    world = World()
    keep(world, STORE, TOKEN)
    task = replace(USES, inputs=(UrlInput("s3://bucket/in"),))
    workflow = world.make(a_plan(task))
    world.settle()

    [job] = world.cluster.jobs
    objects = world.objects(job)
    secrets = [item for item in objects if item["kind"] == "Secret"]
    rest = [item for item in objects if item["kind"] != "Secret"]
    configs = [
        json.loads(base64.b64decode(item["data"]["task.json"]))
        for item in secrets
        if "task.json" in item["data"]
    ]
    assert [config["stores"] for config in configs] == [{"s3://bucket": dict(STORE.payload)}]
    assert SECRET not in json.dumps(rest)
    assert world.group(workflow, "t-group").status is TaskStatus.PROCESSING


def test_a_task_is_given_the_stores_of_its_own_urls_alone() -> None:
    world = World()
    keep(world, STORE)
    tasks = (a_task("a", inputs=(UrlInput("s3://bucket/in"),)), replace(a_task("b"), lead=False))
    world.make(WorkflowPlan("w", (GroupPlan("g", tasks),)))
    world.settle()

    [job] = world.cluster.jobs
    configs = {
        config["task"]: config.get("stores")
        for item in world.objects(job)
        if item["kind"] == "Secret" and "task.json" in item["data"]
        for config in [json.loads(base64.b64decode(item["data"]["task.json"]))]
    }
    assert configs == {"a": {"s3://bucket": dict(STORE.payload)}, "b": None}


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        ((), "The credential token of alice is not there any more."),
        ((generic("token", {"user": "alice"}),), "The credential token of alice has no value"),
    ],
)
def test_a_credential_that_is_gone_at_the_start_fails_its_group_and_says_so(
    kept: tuple[Any, ...], says: str
) -> None:
    world = World()
    keep(world, *kept)
    workflow = world.make(a_plan(USES, a_task("healthy")))
    world.settle()
    world.exit(workflow, "healthy", 0)
    world.settle()

    failed = world.group(workflow, "t-group")
    assert failed.status is TaskStatus.FAILED_SERVER_ERROR
    assert says in failed.message
    assert world.group(workflow, "healthy-group").status is TaskStatus.COMPLETED
    assert world.look(workflow).workflow.status is WorkflowStatus.FAILED_SERVER_ERROR


def test_the_secret_is_in_no_row_but_its_own_and_in_no_object() -> None:
    """The store keeps the spec and what is too large for a row, here of files that do not pack."""
    world = World()
    keep(world, TOKEN, STORE)
    noise = base64.b64encode(random.Random(1).randbytes(30_000)).decode()
    large = replace(USES, name=TaskName("large"), files=(File("/noise", noise),))
    small = replace(USES, outputs=(UrlOutput("s3://bucket/o"),))
    workflow = world.make(a_plan(small, large))
    world.settle()
    assert SECRET not in everything_in(world)
    world.answer()
    world.up(workflow, "t", "large")
    world.exit(workflow, "t", 0)
    world.exit(workflow, "large", 0)
    world.settle()

    assert world.look(workflow).workflow.status is WorkflowStatus.COMPLETED
    assert SECRET not in everything_in(world)
    assert jobs.listed(jobs=world.jobs, now=world.clock()) == []


def everything_in(world: World) -> str:
    """Of the rows and the store, unpacked where it is packed."""
    rows = {
        name: value
        for name, value in vars(world.rows).items()
        if name not in {"workflows", "jobs", "timers"}
    }
    mail = [one.payload or b"" for one in world.rows.mail.values()]
    stored = [world.store.get(key) or b"" for key in sorted(world.store.keys())]
    return repr((rows, [unpacked(one) for one in (*mail, *stored)]))


def unpacked(content: bytes) -> bytes:
    """With the Secrets in it decoded, so that a text in base64 is found, too."""
    text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    words = re.findall(rb'"([A-Za-z0-9+/]{8,}={0,2})"', text)
    return text + b"".join(base64.b64decode(word) for word in words if len(word) % 4 == 0)


def test_a_create_that_lies_in_the_store_comes_with_the_key_that_opens_it() -> None:
    world = World()
    keep(world, TOKEN)
    noise = base64.b64encode(random.Random(1).randbytes(30_000)).decode()
    world.make(a_plan(replace(USES, files=(File("/noise", noise),))))
    world.settle()

    [job] = world.cluster.jobs
    assert (job.payload, job.payload_data_key is None) == (None, False)


def test_a_create_of_before_payloads_were_sealed_is_pushed_as_it_is() -> None:
    world = World()
    row = a_mail(payload=gzip.compress(b'{"objects":[]}'))

    [frame] = mailbox.frames([row], store=world.store, seals=world.seals)

    [job] = json.loads(frame)["jobs"]
    assert base64.b64decode(job["payload"]) == row.payload


def test_an_operator_that_knows_no_data_keys_is_given_a_large_create_in_the_open() -> None:
    world = World(data_keys=False)
    noise = base64.b64encode(random.Random(1).randbytes(30_000)).decode()
    world.make(a_plan(replace(a_task(), files=(File("/noise", noise),))))
    world.settle()

    [job] = world.cluster.jobs
    [key] = [key for key in sorted(world.store.keys()) if key.startswith("payloads/")]
    assert job.payload_data_key is None
    assert json.loads(gzip.decompress(world.store.get(key) or b""))["objects"]


def test_a_sealed_create_in_anothers_row_does_not_open() -> None:
    world = World()
    row = mailbox.sealed(a_mail(), seals=world.seals)
    elsewhere = replace(row, backend=BackendName("another"))

    with pytest.raises(ValueError, match="another place"):
        list(mailbox.frames([elsewhere], store=world.store, seals=world.seals))


def test_what_a_user_has_not_is_the_pools_and_what_both_have_is_the_users() -> None:
    world = World()
    keeper = keeper_of(POOL)
    own = data("own", endpoint="s3://bucket/team", access_key_id="own", access_key=SECRET)
    keep(world, own, generic("both", {"value": "of the user"}))
    for credential in (STORE, TEAM, TOKEN, generic("both", {"value": "of the pool"})):
        world.credentials.put(keeper, credential, replacing=None, now=NOON)
    urls = ("s3://bucket/team/in", "s3://bucket/else", "s3://other/x")
    task = a_task(
        inputs=tuple(UrlInput(url) for url in urls),
        credentials=(
            CredentialUse("token", environment={"TOKEN": "value"}),
            CredentialUse("both", mount="/c"),
        ),
    )

    require(world, task)
    given = of_group(world, a_plan(task))

    assert {url: keys["access_key_id"] for url, keys in given.stores.items()} == {
        "s3://bucket/team": "own",
        "s3://bucket": "id",
    }
    assert given.named["both"] == {"value": "of the user"}
    assert given.named["token"]["value"] == SECRET


def test_what_another_pool_has_is_no_help() -> None:
    world = World()
    world.credentials.put(keeper_of(PoolName("other")), TOKEN, replacing=None, now=NOON)

    with pytest.raises(InvalidSpec, match="neither you have nor its pool"):
        require(world, USES)


def test_a_workflow_without_credentials_opens_none() -> None:
    world = World()
    keep(world, TOKEN, NVIDIA)
    nobody: Any = object()

    asked.require(a_plan(a_task()), USER, pool=POOL, credentials=nobody)
    given = of_group(world, a_plan(a_task()))

    assert given == credentials.Secrets()
    assert world.credentials.opened == []


def test_images_are_pulled_with_the_users_login_else_the_pools_the_runtime_with_the_pools() -> None:
    world = World()
    keep(world, NVIDIA)
    for name, host in (("hub", ""), ("nvcr", "nvcr.io"), ("r", "registry.example.com")):
        login = registry(name, host=host, username="pool", auth=SECRET)
        world.credentials.put(keeper_of(POOL), login, replacing=None, now=NOON)
    plan = a_plan(a_task(), replace(a_task("cuda"), image="nvcr.io/nvidia/cuda:12@sha256:0"))

    given = of_group(world, replace(plan, groups=(a_group_of(plan),)), runtime="nvcr.io/xylem:1")

    users = {profile: login["username"] for profile, login in given.registries.items()}
    assert users == {"nvcr.io": "alice", "registry-1.docker.io": "pool"}
    assert given.runtime_registry["username"] == "pool"
    assert SECRET not in repr(given)


def test_a_login_of_a_registry_is_in_secrets_alone_and_the_pod_names_them() -> None:
    world = World()
    keep(world, NVIDIA)
    task = replace(a_task(), image="nvcr.io/nvidia/cuda:12")
    world.make(a_plan(task))
    world.settle()

    [job] = world.cluster.jobs
    objects = world.objects(job)
    [pod] = [item for item in objects if item["kind"] == "Pod"]
    named = [each["name"] for each in pod["spec"]["imagePullSecrets"]]
    of_type = [item for item in objects if item.get("type") == "kubernetes.io/dockerconfigjson"]
    assert named == [item["metadata"]["name"] for item in of_type]
    config = base64.b64decode(of_type[0]["data"][".dockerconfigjson"])
    assert SECRET in config.decode()
    assert SECRET not in json.dumps([item for item in objects if item["kind"] != "Secret"])


def test_what_pods_are_given_is_known_to_the_logger_before_they_exist() -> None:
    world = World()
    keep(world, STORE, TOKEN)
    task = replace(USES, inputs=(UrlInput("s3://bucket/in"),))
    workflow = world.make(a_plan(task))
    world.settle()

    group = world.group(workflow, "t-group")
    known = world.task_secrets.of(group.id, group.incarnation)
    assert {TOKEN.payload["value"], STORE.payload["access_key"]} <= set(known)
    assert STORE.payload["endpoint"] not in known


def test_of_a_group_without_secrets_nothing_is_kept() -> None:
    world = World()
    workflow = world.make(a_plan(a_task()))
    world.settle()

    group = world.group(workflow, "t-group")
    assert world.task_secrets.of(group.id, group.incarnation) == []
