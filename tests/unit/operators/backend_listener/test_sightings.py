"""What the watches see becomes news, facts and readiness."""

import pytest

from operators.backend_listener.listener import Listener, News, Want
from operators.backend_listener.sightings import FACTS_AFTER, Sightings
from operators.backend_listener.watch import Following, Gone, Interrupted, Listed, Seen
from operators.shared.resources import NODE, POD, POD_WARNING
from tests.unit.operators.backend_listener.test_listener import a_warning, seen_pod
from tests.unit.operators.backend_listener.test_nodes import a_node
from tests.unit.operators.jobs import NOON
from xylem.protocol.agent import Nodes as NodesFrame
from xylem.protocol.nodes import NodeNews


class Cluster:
    """Sightings with everything that they speak to."""

    def __init__(self) -> None:
        self.now = NOON
        self.wants: list[Want] = []
        self.news = NodeNews("boot-1")
        self.news.welcomed(True, NOON)
        self.sightings = Sightings(Listener(), self.news, self.wants.extend, lambda: self.now)

    def told(self) -> list[NodesFrame]:
        texts = self.news.frames(self.now)
        return [NodesFrame.model_validate_json(text) for text in texts]

    def statuses(self) -> list[str]:
        return [want.pod.status for want in self.wants if isinstance(want, News)]


def test_the_operator_is_ready_when_pods_were_listed_and_are_followed() -> None:
    cluster = Cluster()
    ready = []
    for sighting in (
        Seen([seen_pod()]),
        Listed(frozenset({"uid-1"})),
        Following(),
        Interrupted("cut"),
        Following(),
    ):
        cluster.sightings.take(POD, sighting)
        ready.append(cluster.sightings.watching)

    assert ready == [False, True, True, False, True]


@pytest.mark.parametrize("kind", [NODE, POD_WARNING])
def test_without_what_only_explains_the_operator_is_ready_too(kind: object) -> None:
    cluster = Cluster()
    cluster.sightings.take(POD, Listed(frozenset()))

    cluster.sightings.take(NODE if kind == NODE else POD_WARNING, Interrupted("forbidden"))

    assert cluster.sightings.watching


def test_pods_that_are_seen_and_go_are_news() -> None:
    cluster = Cluster()

    cluster.sightings.take(POD, Seen([seen_pod("uid-1"), seen_pod("uid-2")]))
    cluster.sightings.take(POD, Gone(seen_pod("uid-1", phase="Failed")))

    assert cluster.statuses() == ["RUNNING", "RUNNING", "FAILED"]


def test_an_object_that_is_not_understood_hides_none_of_the_others() -> None:
    cluster = Cluster()

    cluster.sightings.take(POD, Seen([{"metadata": {"uid": 1}, "status": []}, seen_pod()]))

    assert cluster.statuses() == ["RUNNING"]


def test_nodes_are_told_when_they_and_their_pods_were_listed() -> None:
    cluster = Cluster()
    cluster.sightings.take(NODE, Seen([a_node()]))
    cluster.sightings.take(NODE, Listed(frozenset({"uid-node-1"})))
    assert cluster.told() == []

    cluster.sightings.take(POD, Seen([seen_pod()]))
    cluster.sightings.take(POD, Listed(frozenset({"uid-1"})))

    [frame] = cluster.told()
    [node] = frame.nodes
    assert node.uses[0].pods == 1


def test_what_a_thousand_pods_change_on_a_node_is_one_fact_a_moment_later() -> None:
    cluster = Cluster()
    cluster.sightings.take(POD, Listed(frozenset()))
    cluster.sightings.take(NODE, Seen([a_node()]))
    cluster.sightings.take(NODE, Listed(frozenset({"uid-node-1"})))
    cluster.told()

    cluster.sightings.take(POD, Seen([seen_pod(f"uid-{number}") for number in range(1000)]))
    assert cluster.sightings.wake_at == NOON + FACTS_AFTER
    cluster.sightings.ticked(NOON + FACTS_AFTER)

    assert cluster.sightings.wake_at is None
    assert cluster.news.due is not None
    cluster.now = cluster.news.due
    [frame] = cluster.told()
    assert frame.nodes[0].uses[0].pods == 1000


def test_a_node_that_is_gone_is_named() -> None:
    cluster = Cluster()
    cluster.sightings.take(POD, Listed(frozenset()))
    cluster.sightings.take(NODE, Seen([a_node("a"), a_node("b")]))
    cluster.sightings.take(NODE, Listed(frozenset({"uid-a", "uid-b"})))
    cluster.told()

    cluster.sightings.take(NODE, Gone(a_node("a")))
    cluster.sightings.take(NODE, Listed(frozenset()))

    cluster.sightings.ticked(NOON + FACTS_AFTER)
    assert cluster.news.due is not None
    cluster.now = cluster.news.due
    assert [sorted(frame.gone) for frame in cluster.told()] == [["a", "b"]]


def test_a_warning_is_told_with_its_pod() -> None:
    cluster = Cluster()
    cluster.sightings.take(POD_WARNING, Seen([a_warning()]))
    cluster.sightings.take(POD, Seen([seen_pod()]))

    [news] = cluster.wants
    assert isinstance(news, News) and news.pod.detail is not None
    assert news.pod.detail.warnings[0].reason == "FailedScheduling"
