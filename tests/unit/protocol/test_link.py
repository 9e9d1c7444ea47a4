"""The operator's half of the link: text and moments in, text, orders and wake-ups out."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xylem.domain.ids import BackendName, GroupId, TaskName, WorkflowId, mail_id
from xylem.domain.status import TaskStatus
from xylem.protocol.agent import (
    Ack,
    Anchor,
    BackendTests,
    Bundle,
    ContainerDetail,
    Event,
    Heartbeat,
    Hello,
    Inventory,
    Job,
    JobResult,
    Jobs,
    News,
    PodDetail,
    PodObservation,
    PodWarning,
    Refusal,
    Rejected,
    Welcome,
    operator_message,
)
from xylem.protocol.limits import (
    DETAIL_CHARS,
    DETAIL_CONTAINERS,
    DETAIL_WARNINGS,
    FRAME_BYTES,
    LONGEST_NEWS_HOLD,
    MESSAGE_CHARS,
    NEWS_EVENTS,
    NEWS_FLUSH,
    NEWS_GAP,
    NEWS_HOLD,
)
from xylem.protocol.link import (
    Collect,
    Complaint,
    Link,
    Order,
    Perform,
    SetTests,
    Settled,
    TakeInventory,
)
from xylem.protocol.outbox import PENDING_PODS

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOOT = "boot-1"
HELLO = Hello(backend=BackendName("here"), cluster_uid="uid", boot_id=BOOT, version="1")
GROUP = GroupId("a" * 32)
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def a_link(dice: float = 0.5) -> Link:
    return Link(HELLO, random=lambda: dice, now=NOON)


def connected(link: Link, now: datetime = NOON, *, bundles: bool = False) -> int:
    """A new connection up to its welcome."""
    number = link.dial(now)
    assert number is not None
    link.opened(number, now)
    said = link.to_send(number, now)
    assert [type(operator_message.validate_json(text)) for text in said] == [Hello]
    hear(link, number, Welcome(epoch=1, bundles=bundles), now)
    return number


def hear(link: Link, number: int, message: Any, now: datetime = NOON) -> list[Order]:
    return link.received(number, message.model_dump_json(), now)


def said(link: Link, number: int, now: datetime) -> list[Any]:
    texts = link.to_send(number, now)
    assert all(len(text.encode()) <= FRAME_BYTES for text in texts)
    return [operator_message.validate_json(text) for text in texts]


def seqs(messages: list[Any]) -> list[int]:
    news = [message for message in messages if isinstance(message, News | Bundle)]
    return [event.seq for message in news for event in message.events]


def a_pod(
    uid: str = "pod-1",
    status: TaskStatus = TaskStatus.SCHEDULING,
    message: str = "",
    group: GroupId = GROUP,
    task: str = "main",
    incarnation: int = 1,
    workflow: str = "hello-1",
) -> PodObservation:
    return PodObservation(
        workflow=WorkflowId(workflow),
        group=group,
        incarnation=incarnation,
        task=TaskName(task),
        retry=0,
        uid=uid,
        status=status,
        message=message,
        node="node-1",
        bound=True,
    )


RUNNING = TaskStatus.RUNNING
COMPLETED = TaskStatus.COMPLETED


def ack(*ranges: tuple[int, int], boot_id: str = BOOT) -> Ack:
    return Ack(boot_id=boot_id, ranges=list(ranges))


# Hello and connections -------------------------------------------------------------------------


def test_nothing_but_hello_is_said_before_the_welcome() -> None:
    link = a_link()
    link.report(a_pod(status=RUNNING), NOON)
    number = link.dial(NOON)
    assert number is not None
    link.opened(number, NOON)

    assert [type(message) for message in said(link, number, NOON)] == [Hello]
    assert said(link, number, NOON + SECOND) == []
    hear(link, number, Welcome(epoch=1), NOON + SECOND)
    assert seqs(said(link, number, NOON + SECOND)) == [1]


def test_a_hello_without_a_welcome_is_said_three_times_and_then_given_up() -> None:
    link = a_link()
    number = link.dial(NOON)
    assert number is not None
    link.opened(number, NOON)
    heard = 0

    now = NOON
    while not link.finished(number, now):
        heard += len(said(link, number, now))
        now += SECOND

    assert heard == 3
    assert now - NOON < MINUTE


def test_a_hello_that_is_refused_ends_the_connection_and_says_why() -> None:
    link = a_link()
    number = link.dial(NOON)
    assert number is not None
    link.opened(number, NOON)

    orders = hear(link, number, Refusal(code="other_cluster", message="it is another's"))

    assert isinstance(orders[0], Complaint)
    assert "it is another's" in orders[0].text
    assert link.finished(number, NOON)


@pytest.mark.parametrize(
    ("dice", "window"), [(0.0, timedelta(0)), (0.999, 9.99 * SECOND), (0.5, 5 * SECOND)]
)
def test_the_first_try_after_a_loss_is_uniform_over_ten_seconds(
    dice: float, window: timedelta
) -> None:
    link = a_link(dice)
    number = connected(link)

    link.closed(number, NOON)

    assert link.wake_at == NOON + window
    assert link.dial(NOON + window) is not None


def test_tries_that_fail_spread_up_to_a_minute_and_no_further() -> None:
    link = a_link(dice=0.999)
    now = NOON
    waits = []

    for _ in range(8):
        number = link.dial(now)
        assert number is not None
        link.closed(number, now)
        assert link.wake_at is not None
        waits.append(link.wake_at - now)
        now = link.wake_at

    assert waits == sorted(waits)
    assert timedelta(seconds=59) < waits[-1] <= MINUTE


def test_a_hint_of_the_server_moves_and_spreads_the_next_try() -> None:
    early, late = a_link(dice=0.0), a_link(dice=0.999)

    for link in (early, late):
        number = link.dial(NOON)
        assert number is not None
        link.closed(number, NOON, retry_after=timedelta(seconds=30))

    assert early.wake_at == NOON + 30 * SECOND
    assert late.wake_at is not None
    assert late.wake_at > NOON + 59 * SECOND


def test_a_connection_is_replaced_before_it_is_two_hours_old_and_without_a_gap() -> None:
    link = a_link(dice=0.5)
    old = connected(link)
    assert link.dial(NOON + timedelta(minutes=104)) is None
    later = NOON + timedelta(minutes=105)

    new = link.dial(later)
    assert new is not None
    link.opened(new, later)
    link.report(a_pod(status=RUNNING), later)
    assert seqs(said(link, old, later)) == [1]
    hear(link, new, Welcome(epoch=2), later)

    assert not link.finished(old, later + 30 * SECOND)
    assert link.finished(old, later + MINUTE)
    link.report(a_pod(status=COMPLETED), later)
    assert said(link, old, later) == []
    assert 2 in seqs(said(link, new, later))


def test_jobs_and_acknowledgements_are_still_heard_on_the_old_connection() -> None:
    link = a_link()
    old = connected(link)
    link.report(a_pod(status=COMPLETED), NOON)
    said(link, old, NOON)
    later = NOON + timedelta(minutes=110)
    connected(link, later)

    assert hear(link, old, ack((1, 1)), later) == [Settled("pod-1")]
    assert hear(link, old, Jobs(jobs=[a_job()]), later) == [Perform(a_job(), later)]


def test_a_rotation_that_fails_leaves_the_connection_in_use() -> None:
    link = a_link()
    old = connected(link)
    later = NOON + timedelta(minutes=110)
    new = link.dial(later)
    assert new is not None

    link.closed(new, later)

    assert link.welcomed
    assert not link.finished(old, later)
    assert link.dial(later) is None
    assert link.dial(later + MINUTE) is not None


def test_a_peer_that_leaves_news_unanswered_is_given_up() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=RUNNING), NOON)
    said(link, number, NOON)

    assert not link.finished(number, NOON + 149 * SECOND)
    assert link.finished(number, NOON + 150 * SECOND)


# News ------------------------------------------------------------------------------------------


def test_a_newer_observation_takes_a_new_number_and_replaces_the_older() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=TaskStatus.SCHEDULING), NOON)
    link.report(a_pod(status=RUNNING), NOON)

    (news,) = [each for each in said(link, number, NOON) if isinstance(each, News)]

    assert [(event.seq, event.pod.status) for event in news.events] == [(2, RUNNING)]


def test_said_again_an_event_keeps_its_number() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=RUNNING), NOON)

    first = seqs(said(link, number, NOON))
    link.report(a_pod(status=RUNNING), NOON + SECOND)
    assert seqs(said(link, number, NOON + SECOND)) == []
    again = seqs(said(link, number, NOON + MINUTE))

    assert first == again == [1]


def test_an_acknowledgement_of_an_older_number_does_not_clear_a_newer_event() -> None:
    """Without a number per event an ack by range clears a terminal event that was never sent."""
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=RUNNING), NOON)
    said(link, number, NOON)
    link.report(a_pod(status=COMPLETED), NOON)

    assert hear(link, number, ack((1, 1))) == []
    assert hear(link, number, ack((1, 1000))) == []
    assert seqs(said(link, number, NOON + NEWS_GAP)) == [2]
    assert hear(link, number, ack((2, 2))) == [Settled("pod-1")]


def test_the_first_of_a_burst_goes_out_at_once_and_that_of_other_workflows_together() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", status=RUNNING), NOON)
    first = said(link, number, NOON)
    for uid in ("pod-2", "pod-3", "pod-4"):
        link.report(a_pod(uid, status=RUNNING, workflow=f"of-{uid}"), NOON)

    assert seqs(first) == [1]
    assert said(link, number, NOON) == []
    assert link.wake_at == NOON + NEWS_GAP
    (together,) = said(link, number, NOON + NEWS_GAP)
    assert seqs([together]) == [2, 3, 4]


def test_an_acknowledgement_for_another_boot_id_is_ignored() -> None:
    """The ack of the previous process's 1 must not clear this one's."""
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=COMPLETED), NOON)
    said(link, number, NOON)

    assert hear(link, number, ack((1, 1), boot_id="boot-0")) == []
    assert hear(link, number, Rejected(boot_id="boot-0", seq=1, code="unknown_entity")) == []
    assert seqs(said(link, number, NOON + MINUTE)) == [1]


def test_only_a_terminal_event_that_was_acknowledged_itself_releases_its_pod() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("runs", RUNNING), NOON)
    link.report(a_pod("ended", COMPLETED), NOON)
    said(link, number, NOON)

    assert hear(link, number, ack((1, 1))) == []
    assert hear(link, number, ack((2, 2))) == [Settled("ended")]
    assert hear(link, number, ack((2, 2))) == []


def test_ranges_clear_exactly_their_numbers() -> None:
    link = a_link()
    number = connected(link)
    for each in range(1, 11):
        link.report(a_pod(f"pod-{each}", COMPLETED), NOON)
    said(link, number, NOON)

    orders = hear(link, number, ack((2, 3), (7, 7)))

    assert orders == [Settled("pod-2"), Settled("pod-3"), Settled("pod-7")]
    assert seqs(said(link, number, NOON + MINUTE)) == [1, 4, 5, 6, 8, 9, 10]


def test_an_absurdly_wide_range_costs_nothing() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=COMPLETED), NOON)
    said(link, number, NOON)

    assert hear(link, number, ack((1, 10**15))) == [Settled("pod-1")]


def test_everything_unacknowledged_is_said_again_on_a_new_connection() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", RUNNING), NOON)
    link.report(a_pod("pod-2", COMPLETED), NOON)
    said(link, number, NOON)
    hear(link, number, ack((1, 1)))
    link.closed(number, NOON)

    later = NOON + 10 * SECOND
    number = connected(link, later)

    assert seqs(said(link, number, later)) == [2]


def test_a_newcomer_waits_a_second_for_company() -> None:
    link = a_link()
    number = connected(link)
    said(link, number, NOON)

    link.report(a_pod(), NOON)

    assert said(link, number, NOON + 999 * MS) == []
    assert link.wake_at == NOON + 1000 * MS
    assert seqs(said(link, number, NOON + 1000 * MS)) == [1]


@pytest.mark.parametrize("status", [RUNNING, COMPLETED, TaskStatus.FAILED_IMAGE_PULL])
def test_running_and_terminal_news_waits_for_nobody(status: TaskStatus) -> None:
    link = a_link()
    number = connected(link)

    link.report(a_pod(status=status), NOON)

    assert seqs(said(link, number, NOON)) == [1]


def test_fifty_events_go_at_once() -> None:
    link = a_link()
    number = connected(link)

    for each in range(50):
        link.report(a_pod(f"pod-{each}"), NOON)

    assert len(seqs(said(link, number, NOON))) == 50


def test_a_frames_worth_of_events_goes_at_once() -> None:
    link = a_link()
    number = connected(link)

    for each in range(9):
        link.report(a_pod(f"pod-{each}", message="x" * MESSAGE_CHARS), NOON)

    assert len(seqs(said(link, number, NOON))) == 9


def test_the_buffer_is_bounded_and_never_forgets_an_end() -> None:
    link = a_link()
    link.report(a_pod("ended", COMPLETED), NOON)
    for each in range(PENDING_PODS + 5):
        link.report(a_pod(f"pod-{each}"), NOON)

    number = connected(link)
    numbers = seqs(said(link, number, NOON))

    assert len(numbers) == PENDING_PODS + 1
    assert numbers[0] == 1


def test_news_that_nobody_knows_is_collected_and_other_rejected_news_is_held() -> None:
    link = a_link()
    number = connected(link)
    for each in (1, 2):
        link.report(a_pod(f"pod-{each}", COMPLETED), NOON)
    said(link, number, NOON)

    unknown = hear(link, number, Rejected(boot_id=BOOT, seq=1, code="unknown_entity"))
    invalid = hear(link, number, Rejected(boot_id=BOOT, seq=2, code="invalid"))

    assert Collect("pod-1") in unknown
    assert [type(order) for order in invalid] == [Complaint]
    assert seqs(said(link, number, NOON + MINUTE)) == []


# One workflow at a time --------------------------------------------------------------------------


def test_while_news_is_on_its_way_more_of_its_workflow_waits_and_then_goes_out_together() -> None:
    """Two Agents that commit to one workflow are in each other's way, and both are billed."""
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", RUNNING), NOON)
    said(link, number, NOON)
    for uid in ("pod-1", "pod-2", "pod-3"):
        link.report(a_pod(uid, COMPLETED), NOON + NEWS_GAP)

    assert said(link, number, NOON + 900 * MS) == []
    hear(link, number, ack((1, 1)), NOON + 900 * MS)
    assert link.wake_at is not None
    assert link.wake_at <= NOON + 900 * MS
    (together,) = said(link, number, NOON + 900 * MS)
    assert seqs([together]) == [2, 3, 4]


def test_news_of_another_workflow_waits_for_no_acknowledgement_of_this_one() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", RUNNING), NOON)
    said(link, number, NOON)

    link.report(a_pod("pod-2", RUNNING, workflow="other-1"), NOON + NEWS_GAP)

    assert seqs(said(link, number, NOON + NEWS_GAP)) == [2]


def test_a_workflow_speaks_again_when_all_that_was_said_of_it_is_answered() -> None:
    link = a_link()
    number = connected(link)
    for uid in ("pod-1", "pod-2", "pod-3"):
        link.report(a_pod(uid, RUNNING), NOON)
    said(link, number, NOON)
    link.report(a_pod("pod-1", COMPLETED), NOON)

    hear(link, number, ack((2, 2)), NOON + NEWS_GAP)
    hear(link, number, Rejected(boot_id=BOOT, seq=3, code="invalid"), NOON + NEWS_GAP)
    assert said(link, number, NOON + NEWS_GAP) == []
    hear(link, number, ack((1, 1)), NOON + NEWS_GAP)
    assert seqs(said(link, number, NOON + NEWS_GAP)) == [4]


def test_an_acknowledgement_that_is_lost_holds_news_up_once_and_not_for_long() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", RUNNING), NOON)
    said(link, number, NOON)
    link.report(a_pod("pod-2", RUNNING), NOON + NEWS_GAP)
    later = NOON + NEWS_HOLD

    assert said(link, number, later - MS) == []
    assert link.wake_at == later
    assert seqs(said(link, number, later)) == [2]
    hear(link, number, ack((2, 2)), later + NEWS_GAP)
    link.report(a_pod("pod-3", RUNNING), later + NEWS_GAP)
    assert seqs(said(link, number, later + NEWS_GAP)) == [3]


def test_the_hold_doubles_while_acknowledgements_are_late_and_shrinks_when_they_come() -> None:
    """A service that is late is not made later."""
    link = a_link()
    number = connected(link)
    now = NOON
    waits = []
    for each in range(5):
        link.report(a_pod(f"pod-{each}", RUNNING), now)
        said(link, number, now)
        link.report(a_pod(f"late-{each}", RUNNING), now)
        assert link.wake_at is not None
        waits.append(link.wake_at - now)
        now = link.wake_at
        said(link, number, now)
        hear(link, number, ack((1, 100)), now)
        now += NEWS_GAP
    assert waits == [NEWS_HOLD] * 5

    for each in range(3):
        link.report(a_pod(f"unheard-{each}", RUNNING), now)
        said(link, number, now)
        now += LONGEST_NEWS_HOLD
        said(link, number, now)
    hear(link, number, ack((1, 100)), now)
    link.report(a_pod("last", RUNNING), now)
    said(link, number, now)
    link.report(a_pod("last", COMPLETED), now)
    assert link.wake_at == now + LONGEST_NEWS_HOLD


def test_acknowledgements_of_another_boot_let_nothing_go_on() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", RUNNING), NOON)
    said(link, number, NOON)
    link.report(a_pod("pod-2", RUNNING), NOON)

    hear(link, number, ack((1, 1), boot_id="boot-0"))

    assert said(link, number, NOON + NEWS_GAP) == []


def test_a_newcomer_waits_its_second_even_when_its_workflow_may_speak() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("pod-1", RUNNING), NOON)
    said(link, number, NOON)
    link.report(a_pod("pod-2"), NOON)
    hear(link, number, ack((1, 1)))

    assert said(link, number, NOON + NEWS_FLUSH - MS) == []
    assert seqs(said(link, number, NOON + NEWS_FLUSH)) == [2]


def test_a_new_connection_waits_for_no_acknowledgement_of_the_old_one() -> None:
    link = a_link()
    old = connected(link)
    later = NOON + timedelta(minutes=110)
    link.report(a_pod("pod-1", RUNNING), later)
    said(link, old, later)
    link.report(a_pod("pod-2", RUNNING), later)

    new = connected(link, later)

    assert seqs(said(link, new, later)) == [2, 1]


# News and answers in one frame -------------------------------------------------------------------


def test_answers_wait_for_news_on_its_way_and_go_out_with_what_waits() -> None:
    link = a_link()
    number = connected(link, bundles=True)
    link.report(a_pod("pod-1", RUNNING), NOON)
    said(link, number, NOON)
    link.answer(an_answer([], ordinal=1), NOON)
    link.answer(an_answer([], ordinal=2), NOON)
    link.report(a_pod("pod-1", COMPLETED), NOON)

    assert said(link, number, NOON + NEWS_GAP) == []
    hear(link, number, ack((1, 1)), NOON + NEWS_GAP)
    (bundle,) = said(link, number, NOON + NEWS_GAP)
    assert bundle == Bundle(
        boot_id=BOOT,
        events=[Event(seq=2, pod=a_pod("pod-1", COMPLETED))],
        results=[an_answer([], ordinal=1), an_answer([], ordinal=2)],
    )


def test_a_service_that_knows_no_bundles_is_told_none() -> None:
    link = a_link()
    number = connected(link, bundles=False)
    for ordinal in (1, 2):
        link.answer(an_answer([], ordinal=ordinal), NOON)
    link.report(a_pod("pod-1", RUNNING), NOON)

    messages = said(link, number, NOON)

    assert [type(message) for message in messages] == [JobResult, JobResult, News]


def test_what_was_sayable_before_there_were_bundles_is_said_as_it_was() -> None:
    link = a_link()
    number = connected(link, bundles=True)
    link.report(a_pod("pod-1", RUNNING), NOON)
    assert [type(message) for message in said(link, number, NOON)] == [News]
    hear(link, number, ack((1, 1)))

    link.answer(an_answer([]), NOON)

    assert said(link, number, NOON + NEWS_GAP) == [an_answer([])]


def test_a_service_that_refuses_a_bundle_is_told_no_more_of_them() -> None:
    """It was replaced by an older one, while its sockets went on."""
    link = a_link()
    number = connected(link, bundles=True)
    link.answer(an_answer([]), NOON)
    link.report(a_pod("pod-1", COMPLETED), NOON)
    assert [type(message) for message in said(link, number, NOON)] == [Bundle]

    hear(link, number, Refusal(code="invalid_frame", message="type: unknown"))
    link.answer(an_answer([]), NOON + SECOND)

    later = said(link, number, NOON + MINUTE)
    assert [type(message) for message in later] == [JobResult, News]
    assert seqs(later) == [1]


def test_that_a_group_was_made_is_told_with_its_first_news() -> None:
    link = a_link()
    number = connected(link, bundles=True)
    hear(link, number, Jobs(jobs=[a_job()]))
    link.answer(an_answer([]), NOON)
    assert said(link, number, NOON) == []

    link.report(a_pod("pod-1", RUNNING), NOON + NEWS_GAP)

    assert [type(message) for message in said(link, number, NOON + NEWS_GAP)] == [Bundle]


def test_that_a_group_was_made_is_told_without_news_after_a_second() -> None:
    link = a_link()
    number = connected(link, bundles=True)
    hear(link, number, Jobs(jobs=[a_job()]))
    link.answer(an_answer([]), NOON)

    assert said(link, number, NOON + NEWS_FLUSH - MS) == []
    assert link.wake_at == NOON + NEWS_FLUSH
    assert said(link, number, NOON + NEWS_FLUSH) == [an_answer([])]


@pytest.mark.parametrize(
    ("kind", "status"), [("observe", "done"), ("create", "failed"), ("create", "superseded")]
)
def test_an_answer_that_somebody_waits_for_goes_at_once(kind: str, status: str) -> None:
    link = a_link()
    number = connected(link, bundles=True)
    hear(link, number, Jobs(jobs=[a_job(kind=kind)]))
    result = an_answer([]).model_copy(update={"status": status})

    link.answer(result, NOON)

    assert said(link, number, NOON) == [result]


def test_what_belongs_to_one_workflow_is_told_in_one_frame_where_it_fits() -> None:
    link = a_link()
    number = connected(link, bundles=True)
    for each in range(NEWS_EVENTS // 4):
        for workflow in ("a-1", "b-1"):
            link.report(a_pod(f"{workflow}-{each}", COMPLETED, workflow=workflow), NOON)
            result = an_answer([], ordinal=each + 1)
            link.answer(result.model_copy(update={"workflow": WorkflowId(workflow)}), NOON)

    frames = said(link, number, NOON)

    for workflow in ("a-1", "b-1"):
        telling = [
            frame
            for frame in frames
            if any(event.pod.workflow == workflow for event in frame.events)
            or any(result.workflow == workflow for result in frame.results)
        ]
        assert len(telling) == 1


# Frames ----------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=MESSAGE_CHARS)


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=20), st.integers(0, 3), st.booleans())
def test_no_frame_is_too_large_whatever_pods_say(
    messages: list[str], kind: int, bundles: bool
) -> None:
    widest = "\N{PILE OF POO}" if kind == 0 else "\x01" if kind == 1 else '"'
    link = a_link()
    number = connected(link, bundles=bundles)
    pods = [
        a_pod(f"pod-{at}", COMPLETED, message=text + widest * (MESSAGE_CHARS - len(text)))
        for at, text in enumerate(messages)
    ]
    for pod in pods:
        link.report(pod, NOON)
    link.inventory(1, [], pods)
    link.answer(an_answer(pods), NOON)

    messages_said = said(link, number, NOON)

    assert seqs(messages_said) == list(range(1, len(pods) + 1))


def test_what_only_explains_gives_way_to_what_is_said() -> None:
    """Attempts of one task are told together, and share a frame's room."""
    text = "\N{PILE OF POO}" * DETAIL_CHARS
    container = ContainerDetail(name="main", state="waiting", message=text)
    warning = PodWarning(reason="FailedMount", message=text)
    detail = PodDetail(
        containers=[container] * DETAIL_CONTAINERS, warnings=[warning] * DETAIL_WARNINGS
    )
    small, large = ("one", "two", "three", "four", "five", "six"), "\x01" * MESSAGE_CHARS
    link = a_link()
    number = connected(link)
    explained = a_pod("pod-1", COMPLETED).model_copy(update={"detail": detail})
    crowded = a_pod("pod-2", COMPLETED, message=large).model_copy(update={"detail": detail})
    link.report(explained, NOON)
    link.report(crowded, NOON)
    pods = [explained.model_copy(update={"uid": uid, "message": uid}) for uid in small]
    link.inventory(1, [], pods)

    messages = said(link, number, NOON)

    events = [event.pod for each in messages if isinstance(each, News) for event in each.events]
    stock = [pod for each in messages if isinstance(each, Inventory) for pod in each.pods]
    assert [pod.detail for pod in events] == [detail, None]
    assert len(events[1].message) > MESSAGE_CHARS // 2
    assert {pod.message for pod in stock} >= set(small)


def test_a_short_message_is_said_whole() -> None:
    link = a_link()
    number = connected(link)
    pod = a_pod(status=COMPLETED, message="größer als nötig \N{PILE OF POO}" * 50)
    link.report(pod, NOON)

    (news,) = said(link, number, NOON)

    assert news.events[0].pod == pod


# Jobs ------------------------------------------------------------------------------------------


def a_job(ordinal: int = 1, kind: Any = "create") -> Job:
    return Job(
        workflow=WorkflowId("hello-1"),
        job_id=mail_id(GROUP, 1, ordinal),
        ordinal=ordinal,
        after=0,
        kind=kind,
    )


def an_answer(pods: list[PodObservation], ordinal: int = 1, message: str = "") -> JobResult:
    return JobResult(
        workflow=WorkflowId("hello-1"),
        job_id=mail_id(GROUP, 1, ordinal),
        status="done",
        message=message,
        observations=pods,
    )


def test_a_job_that_is_being_performed_is_not_begun_again() -> None:
    link = a_link()
    number = connected(link)

    first = hear(link, number, Jobs(jobs=[a_job(1), a_job(2)]))
    second = hear(link, number, Jobs(jobs=[a_job(1), a_job(3)]))

    assert first == [Perform(a_job(1), NOON), Perform(a_job(2), NOON)]
    assert second == [Perform(a_job(3), NOON)]


def test_an_answer_that_was_lost_is_given_again_when_the_job_is_pushed_again() -> None:
    link = a_link()
    number = connected(link)
    hear(link, number, Jobs(jobs=[a_job()]))
    link.answer(an_answer([]), NOON)
    assert said(link, number, NOON + NEWS_FLUSH) == [an_answer([])]
    link.closed(number, NOON)

    later = NOON + 10 * SECOND
    number = connected(link, later)

    assert hear(link, number, Jobs(jobs=[a_job()]), later) == [Perform(a_job(), later)]


def test_an_answer_waits_for_a_connection() -> None:
    link = a_link()
    number = connected(link)
    hear(link, number, Jobs(jobs=[a_job()]))
    link.closed(number, NOON)
    link.answer(an_answer([]), NOON)

    later = NOON + 10 * SECOND
    number = connected(link, later)

    assert an_answer([]) in said(link, number, later)


def test_a_job_that_was_put_down_is_performed_when_it_is_pushed_again() -> None:
    link = a_link()
    number = connected(link)
    hear(link, number, Jobs(jobs=[a_job()]))

    link.put_down(a_job().job_id)

    assert hear(link, number, Jobs(jobs=[a_job()]), NOON) == [Perform(a_job(), NOON)]


def test_the_answer_to_observe_has_the_ends_that_are_not_acknowledged() -> None:
    """Its pod may be gone already: a known exit code must not become "lost"."""
    link = a_link()
    number = connected(link)
    ended = a_pod("ended", COMPLETED)
    link.report(ended, NOON)
    link.report(a_pod("other", COMPLETED, group=GroupId("b" * 32)), NOON)
    link.report(a_pod("earlier", COMPLETED, incarnation=0), NOON)
    hear(link, number, Jobs(jobs=[a_job(kind="observe")]))

    link.answer(an_answer([a_pod("listed", RUNNING)]), NOON)

    (answer,) = [each for each in said(link, number, NOON) if isinstance(each, JobResult)]
    assert [pod.uid for pod in answer.observations] == ["listed", "ended"]


def test_a_large_answer_comes_in_parts_that_are_whole_for_their_tasks() -> None:
    link = a_link()
    number = connected(link)
    pods = [a_pod(f"pod-{at}", RUNNING, task=f"task-{at:04d}") for at in range(500)]

    link.answer(an_answer(pods), NOON)
    parts = [each for each in said(link, number, NOON) if isinstance(each, JobResult)]

    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    for pod in pods:
        covering = [part for part in parts if covers(part.tasks, pod.task)]
        assert [pod in part.observations for part in covering] == [True]
    assert [covers(part.tasks, "absent") for part in parts].count(True) == 1


def covers(bounds: tuple[str, str] | None, name: str) -> bool:
    return bounds is None or bounds[0] <= name <= bounds[1]


def test_a_push_with_an_unknown_kind_of_job_still_brings_the_others() -> None:
    link = a_link()
    number = connected(link)
    known = json.loads(a_job().model_dump_json())
    text = json.dumps({"type": "jobs", "jobs": [{**known, "kind": "frobnicate"}, known]})

    orders = link.received(number, text, NOON)

    assert [type(order) for order in orders] == [Complaint, Perform]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type":"sing"}', "[" * 5000, '{"type":"jobs"}'])
def test_words_that_are_not_understood_are_reported_and_harm_nothing(text: str) -> None:
    link = a_link()
    number = connected(link)

    assert [type(order) for order in link.received(number, text, NOON)] == [Complaint]
    assert link.welcomed


# Heartbeat and inventory -----------------------------------------------------------------------


def test_a_heartbeat_is_said_only_when_nothing_else_was_for_a_minute() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod(status=RUNNING), NOON + 30 * SECOND)
    said(link, number, NOON + 30 * SECOND)
    hear(link, number, ack((1, 1)))

    assert said(link, number, NOON + 89 * SECOND) == []
    assert said(link, number, NOON + 90 * SECOND) == [Heartbeat()]
    assert said(link, number, NOON + 91 * SECOND) == []


def test_tests_of_nodes_are_set_as_they_are_told_with_jobs_or_without() -> None:
    link = a_link()
    number = connected(link)
    told = BackendTests(digest="d", tests=[])

    assert hear(link, number, Jobs(jobs=[], tests=told)) == [SetTests(told)]
    both = hear(link, number, Jobs(jobs=[a_job()], tests=told))
    assert [type(order) for order in both] == [Perform, SetTests]


def test_an_inventory_is_asked_for_at_every_welcome_and_every_ten_minutes() -> None:
    link = a_link()
    number = link.dial(NOON)
    assert number is not None
    link.opened(number, NOON)

    assert hear(link, number, Welcome(epoch=1)) == [TakeInventory(1)]
    assert link.ticked(NOON + 9 * MINUTE) == []
    assert link.ticked(NOON + 10 * MINUTE) == [TakeInventory(2)]
    assert hear(link, number, Welcome(epoch=2), NOON + 11 * MINUTE) == [TakeInventory(3)]


def test_an_inventory_that_was_begun_before_the_last_welcome_is_not_said() -> None:
    link = a_link()
    number = connected(link)
    said(link, number, NOON)
    link.closed(number, NOON)
    later = NOON + 10 * SECOND
    number = connected(link, later)

    link.inventory(1, [], [a_pod()])
    assert said(link, number, later) == []
    link.inventory(2, [], [a_pod()])
    assert [type(message) for message in said(link, number, later)] == [Inventory]


def test_pods_with_unacknowledged_terminal_news_are_listed_as_present() -> None:
    link = a_link()
    number = connected(link)
    link.report(a_pod("ended", COMPLETED), NOON)
    link.report(a_pod("running", RUNNING), NOON)

    link.inventory(1, [], [])

    (chunk,) = [each for each in said(link, number, NOON) if isinstance(each, Inventory)]
    assert [pod.uid for pod in chunk.pods] == ["ended"]


def an_anchor(group: GroupId) -> Anchor:
    return Anchor(
        workflow=WorkflowId("hello-1"), group=group, incarnation=1, state="created", done=1
    )


GROUPS = st.lists(
    st.tuples(st.integers(0, 16**6 - 1), st.integers(0, 250)), max_size=25, unique_by=lambda g: g[0]
)


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.integers(0, 16**6 - 1))
def test_the_chunks_of_an_inventory_are_whole_for_their_ranges_and_leave_no_gap(
    groups: list[tuple[int, int]], absent: int
) -> None:
    link = a_link()
    number = connected(link)
    names = {GroupId(f"{at:06x}" + "0" * 26): count for at, count in groups}
    pods = [
        a_pod(f"{name}-{at}", RUNNING, group=name, task=f"task-{at}")
        for name, count in names.items()
        for at in range(count)
    ]

    link.inventory(1, [an_anchor(name) for name in names], pods)
    chunks = [each for each in said(link, number, NOON) if isinstance(each, Inventory)]

    for pod in pods:
        covering = [
            chunk
            for chunk in chunks
            if chunk.first <= pod.group <= chunk.last and covers(chunk.tasks, pod.task)
        ]
        assert [pod in chunk.pods for chunk in covering] == [True]
    anchors = [anchor.group for chunk in chunks for anchor in chunk.anchors]
    assert sorted(anchors) == sorted(names)
    missing = f"{absent:06x}" + "0" * 26
    if missing not in names:
        assert sum(chunk.first <= missing <= chunk.last for chunk in chunks) == 1


# A service that loses, repeats and reorders ------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_lost_or_repeated_the_last_word_on_each_pod_arrives(
    data: st.DataObject,
) -> None:
    link = a_link()
    now = NOON
    bundles = data.draw(st.booleans())
    number = connected(link, bundles=bundles)
    learnt: dict[str, tuple[int, PodObservation]] = {}
    truth: dict[str, PodObservation] = {}
    released: set[str] = set()
    in_flight: list[str] = []
    statuses = [TaskStatus.SCHEDULING, RUNNING, COMPLETED]

    def service_reads(text: str) -> Ack | None:
        message = operator_message.validate_json(text)
        if not isinstance(message, News | Bundle) or not message.events:
            return None
        for event in message.events:
            if event.seq > learnt.get(event.pod.uid, (0,))[0]:
                learnt[event.pod.uid] = (event.seq, event.pod)
        return ack(*((event.seq, event.seq) for event in message.events))

    def take(orders: list[Order]) -> None:
        for order in orders:
            if isinstance(order, Settled):
                assert learnt[order.uid][1].status.final, "S4: released before it was durable"
                released.add(order.uid)

    for _ in range(data.draw(st.integers(0, 40))):
        now += timedelta(milliseconds=data.draw(st.sampled_from([1, 300, 20_000, 61_000])))
        match data.draw(st.sampled_from(["report", "answer", "send", "deliver", "lose", "cut"])):
            case "report":
                uid = f"pod-{data.draw(st.integers(0, 3))}"
                reached = statuses.index(truth[uid].status) if uid in truth else 0
                truth[uid] = a_pod(uid, data.draw(st.sampled_from(statuses[reached:])))
                link.report(truth[uid], now)
            case "send":
                in_flight += link.to_send(number, now)
            case "deliver" if in_flight:
                at = data.draw(st.integers(0, len(in_flight) - 1))
                answer = service_reads(in_flight[at])
                if answer is not None and data.draw(st.booleans()):
                    take(hear(link, number, answer, now))
            case "lose" if in_flight:
                in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
            case "cut":
                link.closed(number, now)
                now += MINUTE
                number = connected(link, now, bundles=bundles)
            case "answer":
                link.answer(an_answer([]), now)
            case _:
                pass
    for _ in range(3):
        now += MINUTE + SECOND
        for text in link.to_send(number, now):
            answer = service_reads(text)
            if answer is not None:
                take(hear(link, number, answer, now))

    assert {uid: pod for uid, (_, pod) in learnt.items()} == truth
    assert released >= {uid for uid, pod in truth.items() if pod.status.final}
    assert seqs(said(link, number, now + MINUTE)) == []
