"""What is said about nodes: only what changed, not at once, and all of it with every inventory."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xylem.domain.ids import BackendName
from xylem.protocol.agent import (
    Hello,
    NodeAmounts,
    NodeObservation,
    Nodes,
    Welcome,
    operator_message,
)
from xylem.protocol.limits import FRAME_BYTES, NODE_NEWS_AFTER, NODE_NEWS_GAP, NODES
from xylem.protocol.link import INVENTORY_EVERY, Link
from xylem.protocol.nodes import NodeNews

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def a_node(name: str = "node-1", gpu: int = 8, **fields: Any) -> NodeObservation:
    return NodeObservation(name=name, allocatable=NodeAmounts(gpu=gpu), ready=True, **fields)


def understood(*nodes: NodeObservation) -> NodeNews:
    """Listed, and all of it said."""
    news = NodeNews("boot-1")
    news.welcomed(True, NOON)
    for node in nodes:
        news.seen(node, NOON)
    news.listed(NOON)
    news.frames(NOON)
    return news


def said(news: NodeNews, now: datetime) -> list[Nodes]:
    texts = news.frames(now)
    assert all(len(text.encode()) <= FRAME_BYTES for text in texts)
    found = [operator_message.validate_json(text) for text in texts]
    return [message for message in found if isinstance(message, Nodes)]


def test_a_service_that_does_not_understand_is_told_nothing() -> None:
    news = NodeNews("boot-1")
    news.welcomed(False, NOON)
    news.seen(a_node(), NOON)
    news.listed(NOON)

    assert news.due is None
    assert said(news, NOON + INVENTORY_EVERY) == []


def test_all_nodes_are_said_when_all_of_them_are_known() -> None:
    news = NodeNews("boot-1")
    news.welcomed(True, NOON)
    news.seen(a_node("b"), NOON)
    assert news.due is None
    news.seen(a_node("a"), NOON)
    news.listed(NOON)

    [frame] = said(news, NOON)

    assert [node.name for node in frame.nodes] == ["a", "b"]
    assert frame.whole == ("", "~")


def test_what_changed_is_said_later_and_alone() -> None:
    news = understood(a_node("a"), a_node("b"))
    news.seen(a_node("b", gpu=4), NOON)

    assert news.due == NOON + NODE_NEWS_GAP
    [frame] = said(news, NOON + NODE_NEWS_GAP)

    assert (frame.nodes, frame.whole) == ([a_node("b", gpu=4)], None)
    assert news.due is None


def test_after_a_silence_a_change_waits_only_for_the_change_that_takes_it_back() -> None:
    news = understood(a_node())
    later = NOON + timedelta(hours=1)

    news.seen(a_node(gpu=7), later)
    assert news.due == later + NODE_NEWS_AFTER
    news.seen(a_node(gpu=8), later + SECOND)

    assert said(news, later + NODE_NEWS_AFTER) == []


def test_nothing_is_said_of_what_did_not_change() -> None:
    news = understood(a_node())
    news.seen(a_node(), NOON + SECOND)

    assert news.due is None


def test_a_node_that_is_gone_is_named() -> None:
    news = understood(a_node("a"), a_node("b"))
    news.gone("a", NOON)

    [frame] = said(news, NOON + NODE_NEWS_GAP)

    assert (frame.gone, frame.nodes) == (["a"], [])


def test_numbers_grow_over_all_frames() -> None:
    news = understood(a_node())
    numbers = []
    for minute in (2, 4, 6):
        now = NOON + timedelta(minutes=minute)
        news.say_all(now)
        numbers += [frame.number for frame in said(news, now)]

    assert numbers == [2, 3, 4]


def test_a_new_connection_is_told_all_of_them() -> None:
    news = understood(a_node())
    news.welcomed(True, NOON + SECOND)

    [frame] = said(news, NOON + SECOND)

    assert frame.whole == ("", "~")


def test_a_cluster_beyond_what_kubernetes_supports_is_told_in_part() -> None:
    news = understood(*(a_node(f"node-{number}") for number in range(NODES + 10)))
    news.say_all(NOON)

    assert sum(len(frame.nodes) for frame in said(news, NOON)) == NODES


names = st.text("abc019-.", min_size=1, max_size=6)


@given(st.sets(names, max_size=40), st.integers(0, 1500))
def test_frames_fit_and_their_ranges_leave_no_name_out(nodes: set[str], size: int) -> None:
    news = understood(*(a_node(name, labels={"text": "x" * size}) for name in nodes))
    news.say_all(NOON)

    frames = said(news, NOON)

    assert [node.name for frame in frames for node in frame.nodes] == sorted(nodes)
    ranges = [frame.whole for frame in frames if frame.whole is not None]
    assert (ranges[0][0], ranges[-1][1]) == ("", "~")
    for name in [*nodes, "zzz", "a0", "-"]:
        assert sum(first <= name <= last for first, last in ranges) == 1
    for frame in frames:
        assert frame.whole is not None
        first, last = frame.whole
        assert all(first <= node.name <= last for node in frame.nodes)


def test_with_all_nodes_it_is_said_which_tests_the_cluster_has() -> None:
    news = understood(*(a_node(f"node-{at:03}", labels={"x": "y" * 4000}) for at in range(20)))
    news.say_all(NOON)
    before = said(news, NOON)
    news.tests = "digest"
    news.seen(a_node("node-000", gpu=1), NOON)
    changed = said(news, NOON + NODE_NEWS_GAP)
    news.say_all(NOON + NODE_NEWS_GAP)
    after = said(news, NOON + NODE_NEWS_GAP)

    assert len(before) > 2
    assert [frame.tests for frame in before] == [None] * (len(before) - 1) + [""]
    assert [frame.tests for frame in changed] == [None]
    assert [frame.tests for frame in after] == [None] * (len(after) - 1) + ["digest"]


def test_the_link_says_them_on_its_connection_and_again_with_every_inventory() -> None:
    hello = Hello(backend=BackendName("here"), cluster_uid="uid", boot_id="boot-1", version="1")
    link = Link(hello, random=lambda: 0.5, now=NOON)
    link.nodes.seen(a_node(), NOON)
    link.nodes.listed(NOON)
    number = link.dial(NOON)
    assert number is not None
    link.opened(number, NOON)
    link.to_send(number, NOON)

    link.received(number, Welcome(epoch=1, nodes=True).model_dump_json(), NOON)
    first = link.to_send(number, NOON)
    again = NOON + INVENTORY_EVERY
    assert link.wake_at is not None
    assert link.wake_at <= again
    link.ticked(again)
    second = link.to_send(number, again)

    assert [sum('"nodes"' in text for text in texts) for texts in (first, second)] == [1, 1]
