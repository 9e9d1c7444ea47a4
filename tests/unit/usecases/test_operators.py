"""What ingest takes in, and what it refuses in words."""

from datetime import timedelta
from typing import Any

import pytest

from tests.stories.world import BACKEND, BOOT, CONNECTION, World
from xylem.domain.errors import Unavailable
from xylem.domain.ids import BackendName, ConnectionId
from xylem.domain.node import Amounts
from xylem.protocol import agent
from xylem.protocol.limits import FRAME_BYTES
from xylem.protocol.queues import BundleOf, EventsOf, NodesOf, Retired, news_message
from xylem.usecases import backends, operators

OTHER = ConnectionId("connection-2")


def take(world: World, text: str, *, connection: ConnectionId = CONNECTION) -> None:
    operators.take(
        text,
        backend=BACKEND,
        connection=connection,
        backends=world.backends,
        links=world.links,
        news=world.news,
        clock=world.clock,
    )


def refusal(world: World) -> agent.Refusal:
    texts = [text for _, text in world.links.take()]
    found = agent.agent_message.validate_json(texts[-1])
    assert isinstance(found, agent.Refusal)
    return found


def hello(boot: str = BOOT, backend: str = str(BACKEND), cluster: str = "uid") -> agent.Hello:
    return agent.Hello(backend=BackendName(backend), cluster_uid=cluster, boot_id=boot, version="1")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_frame"),
        ("{", "invalid_frame"),
        ("[]", "invalid_frame"),
        ('{"type": "dance"}', "invalid_frame"),
        ('{"type": "news", "boot_id": "b", "events": []}', "invalid_frame"),
        ('{"type": "heartbeat", "x": "' + "y" * FRAME_BYTES + '"}', "too_large"),
    ],
)
def test_a_frame_that_is_not_understood_is_refused_and_queues_nothing(text: str, code: str) -> None:
    world = World()

    take(world, text)

    assert refusal(world).code == code
    assert world.news.take() == []


def test_a_credential_of_one_backend_says_hello_for_no_other() -> None:
    world = World()

    take(world, hello(backend="cluster-9").model_dump_json())

    assert refusal(world).code == "not_yours"
    assert world.backends.backend(BackendName("cluster-9")) is None


def test_a_name_belongs_to_the_cluster_that_took_it_first() -> None:
    world = World()

    take(world, hello(cluster="another").model_dump_json(), connection=OTHER)

    refused = refusal(world)
    assert (refused.code, "another cluster" in refused.message) == ("other_cluster", True)
    known = world.backends.backend(BACKEND)
    assert known is not None
    assert known.connection == CONNECTION


def test_a_hello_is_welcomed_with_a_new_epoch_and_the_mailbox_follows() -> None:
    world = World()

    take(world, hello().model_dump_json(), connection=OTHER)

    [(to, text)] = world.links.take()
    assert (to, agent.agent_message.validate_json(text)) == (
        OTHER,
        agent.Welcome(epoch=2, bundles=True, nodes=True),
    )
    assert [news_message.validate_json(body).type for body in world.news.take()][0] == "greeted"


def test_another_boot_ends_the_old_connection_at_once() -> None:
    world = World()

    take(world, hello(boot="boot-2").model_dump_json(), connection=OTHER)

    assert CONNECTION in world.links.hung_up


def test_the_successor_of_the_same_boot_leaves_the_old_connection_a_minute() -> None:
    world = World()
    take(world, hello().model_dump_json(), connection=OTHER)
    retired = [body for body in world.news.take() if '"retired"' in body]

    assert len(retired) == 1
    assert world.news.delays[-1] == timedelta(seconds=60)
    assert CONNECTION not in world.links.hung_up
    world.apply(retired)
    assert CONNECTION in world.links.hung_up


def test_a_connection_that_became_the_current_one_again_is_not_retired() -> None:
    world = World()
    retired = Retired(backend=BACKEND, connection=CONNECTION)

    backends.retire(retired, links=world.links, backends=world.backends)

    assert CONNECTION not in world.links.hung_up


def test_news_is_split_by_workflow_and_keeps_its_numbers() -> None:
    def event(seq: int, workflow: str) -> dict[str, object]:
        pod = {"workflow": workflow, "group": "0a", "incarnation": 0, "task": "t", "retry": 0}
        return {"seq": seq, "pod": {**pod, "uid": "u", "status": "RUNNING"}}

    world = World()
    events = [event(1, "a-1"), event(2, "b-1"), event(3, "a-1")]
    news = agent.News.model_validate({"boot_id": BOOT, "events": events})

    take(world, news.model_dump_json())

    found = [news_message.validate_json(body) for body in world.news.take()]
    assert all(isinstance(message, EventsOf) for message in found)
    assert {
        message.workflow: [each.seq for each in message.events]
        for message in found
        if isinstance(message, EventsOf)
    } == {"a-1": [1, 3], "b-1": [2]}


def test_a_bundle_is_one_message_for_each_workflow_with_its_news_and_its_answers() -> None:
    def event(seq: int, workflow: str) -> dict[str, object]:
        pod = {"workflow": workflow, "group": "0a", "incarnation": 0, "task": "t", "retry": 0}
        return {"seq": seq, "pod": {**pod, "uid": "u", "status": "RUNNING"}}

    def result(ordinal: int, workflow: str) -> dict[str, object]:
        return {"workflow": workflow, "job_id": f"0a#000000#{ordinal:06}", "status": "done"}

    world = World()
    bundle = agent.Bundle.model_validate(
        {
            "boot_id": BOOT,
            "events": [event(1, "a-1"), event(2, "b-1"), event(3, "a-1")],
            "results": [result(1, "a-1"), result(2, "a-1"), result(1, "c-1")],
        }
    )

    take(world, bundle.model_dump_json())

    found = [news_message.validate_json(body) for body in world.news.take()]
    assert [
        (message.workflow, [each.seq for each in message.events], len(message.results))
        for message in found
        if isinstance(message, BundleOf)
    ] == [("a-1", [1, 3], 2), ("c-1", [], 1), ("b-1", [2], 0)]
    assert len(found) == 3


def test_news_that_the_queue_did_not_take_is_not_lost_silently() -> None:
    world = World()
    world.news.down = True
    result = agent.JobResult.model_validate(
        {"workflow": "a-1", "job_id": "0a#000000#000001", "status": "done"}
    )

    with pytest.raises(Unavailable):
        take(world, result.model_dump_json())


def nodes(number: int = 1, **fields: Any) -> agent.Nodes:
    seen = agent.NodeObservation(
        name="node-1",
        capacity=agent.NodeAmounts(gpu=8, cpu=96_000),
        allocatable=agent.NodeAmounts(gpu=8),
        uses=[agent.NodeUse(pool="default", priority="LOW", pods=1)],
        taints=[agent.NodeTaint(key="spot", effect="NoSchedule")],
        ready=True,
    )
    return agent.Nodes(boot_id=BOOT, number=number, **{"nodes": [seen], **fields})


def test_an_operator_is_told_that_facts_about_nodes_are_understood() -> None:
    world = World()
    take(world, hello().model_dump_json())

    [welcome] = [
        found
        for _, text in world.links.take()
        if isinstance(found := agent.agent_message.validate_json(text), agent.Welcome)
    ]

    assert welcome.nodes


def test_facts_about_nodes_are_queued_for_the_backend_and_noted_as_they_were_said() -> None:
    world = World()
    take(world, nodes().model_dump_json())

    [message] = [news_message.validate_json(body) for body in world.news.take()]
    assert isinstance(message, NodesOf)
    assert backends.note_nodes(message, backends=world.backends) == 1

    [node] = world.backends.nodes(BACKEND)
    assert (node.name, node.backend, node.ready) == ("node-1", BACKEND, True)
    assert (node.allocatable.gpu, node.uses[0].priority) == (8, "LOW")
    assert node.capacity == Amounts(gpu=8, cpu=96_000)
    assert [str(taint) for taint in node.taints] == ["spot:NoSchedule"]
