import pytest

from operators.shared.link_io import in_frames
from xylem.protocol.limits import FRAME_BYTES, MESSAGE_BYTES


@pytest.mark.parametrize(
    "text",
    ["", "small", "x" * FRAME_BYTES, "x" * MESSAGE_BYTES, "é" * FRAME_BYTES, "\U0001f600" * 20_000],
    ids=len,
)
def test_no_frame_is_larger_than_api_gateway_takes(text: str) -> None:
    frames = in_frames(text)
    pieces = [frames] if isinstance(frames, str) else frames

    assert "".join(pieces) == text
    assert max(len(piece.encode()) for piece in pieces) <= FRAME_BYTES


def test_what_fits_is_one_frame() -> None:
    assert in_frames("x" * FRAME_BYTES) == "x" * FRAME_BYTES
