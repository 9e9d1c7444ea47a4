"""32 KB are never exceeded, whatever a pod, a node or a cluster is made of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xylem.domain.ids import BackendName, GroupId, TaskName, WorkflowId, mail_id
from xylem.domain.status import TaskStatus
from xylem.protocol.agent import (
    Anchor,
    Hello,
    Inventory,
    Job,
    JobResult,
    Jobs,
    NodeAmounts,
    NodeObservation,
    NodeUse,
    PodObservation,
    Welcome,
    operator_message,
)
from xylem.protocol.limits import FRAME_BYTES, MESSAGE_CHARS, NAME_CHARS
from xylem.protocol.link import Link

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HELLO = Hello(backend=BackendName("here"), cluster_uid="uid", boot_id="b" * 64, version="1")
GROUP = GroupId("a" * 32)

WIDE = ["x", '"', "\x01", "ß", "漢", "\N{PILE OF POO}", "e\u0301"]
"""One byte, two when escaped, six when escaped, at the ends of what a range can name, two, three,
four; and two characters that are one
to whoever reads them."""


def texts(most: int, least: int = 0) -> st.SearchStrategy[str]:
    """Of one character again and again, with some of any kind before it."""
    any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=min(most, 20))
    length = st.sampled_from([least, most // 2, most])
    return st.builds(
        lambda head, wide, size: (head + wide * size)[: max(size, least)],
        any_text,
        st.sampled_from(WIDE),
        length,
    )


NAMES = texts(NAME_CHARS, least=1)


@st.composite
def pods(draw: st.DrawFn) -> list[PodObservation]:
    """Of one group; some tasks have many attempts."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        task = f"{number}" + draw(NAMES)[: NAME_CHARS - 3]
        message = draw(texts(MESSAGE_CHARS))
        workflow, node = draw(NAMES), draw(NAMES)
        for retry in range(draw(st.sampled_from([1, 1, 1, 3, 100]))):
            found.append(
                PodObservation(
                    workflow=WorkflowId(workflow),
                    group=GROUP,
                    incarnation=0,
                    task=TaskName(task),
                    retry=retry,
                    uid=f"{number}-{retry}",
                    status=draw(st.sampled_from([TaskStatus.RUNNING, TaskStatus.COMPLETED])),
                    message=message,
                    node=node,
                )
            )
    return found


@st.composite
def nodes(draw: st.DrawFn) -> list[NodeObservation]:
    return [
        NodeObservation(
            name=f"{number}{draw(NAMES)[: NAME_CHARS - 3]}",
            uses=[
                NodeUse(pool=draw(NAMES), priority="LOW", pods=1, amounts=NodeAmounts(cpu=2**53))
                for _ in range(draw(st.integers(0, 3)))
            ],
            labels={draw(NAMES): draw(NAMES)},
        )
        for number in range(draw(st.integers(0, 15)))
    ]


def connected(*, bundles: bool) -> tuple[Link, int]:
    link = Link(HELLO, random=lambda: 0.5, now=NOON)
    number = link.dial(NOON)
    assert number is not None
    link.opened(number, NOON)
    link.to_send(number, NOON)
    link.received(number, Welcome(epoch=1, bundles=bundles, nodes=True).model_dump_json(), NOON)
    return link, number


def frames(link: Link, number: int, moment: datetime = NOON) -> list[Any]:
    said = link.to_send(number, moment)
    assert max(map(len, (text.encode() for text in said)), default=0) <= FRAME_BYTES
    return [operator_message.validate_json(text) for text in said]


def newest(found: list[PodObservation]) -> set[tuple[str, int]]:
    """Of each task the attempt that counts."""
    last: dict[str, int] = {}
    for pod in found:
        last[pod.task] = max(pod.retry, last.get(pod.task, 0))
    return set(last.items())


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # it would hide what failed
@settings(max_examples=100, deadline=None)
@given(pods(), nodes(), texts(MESSAGE_CHARS), st.integers(0, 300), st.booleans())
def test_no_frame_exceeds_its_bytes_and_the_attempt_that_counts_is_in_one(
    found: list[PodObservation],
    seen: list[NodeObservation],
    message: str,
    incarnations: int,
    bundles: bool,
) -> None:
    link, number = connected(bundles=bundles)
    job = Job(
        workflow=WorkflowId("w-1"),
        job_id=mail_id(GROUP, 0, 1),
        ordinal=1,
        after=0,
        kind="observe",
    )
    link.received(number, Jobs(jobs=[job]).model_dump_json(), NOON)
    for pod in found:
        link.report(pod, NOON)
    for node in seen:
        link.nodes.seen(node, NOON)
    link.nodes.listed(NOON)
    anchors = [
        Anchor(workflow=WorkflowId("w-1"), group=GROUP, incarnation=at, state="closed", done=1)
        for at in range(incarnations)
    ]
    link.inventory(1, anchors, found)
    link.answer(
        JobResult(
            workflow=WorkflowId("w-1"),
            job_id=job.job_id,
            status="done",
            message=message,
            observations=found,
        ),
        NOON,
    )

    said = frames(link, number) + frames(link, number, NOON + timedelta(seconds=60))

    answered = [one for one in said if isinstance(one, JobResult)]
    answered += [result for one in said for result in getattr(one, "results", [])]
    stock = [one for one in said if isinstance(one, Inventory)]
    told = [pod for result in answered for pod in result.observations]
    shown = [pod for chunk in stock for pod in chunk.pods]
    assert newest(told) == newest(shown) == newest(found)
    assert [anchor.incarnation for chunk in stock for anchor in chunk.anchors] == list(
        range(incarnations)
    )
