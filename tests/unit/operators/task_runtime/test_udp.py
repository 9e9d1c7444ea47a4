"""The relay of datagrams, over real pipes and a real socket."""

import os
import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from operators.shared.datagrams import FLOWS, datagrams, framed
from operators.task_runtime.udp import run


class Relayed:
    """The relay in a thread, and the server that it leads to."""

    def __init__(self) -> None:
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.server.settimeout(10)
        source, self._into = os.pipe()
        self._out, sink = os.pipe()
        port = int(self.server.getsockname()[1])
        self._thread = Thread(target=run, args=(port, source, sink))
        self._thread.start()
        self._heard = bytearray()

    def say(self, flow: int, datagram: bytes) -> None:
        os.write(self._into, framed(flow, datagram))

    def hear(self) -> tuple[int, bytes]:
        while not (found := datagrams(self._heard)):
            self._heard += os.read(self._out, 65_536)
        (one,) = found
        return one

    def end(self) -> None:
        os.close(self._into)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.server.close()


@pytest.fixture
def relay() -> Iterator[Relayed]:
    made = Relayed()
    yield made
    made.end()


def test_each_flow_gets_its_own_answers(relay: Relayed) -> None:
    relay.say(7, b"seven")
    first, of_seven = relay.server.recvfrom(100)
    relay.say(8, b"eight")
    second, of_eight = relay.server.recvfrom(100)
    relay.server.sendto(b"to eight", of_eight)
    answer_of_eight = relay.hear()
    relay.server.sendto(b"to seven", of_seven)

    assert (first, second) == (b"seven", b"eight")
    assert of_seven != of_eight
    assert (answer_of_eight, relay.hear()) == ((8, b"to eight"), (7, b"to seven"))


def test_an_empty_datagram_is_one(relay: Relayed) -> None:
    relay.say(1, b"")
    datagram, sender = relay.server.recvfrom(100)
    relay.server.sendto(b"", sender)

    assert (datagram, relay.hear()) == (b"", (1, b""))


def test_of_too_many_flows_the_most_silent_gives_way(relay: Relayed) -> None:
    for flow in range(FLOWS + 1):
        relay.say(flow, b"%d" % flow)
        relay.server.recvfrom(100)
    relay.say(FLOWS, b"still here")
    relay.say(0, b"again")

    assert relay.server.recvfrom(100)[0] == b"still here"
    assert relay.server.recvfrom(100)[0] == b"again"


def test_datagrams_are_found_however_the_stream_is_cut() -> None:
    said = b"".join(framed(flow, b"x" * flow) for flow in range(5))
    buffer, found = bytearray(), []
    for byte in said:
        buffer.append(byte)
        found += datagrams(buffer)

    assert found == [(flow, b"x" * flow) for flow in range(5)]
    assert not buffer
