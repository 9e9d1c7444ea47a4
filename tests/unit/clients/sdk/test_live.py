"""Followers, the Logger and the Router's use cases in one world, where pushes are lost, repeated
and late, sockets break, and time is a number."""

import gzip
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

import pytest

from clients.sdk.live import DIAL_AGAIN_SECONDS, Lost, Socket, World, pages
from clients.sdk.models import LogPage, LogRecord
from tests.builders import HELLO, NOON, a_creation, a_group, a_task, a_workflow, an_attempt
from xylem.domain.errors import XylemError
from xylem.domain.ids import ConnectionId
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.followers import MemoryFollowers
from xylem.memory.logs import MemoryLogs
from xylem.memory.store import MemoryStore
from xylem.memory.time import FakeIds
from xylem.ports.followers import Follower
from xylem.protocol.following import Follow, Following, Refusal
from xylem.protocol.spool import Record, Stream, encode
from xylem.usecases import following, log_reading, logs
from xylem.usecases.following import TooManyFollowers
from xylem.usecases.log_lines import Wanted
from xylem.usecases.shared_pages import SharedPages

URL = "wss://live.test"
LINES = 60
PATIENCE = 3_000.0


class Wire:
    """The end of a socket that a follower holds."""

    def __init__(self, service: "Service", name: str) -> None:
        self.service = service
        self.connection = ConnectionId(name)
        self.inbox: deque[tuple[float, str]] = deque()
        self.broken = False

    def send(self, text: str) -> None:
        self._check()
        asked = Follow.model_validate_json(text)
        answer: Following | Refusal
        try:
            answer = self.service.subscribe(asked, self.connection)
        except XylemError as error:
            answer = Refusal(code=error.code, message=str(error))
        self.inbox.append((self.service.now, answer.model_dump_json()))

    def receive(self, seconds: float) -> str | None:
        self._check()
        until = self.service.now + seconds
        while True:
            for place, (at, text) in enumerate(self.inbox):
                if at <= self.service.now:
                    del self.inbox[place]
                    return text
            if self.service.now >= until:
                return None
            arrivals = [at for at, _ in self.inbox]
            self.service.go_on(min([until, *arrivals]))
            self._check()

    def close(self) -> None:
        self.broken = True

    def _check(self) -> None:
        if self.broken:
            raise Lost


class Service:
    """One task that prints a line now and then, and what the Logger and the Router make of it."""

    def __init__(self, seed: int = 0, *, trouble: bool = False, gap: float = 1.0) -> None:
        self.dice = random.Random(seed)
        self.trouble = trouble
        self.gap = gap
        self.now = 0.0
        self.has_sockets = True
        self.wires: list[Wire] = []
        self.dials = 0
        self.reads = 0
        self.logs = MemoryLogs()
        self.store = MemoryBlobs()
        self.followers = MemoryFollowers()
        self.shared = SharedPages()
        self.ends = logs.KnownEnds()
        self.ids = FakeIds()
        self.printed: list[str] = []
        self.offset = 0
        self.next_line = 1.0
        self.rows = MemoryStore()
        self._lay(TaskStatus.RUNNING, WorkflowStatus.RUNNING)

    def _lay(self, task: TaskStatus, workflow: WorkflowStatus) -> None:
        self.rows = MemoryStore()
        ended = NOON if task.final else None
        one = a_task(status=task, ordinal=1, lead=True, ended_at=ended)
        group = a_group(tasks=(one,), status=task)
        self.rows.workflows.create(a_creation(group, workflow=a_workflow(status=workflow)))

    # Time --------------------------------------------------------------------------------------

    def go_on(self, until: float) -> None:
        while self.next_line <= until and len(self.printed) <= LINES:
            self.now = max(self.now, self.next_line)
            self._happen()
            self.next_line += self.dice.uniform(0.1, 2) * self.gap
        self.now = max(self.now, until)
        assert self.now < PATIENCE, "nobody is followed for so long"

    def _happen(self) -> None:
        if len(self.printed) == LINES:
            self.printed.append("")
            logs.end(an_attempt(), self.offset, logs=self.logs, ends=self.ends)
            following.tell_end(an_attempt(), followers=self.followers, links=self)
            self._lay(TaskStatus.COMPLETED, WorkflowStatus.COMPLETED)
            return
        text = f"line {len(self.printed)} "
        if self.dice.random() < 0.1:
            text += "x" * 32_000
        self.printed.append(text)
        raw = encode(Record(Stream.STDOUT, 0, text.encode()))
        stored = logs.put(
            an_attempt(),
            self.offset,
            gzip.compress(raw),
            logs=self.logs,
            store=self.store,
            ids=self.ids,
            ends=self.ends,
            became_long=lambda _: None,
            tell=partial(following.tell, an_attempt(), followers=self.followers, links=self),
        )
        self.offset = stored.next
        if self.trouble and self.dice.random() < 0.05:
            for wire in self.wires:
                wire.close()

    # The service -------------------------------------------------------------------------------

    def push_all(self, connections: Sequence[ConnectionId], text: str) -> list[ConnectionId]:
        open_ = {wire.connection: wire for wire in self.wires if not wire.broken}
        for connection in connections:
            if connection in open_:
                for _ in range(self.dice.choice((0, 1, 1, 2)) if self.trouble else 1):
                    late = self.dice.uniform(0, 3) if self.trouble else 0.05
                    open_[connection].inbox.append((self.now + late, text))
        return [each for each in connections if each not in open_]

    def subscribe(self, asked: Follow, connection: ConnectionId) -> Following:
        return following.subscribe(
            asked.workflow,
            Follower(connection, asked.task, asked.retry),
            workflows=self.rows.workflows,
            followers=self.followers,
            clock=lambda: NOON,
        )

    def read(self, cursor: str, age: int, wait: int) -> LogPage:
        """As the Logger's route does."""
        wanted = Wanted()
        moment = NOON + timedelta(seconds=self.now)

        told = partial(following.tell_reached, None, None, followers=self.followers, links=self)

        def from_the_store() -> log_reading.Page:
            self.reads += 1
            return log_reading.follow(
                HELLO,
                wanted,
                cursor,
                wait,
                workflows=self.rows.workflows,
                logs=self.logs,
                store=self.store,
                clock=lambda: moment,
                wait=lambda seconds: self.go_on(self.now + seconds),
                tell=told if age else log_reading.nobody,
            )

        page = self.shared.page(
            (HELLO, wanted, cursor), age=timedelta(seconds=age), now=moment, read=from_the_store
        )
        records = [
            LogRecord(
                task=shown.attempt.task,
                retry=shown.attempt.retry,
                stream="stdout",
                time=shown.record.at,
                text=shown.record.data.decode(),
            )
            for shown in page.records
        ]
        return LogPage(records=records, cursor=page.cursor, closed=page.closed, live=URL)

    def dial(self, url: str) -> Socket:
        assert url == URL
        self.dials += 1
        if not self.has_sockets:
            raise Lost
        self.wires.append(Wire(self, f"conn-{self.dials}"))
        return self.wires[-1]

    # Who follows -------------------------------------------------------------------------------

    def follow(
        self, *, every: float | None = None, look: Callable[[LogPage], None] = lambda page: None
    ) -> list[str]:
        seen = []
        for page in self.pages(every):
            look(page)
            seen += [record.text for record in page.records]
        return seen

    def pages(self, every: float | None = None) -> Iterator[LogPage]:
        world = World(self.read, self.dial, lambda: self.now, self.dice.random)
        return pages(Follow(workflow=HELLO), world, every=every)

    @property
    def lines(self) -> list[str]:
        return self.printed[:LINES]


def test_a_follower_sees_each_line_once_and_in_order_and_ends_with_the_log() -> None:
    service = Service()

    assert service.follow() == service.lines


@pytest.mark.parametrize("ten", range(10))
def test_so_it_is_whatever_becomes_of_pushes_and_sockets(ten: int) -> None:
    for seed in range(ten * 10, ten * 10 + 10):
        service = Service(seed, trouble=True)

        assert service.follow(every=seed % 2 or None) == service.lines, seed


def test_a_line_is_seen_as_soon_as_it_is_stored() -> None:
    service = Service(gap=10)
    late: list[float] = []
    times: dict[str, float] = {}

    def look(page: LogPage) -> None:
        for text in service.printed:
            times.setdefault(text, service.now)
        late.extend(service.now - times[record.text] for record in page.records)

    service.follow(look=look)

    assert len(late) == LINES
    assert sorted(late)[int(LINES * 0.95)] <= 0.1


def test_while_it_is_told_a_follower_reads_but_every_fifteen_seconds() -> None:
    service = Service(gap=10)

    service.follow()

    large = sum(len(line) > 32_000 for line in service.lines)
    assert service.reads <= 1.2 * service.now / 15 + large + 10


def test_without_a_socket_it_asks_and_tries_again_every_half_minute() -> None:
    service = Service()
    service.has_sockets = False

    assert service.follow() == service.lines
    assert 1 <= service.dials <= service.now / DIAL_AGAIN_SECONDS + 1


def test_who_is_refused_asks_and_does_not_dial_again() -> None:
    class Full(Service):
        def subscribe(self, asked: Follow, connection: ConnectionId) -> Following:
            raise TooManyFollowers("there are enough")

    service = Full()

    assert service.follow() == service.lines
    assert service.dials == 1


def test_with_a_service_that_has_no_sockets_it_asks() -> None:
    class Yesterday(Service):
        def read(self, cursor: str, age: int, wait: int) -> LogPage:
            return super().read(cursor, age, wait).model_copy(update={"live": None})

    service = Yesterday()

    assert service.follow() == service.lines
    assert service.dials == 0


def test_who_wants_a_page_every_second_gets_no_more_and_hardly_less() -> None:
    service = Service()
    moments: list[float] = []

    service.follow(every=1, look=lambda page: moments.append(service.now))

    gaps = [later - earlier for earlier, later in zip(moments[1:-1], moments[2:-1], strict=False)]
    assert min(gaps) >= 1
    assert max(gaps) <= 1.1
