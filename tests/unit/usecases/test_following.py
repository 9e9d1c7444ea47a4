"""Followers are told what was stored; nothing that goes wrong with that hurts the log."""

import base64
import gzip
import json
import random
from typing import Any

import pytest

from clients.sdk.models import LogRecord
from tests.builders import HELLO, NOON, a_creation, an_attempt
from xylem.domain.errors import Unavailable, UnknownWorkflow
from xylem.domain.ids import ConnectionId, WorkflowId
from xylem.memory.followers import MemoryFollowers
from xylem.memory.queues import MemoryLinks
from xylem.memory.store import MemoryStore
from xylem.ports.followers import Follower
from xylem.protocol.following import Following
from xylem.protocol.limits import FRAME_BYTES
from xylem.protocol.spool import RECORD_BYTES, Record, Stream, encode
from xylem.usecases import following
from xylem.usecases.following import MOST_FOLLOWERS, TooManyFollowers

ONE, TWO = ConnectionId("conn-1="), ConnectionId("conn-2=")


def record(text: str = "a line\n") -> bytes:
    return encode(Record(Stream.STDERR, 1_000_000, text.encode()))


class World:
    def __init__(self) -> None:
        self.rows = MemoryStore()
        self.rows.workflows.create(a_creation())
        self.followers = MemoryFollowers()
        self.links = MemoryLinks()

    def subscribe(
        self, connection: ConnectionId = ONE, workflow: str = HELLO, **only: Any
    ) -> Following:
        return following.subscribe(
            workflow,
            Follower(connection, **only),
            workflows=self.rows.workflows,
            followers=self.followers,
            clock=lambda: NOON,
        )

    def tell(self, records: bytes, *, offset: int = 0, length: int = 100, **attempt: Any) -> bool:
        return following.tell(
            an_attempt(**attempt),
            offset,
            offset + length,
            records,
            followers=self.followers,
            links=self.links,
        )

    def tell_reached(self, task: str | None, retry: int | None) -> None:
        following.tell_reached(
            task, retry, HELLO, "cursor", False, followers=self.followers, links=self.links
        )

    def end(self) -> None:
        following.tell_end(an_attempt(), followers=self.followers, links=self.links)

    def told(self) -> list[tuple[ConnectionId, dict[str, Any]]]:
        return [(connection, json.loads(text)) for connection, text in self.links.take()]


def test_a_follower_is_told_what_was_stored_and_where() -> None:
    world = World()
    assert world.subscribe() == Following(workflow=HELLO, followers=1)

    assert world.tell(record(), offset=50, length=10)

    [(connection, said)] = world.told()
    assert connection == ONE
    assert said == {
        "type": "said",
        "workflow": HELLO,
        "task": "lead",
        "retry": 0,
        "offset": 50,
        "next": 60,
        "records": [
            {
                "task": "lead",
                "retry": 0,
                "stream": "stderr",
                "time": "1970-01-01T00:00:01+00:00",
                "text": "a line\n",
                "raw": None,
            }
        ],
    }


@pytest.mark.parametrize("printed", [b"\xff\0\x80", "ö".encode()[:1], "\ufffd".encode(), b"a"])
def test_a_follower_is_told_what_was_printed_to_the_byte(printed: bytes) -> None:
    world = World()
    world.subscribe()

    world.tell(encode(Record(Stream.STDOUT, 1_000_000, printed)))

    [(_, said)] = world.told()
    assert LogRecord.model_validate(said["records"][0]).data == printed


def test_without_a_follower_nobody_is_told() -> None:
    world = World()

    assert not world.tell(record())
    assert world.told() == []


def test_a_follower_of_one_task_or_attempt_is_told_of_that_alone() -> None:
    world = World()
    world.subscribe(ONE, task="lead", retry=1)
    world.subscribe(TWO, task="other")

    assert world.tell(record(), retry=1)
    assert not world.tell(record(), retry=2)

    assert [connection for connection, _ in world.told()] == [ONE]


@pytest.mark.parametrize(
    "records",
    [record("x" * RECORD_BYTES), record("\0" * 8_000), b"".join(record("") for _ in range(2_000))],
    ids=["long", "long in JSON", "many"],
)
def test_of_a_chunk_that_fits_no_frame_followers_are_told_the_place(records: bytes) -> None:
    world = World()
    world.subscribe()

    assert world.tell(records)

    *parts, (_, place) = world.told()
    assert place["records"] is None
    assert [said["part"] for _, said in parts] == list(range(len(parts)))
    assert {said["parts"] for _, said in parts} == {len(parts)}
    packed = "".join(said["packed"] for _, said in parts)
    assert gzip.decompress(base64.b64decode(packed)) == records
    assert all(len(json.dumps(said)) < FRAME_BYTES for _, said in [*parts, (ONE, place)])


def test_a_chunk_of_more_parts_than_are_pushed_to_so_many_is_read_by_them() -> None:
    world = World()
    for number in range(MOST_FOLLOWERS):
        world.subscribe(ConnectionId(f"conn-{number}="))
    noise = encode(Record(Stream.STDOUT, 0, random.Random(1).randbytes(RECORD_BYTES)))

    assert world.tell(noise * 8)

    assert {said["type"] for _, said in world.told()} == {"said"}


def test_how_far_one_read_is_told_who_follows_the_same() -> None:
    world = World()
    world.subscribe(ONE, task="lead")
    world.subscribe(TWO, task="lead")
    world.subscribe(ConnectionId("conn-3="))

    world.tell_reached("lead", None)

    assert [(to, said["followers"], said["closed"]) for to, said in world.told()] == [
        (ONE, 2, False),
        (TWO, 2, False),
    ]


def test_who_follows_alone_is_not_told_what_it_read() -> None:
    world = World()
    world.subscribe(ONE)

    world.tell_reached(None, None)

    assert world.told() == []


def test_the_end_of_a_log_is_told() -> None:
    world = World()
    world.subscribe()

    world.end()

    assert world.told() == [
        (ONE, {"type": "log_ended", "workflow": HELLO, "task": "lead", "retry": 0})
    ]


def test_who_is_gone_is_forgotten_and_the_others_are_told() -> None:
    world = World()
    world.subscribe(ONE)
    world.subscribe(TWO)
    world.links.hang_up(ONE)

    assert world.tell(record())
    assert [connection for connection, _ in world.told()] == [TWO]
    assert world.followers.of(HELLO) == [Follower(TWO)]


def test_when_the_last_one_went_nobody_follows_any_more() -> None:
    world = World()
    world.subscribe(ONE)
    world.links.hang_up(ONE)
    world.tell(record())

    assert not world.tell(record())


def test_a_store_of_followers_that_is_away_is_no_trouble_of_the_logs() -> None:
    class Away(MemoryFollowers):
        def of(self, workflow: WorkflowId) -> list[Follower]:
            raise Unavailable("the table")

    world = World()
    world.followers = Away()

    assert not world.tell(record())
    world.end()
    world.tell_reached(None, None)


def test_a_workflow_that_is_not_there_cannot_be_followed() -> None:
    with pytest.raises(UnknownWorkflow):
        World().subscribe(workflow="nobody-7")


def test_a_workflow_has_so_many_followers_and_these_may_go_on() -> None:
    world = World()
    for number in range(MOST_FOLLOWERS):
        world.subscribe(ConnectionId(f"conn-{number}"))

    with pytest.raises(TooManyFollowers, match="read its log instead"):
        world.subscribe(ConnectionId("one more"))
    world.subscribe(ConnectionId("conn-7"), task="lead")
