"""One value at least of everything that is said on a wire, and which files hold its words.

`golden/CONVERSATION/NAME.json` is a message as today's code says it. `yesterday/…` is the same
message with only what the first release had to say; nothing in there is ever changed again, and a
message that a later release adds comes to it with what it has to say then.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, TypeAdapter

from xylem.domain.ids import (
    BackendName,
    ConnectionId,
    GroupId,
    JobId,
    TaskName,
    WorkflowId,
    mail_id,
)
from xylem.domain.status import TaskStatus
from xylem.protocol import agent, following, queues, runtime, session
from xylem.protocol.message import Message

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
YESTERDAY = HERE / "yesterday"

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BACKEND = BackendName("cluster-1")
CONNECTION = ConnectionId("L0SM9cOFvHcCIhw=")
HELLO = WorkflowId("hello-1")
GROUP = GroupId("0" + "a" * 31)
MAIL = mail_id(GROUP, 0, 1)
BOOT = "boot-1"

DETAIL = agent.PodDetail(
    containers=[
        agent.ContainerDetail(
            name="lead",
            state="terminated",
            reason="OOMKilled",
            message="Memory cgroup out of memory",
            exit_code=137,
            restarts=1,
            started_at=NOON.replace(second=2),
            ended_at=NOON.replace(minute=5),
        )
    ],
    conditions=[
        agent.PodCondition(
            type="PodScheduled",
            status="False",
            reason="Unschedulable",
            message="0/3 nodes are available",
            since=NOON,
        )
    ],
    warnings=[agent.PodWarning(reason="FailedMount", message="secret not found", count=4, at=NOON)],
)
POD = agent.PodObservation(
    workflow=HELLO,
    group=GROUP,
    incarnation=0,
    task=TaskName("lead"),
    retry=0,
    uid="6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    status=TaskStatus.FAILED,
    exit_code=137,
    message='It said "no" — ü.',
    node="node-1",
    pod_ip="10.0.0.7",
    bound=True,
    disrupted=True,
    detail=DETAIL,
    scheduled_at=NOON,
    initializing_at=NOON.replace(second=1),
    started_at=NOON.replace(second=2),
    ended_at=NOON.replace(minute=5, microsecond=250_000),
)
EVENT = agent.Event(seq=7, pod=POD)
ANCHOR = agent.Anchor(workflow=HELLO, group=GROUP, incarnation=0, state="created", done=1)
RESULT = agent.JobResult(
    workflow=HELLO,
    job_id=MAIL,
    status="done",
    message="two pods",
    observations=[POD],
    tasks=("a", "m"),
    more=True,
)
JOB = agent.Job(workflow=HELLO, job_id=MAIL, ordinal=1, after=0, kind="create", payload="H4sIAAAA")
STORED_JOB = agent.Job(
    workflow=HELLO,
    job_id=MAIL,
    ordinal=2,
    after=1,
    kind="observe",
    payload_url="https://store.test/payload?signature=x",
    payload_data_key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
)
SESSION = "0123456789abcdef" * 2
FRAME = session.Frame(
    sid=SESSION,
    channel=1,
    kind="data",
    seq=17,
    ack=5,
    window=524_288,
    seen=2,
    most=96_000,
    data="aGk=",
)

NODES = agent.Nodes(
    boot_id=BOOT,
    number=12,
    nodes=[
        agent.NodeObservation(
            name="node-1",
            capacity=agent.NodeAmounts(cpu=64_000, gpu=8, memory=2**40, storage=2**41),
            allocatable=agent.NodeAmounts(cpu=63_500, gpu=8, memory=2**39, storage=2**40),
            uses=[
                agent.NodeUse(
                    pool="default",
                    priority="LOW",
                    pods=2,
                    amounts=agent.NodeAmounts(cpu=2020, gpu=2, memory=2**31, storage=2**31),
                )
            ],
            others=agent.NodeAmounts(cpu=250, gpu=1, memory=2**28, storage=2**20),
            ready=True,
            cordoned=True,
            labels={"kind": "a100"},
            taints=[agent.NodeTaint(key="dedicated", effect="NoSchedule", value="ml")],
            conditions=[
                agent.NodeCondition(type="Ready", status="True"),
                agent.NodeCondition(type="osmo.nvidia.com/gpu", status="Unknown"),
            ],
        )
    ],
    gone=["node-0"],
    whole=("node-0", "node-1"),
    tests="9f86d081884c7d65",
)

TESTS = agent.BackendTests(
    digest="9f86d081884c7d65",
    tests=[
        agent.BackendTest(
            name="gpu",
            schedule="0 2 * * *",
            timeout_seconds=300,
            conditions=["osmo.nvidia.com/gpu"],
            template={"spec": {"containers": [{"name": "gpu", "image": "probe"}]}},
        )
    ],
)


class Conversation(NamedTuple):
    """`union` None: one model is all there is, or each has a route of its own."""

    union: TypeAdapter[Any] | None
    messages: dict[str, Message]

    def reader(self, name: str) -> TypeAdapter[Any]:
        return self.union or TypeAdapter(type(self.messages[name]))


MD5 = "0123456789abcdef0123456789abcdef"
A_PUT = runtime.DatasetPut(
    url="https://store.test/a?x=y", headers=[("Content-MD5", "ASNFZ4mrze8BI0VniavN7w==")]
)

CONVERSATIONS: dict[str, Conversation] = {
    "operator": Conversation(
        agent.operator_message,
        {
            "hello": agent.Hello(
                backend=BACKEND, cluster_uid="uid-1", boot_id=BOOT, version="0.1.0", data_keys=True
            ),
            "heartbeat": agent.Heartbeat(),
            "news": agent.News(boot_id=BOOT, events=[EVENT]),
            "job_result": RESULT,
            "bundle": agent.Bundle(boot_id=BOOT, events=[EVENT], results=[RESULT]),
            "inventory": agent.Inventory(
                boot_id=BOOT,
                first="0",
                last="7f",
                anchors=[ANCHOR],
                pods=[POD],
                tasks=("a", "m"),
            ),
            "nodes": NODES,
        },
    ),
    "agent": Conversation(
        agent.agent_message,
        {
            "welcome": agent.Welcome(epoch=3, bundles=True, nodes=True),
            "ack": agent.Ack(boot_id=BOOT, ranges=[(1, 4), (7, 7)]),
            "rejected": agent.Rejected(
                boot_id=BOOT, seq=5, code="unknown_entity", message="There is no such task."
            ),
            "refusal": agent.Refusal(code="invalid_frame", message="It is no JSON."),
            "jobs": agent.Jobs(jobs=[JOB, STORED_JOB], tests=TESTS),
            "invite": agent.Invite(
                sid=SESSION,
                token="k1.eyJ1c2UiOiJzaWRlIn0.bWFj",
                purpose="exec",
                workflow=HELLO,
                group=GROUP,
                incarnation=0,
                task=TaskName("lead"),
                retry=0,
            ),
        },
    ),
    "side": Conversation(
        session.side_message,
        {
            "attach": session.Attach(sid=SESSION, token="k1.e30.bWFj", number=2, nonce="p-1"),
            "renew": session.Renew(sid=SESSION, token="k1.e30.bWFj", sent=4711),
            "end": session.End(
                sid=SESSION, token="k1.e30.bWFj", code="exited", message="It is done."
            ),
            "frame": FRAME.model_copy(update={"peer": "k1.eyJ1c2UiOiJwZWVyIn0.bWFj"}),
        },
    ),
    "session": Conversation(
        session.router_message,
        {
            "attached": session.Attached(
                sid=SESSION,
                generation=3,
                peer="k1.eyJ1c2UiOiJwZWVyIn0.bWFj",
                expires_at=NOON.replace(minute=2),
            ),
            "peer_lost": session.PeerLost(sid=SESSION),
            "ended": session.Ended(sid=SESSION, code="exited", message="It is done."),
            "frame": FRAME.model_copy(update={"peer": "k1.e30.bWFj"}),
        },
    ),
    "payload": Conversation(
        None,
        {
            "create": agent.CreatePayload(objects=[{"kind": "Pod", "metadata": {"name": "a"}}]),
            "cleanup": agent.CleanupPayload(grace_seconds=30, force=True),
        },
    ),
    "news": Conversation(
        queues.news_message,
        {
            "events": queues.EventsOf(
                backend=BACKEND,
                connection=CONNECTION,
                tries=2,
                workflow=HELLO,
                boot_id=BOOT,
                events=[EVENT],
            ),
            "result": queues.ResultOf(
                backend=BACKEND, connection=CONNECTION, tries=2, workflow=HELLO, result=RESULT
            ),
            "bundle": queues.BundleOf(
                backend=BACKEND,
                connection=CONNECTION,
                tries=2,
                workflow=HELLO,
                boot_id=BOOT,
                events=[EVENT],
                results=[RESULT],
            ),
            "stock": queues.StockOf(
                backend=BACKEND,
                connection=CONNECTION,
                tries=2,
                workflow=HELLO,
                anchors=[ANCHOR],
                pods=[POD],
                tasks=("a", "m"),
            ),
            "nodes": queues.NodesOf(backend=BACKEND, connection=CONNECTION, tries=2, nodes=NODES),
            "greeted": queues.Greeted(backend=BACKEND, connection=CONNECTION, tries=2),
            "retired": queues.Retired(backend=BACKEND, connection=CONNECTION, tries=2),
        },
    ),
    "jobs": Conversation(None, {"job": queues.Doorbell(job=JobId("01J9Z3"))}),
    "timers": Conversation(None, {"timer": queues.TimerDue(workflow=HELLO, group=GROUP)}),
    "runtime": Conversation(
        None,
        {
            "token": runtime.Token(token="eyJh.eyJh.c2ln", expires_in=3600),
            "stored": runtime.Stored(next=4711, closed=True, followed=True),
            "log_end": runtime.LogEnd(length=4711),
            "at_barrier": runtime.AtBarrier(restarts=2),
            "barrier": runtime.Barrier(open=True, restarts=2),
            "group_state": runtime.GroupState(restarts=2),
            "input_query": runtime.InputQuery(index=1, cursor="page-2", at="3"),
            "input_page": runtime.InputPage(
                files=[runtime.InputFile(path="a/ü", size=5, url="https://store.test/a?x=y")],
                cursor="page-3",
                at="3",
            ),
            "output_query": runtime.OutputQuery(files=[runtime.OutputFile(path="a/ü", size=5)]),
            "output_page": runtime.OutputPage(
                files=[runtime.OutputTarget(path="a/ü", url="https://store.test/a?x=y")]
            ),
            "dataset_start": runtime.DatasetStart(index=1),
            "dataset_started": runtime.DatasetStarted(
                version=3, source="https://store.test/1.json?x=y"
            ),
            "dataset_contents": runtime.DatasetContents(
                index=1, version=3, contents=[runtime.DatasetContent(etag=MD5, size=5)]
            ),
            "dataset_wanted": runtime.DatasetWanted(
                contents=[
                    runtime.WantedContent(
                        etag=MD5,
                        there=False,
                        put=A_PUT,
                        parts=[runtime.DatasetPart(number=1, url="https://store.test/a?part=1")],
                    )
                ]
            ),
            "dataset_listing": runtime.DatasetListing(index=1, version=3, md5=MD5, size=5),
            "dataset_put": A_PUT,
            "dataset_finish": runtime.DatasetFinish(
                index=1, version=3, listing=MD5, metadata=["a: 1\n"], labels=["b: ü\n"]
            ),
            "dataset_finished": runtime.DatasetFinished(dataset="prod/DS:3"),
        },
    ),
    "router": Conversation(
        None, {"follow": following.Follow(workflow=HELLO, task="lead", retry=2)}
    ),
    "follower": Conversation(
        following.to_follower,
        {
            "following": following.Following(workflow=HELLO, followers=2),
            "refusal": following.Refusal(code="forbidden", message="Following logs takes a role."),
            "said": following.Said(
                workflow=HELLO,
                task="lead",
                retry=2,
                offset=4711,
                next=4735,
                records=[
                    following.SaidRecord(
                        task="lead",
                        retry=2,
                        stream="stdout",
                        time="2026-06-01T12:00:00+00:00",
                        text='"hello" — ü\n',
                        raw="ImhlbGxvIiDigJQgw7wK",
                    )
                ],
            ),
            "said_part": following.SaidPart(
                workflow=HELLO,
                task="lead",
                retry=2,
                offset=4711,
                next=4735,
                part=1,
                parts=3,
                packed="H4sIAAAAAAAA",
            ),
            "reached": following.Reached(
                workflow=HELLO, cursor="eyJsZWFkIzIiOiA0NzM1fQ==", closed=True, followers=2
            ),
            "log_ended": following.LogEnded(workflow=HELLO, task="lead", retry=2),
        },
    ),
}

ALL = [
    (conversation, name) for conversation, found in CONVERSATIONS.items() for name in found.messages
]


def members(union: Any) -> set[type[Message]]:
    """Of `Annotated[A | B, ...]`."""
    return set(get_args(get_args(union)[0]))


def models_of(module: Any) -> set[type[BaseModel]]:
    """Every message that a module of the protocol defines."""
    return {
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, BaseModel)
        and found.__module__ == module.__name__
    }


def written(value: Message) -> str:
    return value.model_dump_json(indent=2) + "\n"
