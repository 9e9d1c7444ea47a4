"""A side of a session under a peer that means it ill: what it keeps stays bounded."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from operators.shared.channel_inbox import PIECE_BYTES, ChannelInbox
from operators.shared.session_io import SessionLine
from tests.builders import NOON
from xylem.protocol.attachment import SessionSide
from xylem.protocol.channels import (
    CHANNELS,
    SESSION_BYTES,
    WINDOW,
    Bytes,
    Event,
    Finished,
    Opened,
    Signalled,
)
from xylem.protocol.session import Attached, Frame
from xylem.protocol.streams import OUTSIDE_PENDING

SID = "a" * 32


def a_line() -> SessionLine:
    """The operator's, on a connection that is attached; nothing is sent anywhere."""
    side = SessionSide(SID, "operator", "token", "nonce", random=lambda: 0.0, now=NOON)
    line = SessionLine("ws://nowhere.test", dict, side)
    assert line.dial(NOON) == 1
    line.opened(1, NOON)
    attached = Attached(sid=SID, generation=1, peer="peer")
    line.received(1, attached.model_dump_json(), NOON)
    return line


def hears(line: SessionLine, kind: str, data: bytes = b"", **fields: Any) -> None:
    """As the pump does it."""
    said = {"sid": SID, "channel": 1, "kind": kind, **fields}
    frame = Frame.model_validate({**said, "data": base64.b64encode(data).decode()})
    for event in line.received(1, frame.model_dump_json(), NOON):
        line._take(event)


def in_a_loop(work: Callable[[], Any]) -> None:
    async def run() -> None:
        result = work()
        if asyncio.iscoroutine(result):
            await result

    asyncio.run(run())


def test_bytes_that_come_one_by_one_are_kept_as_one() -> None:
    def work() -> None:
        line = a_line()
        hears(line, "open", b"{}")
        for number in range(2_000):
            hears(line, "data", b"x", seq=1 + number)

        assert len(line._inboxes[1]) == 1

    in_a_loop(work)


def test_a_peer_that_signals_without_end_is_not_remembered_without_end() -> None:
    def work() -> None:
        line = a_line()
        hears(line, "open", b"{}")
        for number in range(1, 3_000):
            hears(line, "signal", b"INT", seq=number)

        assert len(line._inboxes[1]) <= OUTSIDE_PENDING

    in_a_loop(work)


def test_a_peer_that_opens_and_resets_without_end_fills_no_queue() -> None:
    def work() -> None:
        line = a_line()
        for channel in range(1, 4 * CHANNELS):
            hears(line, "open", b"{}", channel=channel)
            hears(line, "rst", channel=channel, seq=1)

        assert line._opened.qsize() <= CHANNELS

    in_a_loop(work)


def test_a_task_that_floods_a_client_that_never_reads_is_made_to_wait() -> None:
    """The operator takes no more of a pod than its windows hold; the pod's own pipe is full then,
    and its command waits."""

    async def work() -> None:
        line = a_line()
        channels = 20
        for channel in range(1, channels + 1):
            hears(line, "open", b"{}", channel=channel)
        taken = dict.fromkeys(range(1, channels + 1), 0)

        async def flood(channel: int) -> None:
            while True:
                await line.write(channel, bytes(32_768))
                taken[channel] += 32_768

        floods = [asyncio.create_task(flood(channel)) for channel in taken]
        for _ in range(1_000):
            await asyncio.sleep(0)
        for each in floods:
            each.cancel()

        assert max(taken.values()) <= 2 * WINDOW
        assert SESSION_BYTES / 2 < sum(taken.values()) <= SESSION_BYTES
        # What was sent and not acknowledged is said again, and not kept twice.
        later = NOON + timedelta(seconds=30)
        said = [json.loads(text) for text in line.to_send(1, later)]
        assert all(len(text) <= 128 * 1024 for text in map(json.dumps, said))

    in_a_loop(work)


@pytest.mark.parametrize("sid", ["b" * 32, "c" * 32])
def test_a_frame_for_anothers_session_is_not_heard(sid: str) -> None:
    def work() -> None:
        line = a_line()
        frame = Frame(sid=sid, channel=1, kind="open", data="e30=")
        assert line.received(1, frame.model_dump_json(), NOON) == []

    in_a_loop(work)


def test_an_inbox_gives_events_in_their_order_and_bytes_whole() -> None:
    async def work() -> None:
        inbox = ChannelInbox()
        put: list[Event] = [
            Opened(1, b"what"),
            Bytes(1, b"a"),
            Bytes(1, b"b"),
            Bytes(1, b"oh", err=True),
            Signalled(1, "resize", b"1"),
            Signalled(1, "resize", b"2"),
            Signalled(1, "signal", b"INT"),
            Bytes(1, b"c"),
            Finished(1),
        ]
        for event in put:
            inbox.put(event)

        got = [await inbox.get() for _ in range(len(inbox))]

        assert got == [
            Opened(1, b"what"),
            Bytes(1, b"ab"),
            Bytes(1, b"oh", err=True),
            Signalled(1, "resize", b"2"),
            Signalled(1, "signal", b"INT"),
            Bytes(1, b"c"),
            Finished(1),
        ]

    in_a_loop(work)


def test_an_inbox_makes_no_event_larger_than_a_write() -> None:
    async def work() -> None:
        inbox = ChannelInbox()
        for _ in range(10):
            inbox.put(Bytes(1, bytes(PIECE_BYTES // 2)))
        got = [await inbox.get() for _ in range(len(inbox))]

        assert [len(each.data) for each in got if isinstance(each, Bytes)] == [PIECE_BYTES] * 5

    in_a_loop(work)
