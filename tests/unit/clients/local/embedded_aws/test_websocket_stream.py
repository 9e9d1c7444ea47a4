from clients.local.embedded_aws.websocket_stream import (
    MAX_FRAME,
    MAX_MESSAGE,
    TOO_BIG,
    UNSUPPORTED,
    IncomingFrames,
)


def test_a_frame_is_counted_over_its_pieces() -> None:
    frames = IncomingFrames()

    def piece(size: int, *, ends: bool = False) -> int | None:
        return frames.refusal(size, binary=False, frame_ends=ends, message_ends=ends)

    assert piece(MAX_FRAME) is None
    assert piece(1) == TOO_BIG


def test_a_message_is_counted_over_its_frames() -> None:
    frames = IncomingFrames()

    def frame(size: int, *, last: bool = False) -> int | None:
        return frames.refusal(size, binary=False, frame_ends=True, message_ends=last)

    assert [frame(MAX_FRAME) for _ in range(MAX_MESSAGE // MAX_FRAME)] == [None] * 4
    assert frame(1) == TOO_BIG


def test_the_next_message_is_counted_anew() -> None:
    frames = IncomingFrames()

    for _ in range(10):
        assert frames.refusal(MAX_FRAME, binary=False, frame_ends=True, message_ends=True) is None


def test_binary_is_refused_whatever_its_size() -> None:
    refusal = IncomingFrames().refusal(1, binary=True, frame_ends=True, message_ends=True)

    assert refusal == UNSUPPORTED
