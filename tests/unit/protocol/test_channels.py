"""Both sides of a session over every network: once, in order, with its end; or broken for both."""

import random

import pytest

from tests.unit.protocol.sessions import SID, Pair
from xylem.protocol.channels import CHANNELS, SESSION_BYTES, WINDOW
from xylem.protocol.session import BULK_BYTES, PAYLOAD_BYTES, Frame, Side
from xylem.protocol.streams import LEAST_WINDOW

KIB = 1024


def write(pair: Pair, side: Side, channel: int, data: bytes, *, seconds: float = 120.0) -> None:
    """All of it, as far as the time goes."""
    until = pair.now + seconds
    while data and pair.now < until:
        data = data[pair.sides[side].write(channel, data) :]
        pair.run(0.05)
    assert not data, "there was never room for it"


def opened(pair: Pair, what: bytes = b"exec") -> int:
    channel = pair.client.open(what)
    assert channel is not None
    return channel


def test_what_is_written_is_heard_and_the_exit_is_the_last() -> None:
    pair = Pair()
    channel = opened(pair, b"sh -c 'exit 7'")
    pair.client.write(channel, b"in")
    pair.run(0.2)
    pair.operator.write(channel, b"out")
    pair.operator.write(channel, b"err", err=True)
    pair.operator.exit(channel, b"7")
    pair.run(0.5)

    asked, told = pair.heard["operator"][channel], pair.heard["client"][channel]
    assert (asked.what, bytes(asked.data)) == (b"sh -c 'exit 7'", b"in")
    assert (bytes(told.data), bytes(told.err), told.exited) == (b"out", b"err", b"7")
    assert pair.client.is_idle
    assert pair.operator.is_idle


def test_one_direction_may_end_and_the_other_goes_on() -> None:
    pair = Pair()
    channel = opened(pair, b"tar x")
    pair.client.write(channel, b"archive")
    pair.client.finish(channel)
    pair.run(0.3)

    assert pair.heard["operator"][channel].finished
    assert pair.client.write(channel, b"more") == 0
    write(pair, "operator", channel, b"x" * 100_000)
    pair.operator.finish(channel)
    pair.run(1)

    assert len(pair.heard["client"][channel].data) == 100_000
    assert pair.heard["client"][channel].finished
    assert pair.client.is_idle
    assert pair.operator.is_idle


@pytest.mark.parametrize("seed", range(25))
def test_every_byte_arrives_once_and_in_order_over_a_bad_network(seed: int) -> None:
    chance = random.Random(seed)
    pair = Pair(seed, loss=0.15, doubled=0.2, delay=(0.01, 0.6))
    wanted: dict[tuple[Side, int, bool], bytearray] = {}
    channels = [opened(pair, b"%d" % number) for number in range(chance.randint(1, 4))]
    for _ in range(60):
        side: Side = chance.choice(("client", "operator"))
        channel = chance.choice(channels)
        if side == "operator" and pair.heard["operator"][channel].what is None:
            pair.run(0.05)
            continue
        data, err = chance.randbytes(chance.choice((1, 100, 30_000))), chance.random() < 0.3
        taken = pair.sides[side].write(channel, data, err=err)
        wanted.setdefault((side, channel, err), bytearray()).extend(data[:taken])
        if chance.random() < 0.2:
            pair.client.signal(channel, "signal", b"INT%d" % chance.randint(0, 9))
        pair.run(chance.uniform(0, 0.2))
        if chance.random() < 0.1:
            pair.cut()
            pair.run(chance.uniform(0, 2))
            pair.attach()
    for channel in channels:
        pair.client.finish(channel)
    pair.run(10)
    for channel in channels:
        pair.operator.exit(channel, b"0")
    pair.run(60, step=0.05)

    for (side, channel, err), written in wanted.items():
        heard = pair.heard["operator" if side == "client" else "client"][channel]
        assert bytes(heard.err if err else heard.data) == bytes(written)
    for channel in channels:
        assert pair.heard["client"][channel].exited == b"0"
        assert pair.heard["operator"][channel].what == b"%d" % (channel - 1)
    assert pair.broken == {}
    assert pair.client.is_idle
    assert pair.operator.is_idle


def test_a_frame_lost_without_a_cut_is_said_again() -> None:
    pair = Pair(loss=1.0)
    channel = opened(pair)
    pair.client.write(channel, b"lost")
    pair.run(0.5)
    pair.loss = 0.0
    pair.run(3)

    assert bytes(pair.heard["operator"][channel].data) == b"lost"


def test_on_a_new_generation_all_is_said_at_once_and_acknowledged_anew() -> None:
    pair = Pair()
    channel = opened(pair)
    pair.run(0.3)
    pair.cut()
    pair.client.write(channel, b"typed while the network was gone")
    pair.run(5)
    assert not pair.heard["operator"][channel].data

    pair.attach()
    pair.run(0.2)

    assert bytes(pair.heard["operator"][channel].data) == b"typed while the network was gone"


def test_who_does_not_read_stops_the_writer_and_is_asked_for_credit() -> None:
    pair = Pair(reads=False)
    channel = opened(pair)
    pair.run(0.3)
    pair.operator.write(channel, bytes(2 * WINDOW))
    pair.run(10)
    held = pair.heard["client"][channel].unread

    assert LEAST_WINDOW <= held <= WINDOW + LEAST_WINDOW
    # The update that gives room is lost: the writer asks.
    pair.loss = 1.0
    pair.read("client", channel, held)
    pair.run(1)
    pair.loss = 0.0
    pair.run(8)
    assert pair.heard["client"][channel].unread > 0


def test_an_interrupt_passes_what_nobody_reads() -> None:
    pair = Pair(reads=False)
    channel = opened(pair)
    pair.client.write(channel, bytes(WINDOW))
    pair.run(5)

    pair.client.signal(channel, "signal", b"INT")
    pair.run(0.3)

    assert pair.heard["operator"][channel].signals == [("signal", b"INT")]


def test_two_interrupts_are_two_and_the_newest_size_is_enough() -> None:
    pair = Pair(loss=0.4, doubled=0.5, delay=(0.01, 1.0), seed=3)
    channel = opened(pair)
    for _ in range(5):
        pair.client.signal(channel, "signal", b"INT")
    for rows in range(20):
        pair.client.signal(channel, "resize", b"%d" % rows)
    pair.run(40)

    heard = pair.heard["operator"][channel].signals
    assert heard == [("signal", b"INT")] * 5 + [("resize", b"19")]


def test_a_reset_ends_a_channel_for_both_and_is_said_until_it_is_heard() -> None:
    pair = Pair(loss=0.4, seed=5)
    channel = opened(pair)
    pair.run(20)
    pair.operator.write(channel, b"x" * 1000)
    pair.operator.reset(channel, b"connection refused")
    pair.run(120, step=0.1)

    assert pair.heard["client"][channel].reset == b"connection refused"
    assert pair.client.is_idle
    assert pair.operator.is_idle
    assert pair.operator.write(channel, b"more") == 0


def test_a_lost_last_acknowledgement_does_not_keep_the_other_side_waiting() -> None:
    pair = Pair()
    channel = opened(pair)
    pair.run(0.3)
    pair.operator.exit(channel, b"0")
    pair.run(0.06)
    pair.loss = 1.0
    pair.run(0.5)
    assert pair.heard["client"][channel].exited == b"0"
    pair.loss = 0.0
    pair.run(5)

    assert pair.operator.is_idle
    assert pair.heard["operator"][channel].reset is None


def test_no_pair_says_anything_for_ever() -> None:
    """Neither a channel that is over for one of them nor a reset of it."""
    pair = Pair()
    channel = opened(pair)
    pair.run(0.3)
    pair.client.reset(channel, b"")
    pair.operator.reset(channel, b"")
    pair.run(5)
    said = pair.frames
    pair.run(15, step=0.1)

    assert pair.frames - said <= 2
    assert pair.client.is_idle
    assert pair.operator.is_idle


def test_each_side_says_something_every_twenty_seconds() -> None:
    pair = Pair()
    pair.run(300, step=0.5)

    assert pair.broken == {}
    assert pair.frames >= 2 * 300 // 20 - 2


def test_after_a_minute_of_silence_the_session_is_broken_for_good() -> None:
    pair = Pair()
    channel = opened(pair)
    pair.run(0.3)
    pair.cut()
    pair.run(61, step=0.5)

    assert set(pair.broken) == {"client", "operator"}
    pair.attach()
    pair.run(1)
    assert pair.client.write(channel, b"x") == 0
    assert pair.client.open(b"again") is None


def test_an_outage_of_less_than_a_minute_is_survived() -> None:
    pair = Pair()
    channel = opened(pair)
    pair.run(0.3)
    pair.cut()
    pair.client.write(channel, b"kept")
    pair.run(55, step=0.5)
    pair.attach()
    pair.run(1)

    assert pair.broken == {}
    assert bytes(pair.heard["operator"][channel].data) == b"kept"


def test_a_peer_is_said_large_pieces_once_it_has_said_that_it_takes_them() -> None:
    pair = Pair(reads=False)
    channel = opened(pair)
    pair.client.write(channel, bytes(60_000))
    before = [len(each.data) * 3 // 4 for each in pair.client.to_send(pair.now)]
    pair.client.received(frame("ack", ack=0, window=WINDOW, most=10**6), pair.now)
    pair.client.write(channel, bytes(3 * BULK_BYTES))
    after = [len(each.data) * 3 // 4 for each in pair.client.to_send(pair.now)]

    assert max(before) <= (PAYLOAD_BYTES + 2) // 3 * 3
    assert max(after) == BULK_BYTES


def test_a_frame_of_another_session_is_not_heard() -> None:
    pair = Pair()

    assert pair.operator.received(Frame(sid="b" * 32, channel=1, kind="open"), pair.now) == []
    assert pair.operator.is_idle


# What a hostile other side may try ----------------------------------------------------------------


def frame(kind: str, **fields: object) -> Frame:
    return Frame.model_validate({"type": "frame", "sid": SID, "channel": 1, "kind": kind, **fields})


def test_an_acknowledgement_of_what_was_never_said_changes_nothing() -> None:
    pair = Pair()
    channel = opened(pair)
    pair.client.write(channel, b"mine")
    pair.client.received(frame("ack", ack=10**9, window=10**9), pair.now)
    pair.run(0.3)

    assert bytes(pair.heard["operator"][channel].data) == b"mine"


def test_more_channels_than_there_may_be_are_reset() -> None:
    pair = Pair()
    for _ in range(CHANNELS):
        assert pair.client.open(b"") is not None
    assert pair.client.open(b"") is None
    pair.run(2)
    pair.operator.received(frame("open", channel=CHANNELS + 1), pair.now)

    assert [each.kind for each in pair.operator.to_send(pair.now)][:1] == ["rst"]


def test_what_is_kept_of_a_peer_that_keeps_to_no_window_is_bounded() -> None:
    pair = Pair(reads=False)
    for channel in range(1, CHANNELS + 1):
        pair.operator.received(frame("open", channel=channel), pair.now)
    data = "A" * (23_000 // 3 * 4)
    for channel in range(1, CHANNELS + 1):
        for seq in range(2, 2 * WINDOW, 22_998):
            pair.operator.received(frame("data", channel=channel, seq=seq, data=data), pair.now)
    kept = sum(one.into._early_bytes for one in pair.operator._open.values())

    assert kept <= SESSION_BYTES


@pytest.mark.parametrize(
    "bad",
    [
        frame("data", seq=0, data="QQ=="),
        frame("open", seq=5),
        frame("data", seq=1, data="not base64!"),
        frame("data", seq=1),
        frame("data", seq=2**53 - 1, data="QQ=="),
        frame("signal", seq=9),
        frame("rst"),
        frame("ask"),
        frame("exit", seq=2**53 - 1),
    ],
    ids=str,
)
def test_a_frame_that_makes_no_sense_is_no_event(bad: Frame) -> None:
    pair = Pair()

    assert pair.operator.received(bad, pair.now) == []
    pair.operator.to_send(pair.now)


def test_a_bulk_keeps_the_pipe_full() -> None:
    """1 MB in flight over 80 ms: the window is told in time, so the writer hardly waits."""
    pair = Pair(delay=(0.04, 0.04))
    channel = opened(pair)
    pair.run(1)
    began = pair.now
    write(pair, "operator", channel, bytes(4_000 * KIB), seconds=10)
    while len(pair.heard["client"][channel].data) < 4_000 * KIB:
        pair.run(0.01)

    assert 4_000 * KIB / (pair.now - began) > 3_000_000
