"""Sockets and queues in lists. `take` is how a test receives what was sent, once."""

from collections.abc import Sequence
from datetime import timedelta

from xylem.domain.errors import Gone, TooLarge, Unavailable
from xylem.domain.ids import ConnectionId, GroupId, JobId, WorkflowId
from xylem.ports.dead_letters import DeadLetter, DeadQueue
from xylem.protocol.limits import FRAME_BYTES, MESSAGE_BYTES, QUEUE_BYTES


class MemoryLinks:
    """`hung_up`: connections that nobody listens on any more."""

    def __init__(self) -> None:
        self.hung_up: set[ConnectionId] = set()
        self._pushed: list[tuple[ConnectionId, str]] = []

    def push(self, connection: ConnectionId, text: str) -> None:
        self._post(connection, text, FRAME_BYTES)

    def pass_on(self, connection: ConnectionId, text: str) -> None:
        """What one side of a session says to the other."""
        self._post(connection, text, MESSAGE_BYTES)

    def _post(self, connection: ConnectionId, text: str, most: int) -> None:
        size = len(text.encode())
        if size > most:
            raise TooLarge(f"a message of {size} bytes: at most {most} are sent")
        if connection in self.hung_up:
            raise Gone(f"connection {connection}")
        self._pushed.append((connection, text))

    def push_all(self, connections: Sequence[ConnectionId], text: str) -> list[ConnectionId]:
        gone = [each for each in connections if each in self.hung_up]
        for connection in connections:
            if connection not in self.hung_up:
                self.push(connection, text)
        return gone

    def close(self, connection: ConnectionId) -> None:
        self.hung_up.add(connection)

    def hang_up(self, connection: ConnectionId) -> None:
        """The other side went away."""
        self.hung_up.add(connection)

    def take(self) -> list[tuple[ConnectionId, str]]:
        taken, self._pushed = self._pushed, []
        return taken


class MemoryNewsQueue:
    """While `down`, it accepts nothing. `delays`: of everything that was ever sent."""

    def __init__(self) -> None:
        self.down = False
        self.delays: list[timedelta] = []
        self._bodies: list[str] = []

    def send(self, bodies: Sequence[str], *, delay: timedelta = timedelta()) -> None:
        for body in bodies:
            size = len(body.encode())
            if size > QUEUE_BYTES:
                raise TooLarge(f"a message of {size} bytes: a queue takes at most {QUEUE_BYTES}")
        if self.down:
            raise Unavailable("the news queue does not answer")
        self._bodies += bodies
        self.delays += [delay] * len(bodies)

    def take(self) -> list[str]:
        taken, self._bodies = self._bodies, []
        return taken


class MemoryAlarm:
    """While `down`, rings are lost."""

    def __init__(self) -> None:
        self.down = False
        self._rung: list[tuple[WorkflowId, GroupId, timedelta]] = []

    def ring(self, timers: Sequence[tuple[WorkflowId, GroupId]], *, delay: timedelta) -> None:
        if not self.down:
            self._rung += [(workflow, group, delay) for workflow, group in timers]

    def take(self) -> list[tuple[WorkflowId, GroupId, timedelta]]:
        taken, self._rung = self._rung, []
        return taken


class MemoryDoorbell:
    """While `down`, rings are lost, as a doorbell's may be. `backlog`: what was taken from here and
    waits elsewhere."""

    def __init__(self) -> None:
        self.down = False
        self.backlog = 0
        self.delays: list[timedelta] = []
        self._rung: list[JobId] = []

    def ring(self, jobs: Sequence[JobId], *, delay: timedelta = timedelta()) -> None:
        if self.down:
            return
        self._rung += jobs
        self.delays += [delay] * len(jobs)

    def depth(self) -> int:
        return self.backlog + len(self._rung)

    def take(self) -> list[JobId]:
        taken, self._rung = self._rung, []
        return taken


class MemoryDeadLetters:
    """`queues`: what lies in each of them."""

    def __init__(self, *words: str) -> None:
        self.queues: dict[str, list[DeadLetter]] = {word: [] for word in words}

    def look(self, *, most: int) -> list[DeadQueue]:
        return [
            DeadQueue(word, len(letters), tuple(letters[:most]))
            for word, letters in self.queues.items()
        ]
