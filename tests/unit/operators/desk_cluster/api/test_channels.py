import pytest

from operators.desk_cluster.api import channels
from operators.desk_cluster.api.channels import V4, V5, Closed, Data, Frame
from operators.desk_cluster.kubelet.commands import Finished


@pytest.mark.parametrize(
    ("message", "protocol", "frame"),
    [
        (b"\x00hello", V4, Data(0, b"hello")),
        (b"\x00", V4, Data(0, b"")),
        (b"\xff\x00", V5, Closed(0)),
        (b"\xff", V5, None),
        (b"\xff\x00", V4, Data(255, b"\x00")),
        (b"", V5, None),
    ],
)
def test_a_message_is_a_channel_and_its_bytes(
    message: bytes, protocol: str, frame: Frame | None
) -> None:
    assert channels.parse(message, protocol) == frame


def test_the_clients_first_choice_that_is_known_is_spoken() -> None:
    assert channels.chosen(["v6", V5, V4], [V4, V5]) == V5
    assert channels.chosen(["SPDY/3.1+portforward.k8s.io"], [V4]) is None


def test_a_size_is_told_in_columns_and_rows() -> None:
    assert channels.size(b'{"Width":80,"Height":24}') == (80, 24)
    for nonsense in (b"", b"{}", b"[]", b'{"Width":0,"Height":24}', b'{"Width":"x","Height":1}'):
        assert channels.size(nonsense) is None


def test_how_a_command_ended_is_a_status() -> None:
    assert channels.verdict(Finished(0)) == {"metadata": {}, "status": "Success"}

    failed = channels.verdict(Finished(3))
    assert (failed["reason"], failed["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "3"}],
    )

    never = channels.verdict(Finished(128, 'exec: "x": not found'))
    assert (never["status"], never["reason"]) == ("Failure", "InternalError")
    assert 'exec: "x": not found' in never["message"]


@pytest.mark.parametrize(
    ("word", "finished"),
    [
        ("exit 0 ", Finished(0)),
        ("exit 3 ", Finished(3)),
        ("signal 9 ", Finished(137)),
        ("error 128 the container does not run", Finished(128, "the container does not run")),
        ("", Finished(128, "its keeper left no word")),
    ],
)
def test_the_word_of_the_shim_is_understood(word: str, finished: Finished) -> None:
    assert Finished.parse(word) == finished
