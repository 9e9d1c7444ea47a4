"""A server that answers as it is told, byte by byte: what real ones do on bad days."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import NamedTuple

from operators.task_runtime.http1 import Address

Play = Callable[[socket.socket, "Scripted"], None]
"""What happens on one connection."""


class Asked(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes


class Scripted:
    """Each connection is played by the next play; there are no more of them than plays."""

    def __init__(self, plays: Sequence[Play]) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._plays = plays
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address(False, "127.0.0.1", self._listener.getsockname()[1])
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._thread.join()
        self._listener.close()

    def hear(self, connection: socket.socket) -> Asked | None:
        """The next request, whole."""
        reader = connection.makefile("rb")
        line = reader.readline().decode().strip()
        if not line:
            return None
        headers: dict[str, str] = {}
        while text := reader.readline().decode().strip():
            name, _, value = text.partition(": ")
            headers[name] = value
        asked = Asked(line, headers, reader.read(int(headers["Content-Length"])))
        self.asked.append(asked)
        return asked

    def _serve(self) -> None:
        for play in self._plays:
            connection, _ = self._listener.accept()
            self.connections += 1
            with connection:
                play(connection, self)


def answering(*answers: bytes) -> Play:
    """To each request the next answer; then the connection is closed."""

    def play(connection: socket.socket, server: Scripted) -> None:
        for answer in answers:
            if server.hear(connection) is None:
                return
            connection.sendall(answer)

    return play


def closing_at_once(connection: socket.socket, server: Scripted) -> None:
    del connection, server


def resetting(*answers: bytes) -> Play:
    """As `answering`, then the next request finds a connection that was reset."""

    def play(connection: socket.socket, server: Scripted) -> None:
        answering(*answers)(connection, server)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    return play


@contextmanager
def scripted(*plays: Play) -> Iterator[Scripted]:
    server = Scripted(plays)
    yield server
    server.close()
