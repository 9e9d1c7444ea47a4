"""Datagrams to a port of the pod and back: `xylem-udp PORT`, which the operator runs in the sidecar
when a session asks for it, because the API's port-forward carries TCP alone.

A flow is one who asks, on the other end: it gets a socket, and so a port, of its own here, and its
answers come back under its number. Datagrams may be lost, as everywhere: what comes back is dropped
by the kernel while nobody reads. Of more flows than there may be the one that was silent longest
gives way.
"""

import os
import selectors
import socket
import sys
from collections import OrderedDict
from contextlib import suppress

from operators.shared.datagrams import DATAGRAM_BYTES, FLOWS, datagrams, framed

READ_BYTES = 64 * 1024


class Relay:
    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self._port = port
        self._selector = selector
        self._flows: OrderedDict[int, socket.socket] = OrderedDict()

    def send(self, flow: int, datagram: bytes) -> None:
        peer = self._flows.get(flow) or self._begin(flow)
        self._flows.move_to_end(flow)
        try:
            peer.send(datagram)
        except OSError:
            return  # nobody listens, or no room: a datagram that is lost

    def _begin(self, flow: int) -> socket.socket:
        if len(self._flows) == FLOWS:
            _, oldest = self._flows.popitem(last=False)
            self._selector.unregister(oldest)
            oldest.close()
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        peer.setblocking(False)
        peer.connect(("127.0.0.1", self._port))
        self._flows[flow] = peer
        self._selector.register(peer, selectors.EVENT_READ, flow)
        return peer


def run(port: int, source: int, sink: int) -> None:
    """Until the input ends."""
    selector = selectors.DefaultSelector()
    selector.register(source, selectors.EVENT_READ, None)
    relay = Relay(port, selector)
    buffer = bytearray()
    while True:
        for key, _ in selector.select():
            if key.data is None:
                read = os.read(source, READ_BYTES)
                if not read:
                    return
                buffer += read
                for flow, datagram in datagrams(buffer):
                    relay.send(flow, datagram)
            elif isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() >= 0:
                _answer(key.fileobj, key.data, sink)


def _answer(peer: socket.socket, flow: int, sink: int) -> None:
    try:
        datagram = peer.recv(DATAGRAM_BYTES)
    except OSError:
        return  # what was sent met nobody
    left = memoryview(framed(flow, datagram))
    while left:
        left = left[os.write(sink, left) :]


def main() -> None:
    with suppress(BrokenPipeError):
        run(int(sys.argv[1]), 0, 1)
    os._exit(0)


if __name__ == "__main__":
    main()
