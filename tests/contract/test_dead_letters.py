"""What an admin may see of dead letters, asked of memory and of SQS (moto)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from moto import mock_aws

from tests.builders import NOON
from xylem.memory.queues import MemoryDeadLetters
from xylem.ports.dead_letters import DeadLetter, DeadLetters
from xylem_aws import clients
from xylem_aws.queues import SqsDeadLetters

REGION = "us-east-1"
WORDS = ("jobs", "news")


@dataclass(frozen=True, slots=True)
class Dead:
    letters: DeadLetters
    put: Callable[[str, str], None]
    """A message into the queue of that word."""


@pytest.fixture(params=["memory", "sqs"])
def dead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dead]:
    if request.param == "memory":
        memory = MemoryDeadLetters(*WORDS)

        def remember(word: str, body: str) -> None:
            letters = memory.queues[word]
            letters.append(DeadLetter(f"{word}-{len(letters)}", NOON, 1, body))

        yield Dead(memory, remember)
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sqs = clients.sqs(REGION)
        urls = {word: sqs.create_queue(QueueName=f"{word}-dead")["QueueUrl"] for word in WORDS}
        yield Dead(
            SqsDeadLetters(sqs, urls),
            lambda word, body: sqs.send_message(QueueUrl=urls[word], MessageBody=body) and None,
        )


def test_every_queue_is_there_though_nothing_lies_in_it(dead: Dead) -> None:
    looked = dead.letters.look(most=10)

    assert [(queue.word, queue.depth, queue.letters) for queue in looked] == [
        ("jobs", 0, ()),
        ("news", 0, ()),
    ]


def test_who_looks_takes_nothing_away(dead: Dead) -> None:
    for number in range(3):
        dead.put("news", json.dumps({"number": number}))

    first = dead.letters.look(most=10)
    again = dead.letters.look(most=10)

    for jobs, news in (first, again):
        assert (jobs.depth, news.depth) == (0, 3)
        assert sorted(letter.body for letter in news.letters) == [
            f'{{"number": {number}}}' for number in range(3)
        ]
    assert {letter.id for letter in first[1].letters} == {letter.id for letter in again[1].letters}


def test_of_many_some_are_shown_each_once_and_all_are_counted(dead: Dead) -> None:
    for number in range(25):
        dead.put("jobs", str(number))

    jobs, _ = dead.letters.look(most=10)

    assert jobs.depth == 25
    assert len({letter.id for letter in jobs.letters}) == len(jobs.letters) == 10
    assert all(letter.received >= 1 for letter in jobs.letters)
