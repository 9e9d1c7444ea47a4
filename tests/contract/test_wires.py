"""What queues, sockets, buckets and tokens promise, asked of memory and of AWS (moto)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from tests.builders import NOON, an_attempt
from xylem.domain.errors import Gone, TooLarge, Unauthenticated, Unavailable
from xylem.domain.ids import ConnectionId, JobId
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.queues import MemoryDoorbell, MemoryLinks, MemoryNewsQueue
from xylem.memory.tokens import MemoryTaskTokens
from xylem.ports.backends import NewsQueue
from xylem.ports.blobs import Blobs
from xylem.ports.jobs import Doorbell
from xylem.ports.task_tokens import TaskTokens
from xylem.protocol.limits import FRAME_BYTES, MESSAGE_BYTES, QUEUE_BYTES
from xylem_aws import clients
from xylem_aws.blobs import S3Blobs
from xylem_aws.keys import ensure_keys, read_keys
from xylem_aws.links import ApiGatewayLinks
from xylem_aws.queues import SqsDoorbell, SqsNewsQueue
from xylem_aws.task_tokens import HmacTaskTokens

REGION = "us-east-1"
KEYS = "/xylem/test/keys"
HERE = ConnectionId("here=")


@dataclass(frozen=True, slots=True)
class Wires:
    """`bodies`, `jobs`: what the other end of each queue receives."""

    news: NewsQueue
    bodies: Callable[[], list[str]]
    doorbell: Doorbell
    jobs: Callable[[], list[JobId]]
    blobs: Blobs
    tokens: TaskTokens


@pytest.fixture(params=["memory", "aws"])
def wires(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wires]:
    if request.param == "memory":
        news, doorbell = MemoryNewsQueue(), MemoryDoorbell()
        yield Wires(news, news.take, doorbell, doorbell.take, MemoryBlobs(), MemoryTaskTokens())
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sqs, s3, ssm = clients.sqs(REGION), clients.s3(REGION), clients.ssm(REGION)
        news_url, jobs_url = (
            sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("news", "jobs")
        )
        s3.create_bucket(Bucket="xylem-test-store")
        ensure_keys(ssm, KEYS)
        yield Wires(
            SqsNewsQueue(sqs, news_url),
            lambda: _receive(news_url),
            SqsDoorbell(sqs, jobs_url),
            lambda: [JobId(json.loads(body)["job"]) for body in _receive(jobs_url)],
            S3Blobs(s3, "xylem-test-store"),
            HmacTaskTokens(read_keys(ssm, KEYS, "hmac")),
        )


def _receive(queue: str) -> list[str]:
    sqs = boto3.client("sqs", region_name=REGION)
    bodies = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
    return bodies


# Queues ------------------------------------------------------------------------------------------


def test_all_news_arrives_in_as_many_requests_as_it_takes(wires: Wires) -> None:
    sent = [f"news {number}" for number in range(25)]

    wires.news.send(sent)

    assert sorted(wires.bodies()) == sorted(sent)


def test_news_that_together_are_more_than_a_request_holds_all_arrive(wires: Wires) -> None:
    sent = [str(number) * 100_000 for number in range(5)]

    wires.news.send(sent)

    assert sorted(wires.bodies()) == sent


def test_news_that_no_queue_takes_is_refused_before_any_of_it_is_sent(wires: Wires) -> None:
    with pytest.raises(TooLarge):
        wires.news.send(["small", "x" * (QUEUE_BYTES + 1)])

    assert wires.bodies() == []


def test_each_job_is_rung_for(wires: Wires) -> None:
    jobs = [JobId(f"job-{number}") for number in range(12)]

    wires.doorbell.ring(jobs)

    assert wires.doorbell.depth() == 12
    assert sorted(wires.jobs()) == sorted(jobs)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(timedelta(seconds=2.1), 3), (timedelta(0), 0), (timedelta(hours=1), 900)],
)
def test_a_delay_is_never_shorter_than_asked_and_never_longer_than_sqs_takes(
    aws: None, delay: timedelta, seconds: int
) -> None:
    sqs = clients.sqs(REGION)
    with Stubber(sqs) as stub:
        entry = {"Id": "0", "MessageBody": ANY, "DelaySeconds": seconds}
        expected = {"QueueUrl": ANY, "Entries": [entry]}
        stub.add_response("send_message_batch", {"Successful": [], "Failed": []}, expected)

        SqsDoorbell(sqs, "https://sqs.us-east-1.amazonaws.com/1/jobs").ring(
            [JobId("job-1")], delay=delay
        )
        stub.assert_no_pending_responses()


def test_a_doorbell_that_does_not_work_is_nobodys_failure(aws: None) -> None:
    SqsDoorbell(clients.sqs(REGION), "https://sqs.us-east-1.amazonaws.com/1/none").ring(
        [JobId("job-1")]
    )


def test_news_that_was_not_taken_is_not_acknowledged(aws: None) -> None:
    sqs = clients.sqs(REGION)
    failed = {"Id": "0", "Code": "InternalError", "SenderFault": False}
    with Stubber(sqs) as stub:
        stub.add_response("send_message_batch", {"Successful": [], "Failed": [failed]})

        with pytest.raises(Unavailable, match="1 of 1"):
            SqsNewsQueue(sqs, "https://sqs.us-east-1.amazonaws.com/1/news").send(["news"])


# Sockets -----------------------------------------------------------------------------------------


def test_what_is_pushed_arrives_until_the_other_side_is_gone() -> None:
    links = MemoryLinks()
    links.push(HERE, "hello")
    links.hang_up(HERE)

    assert links.take() == [(HERE, "hello")]
    with pytest.raises(Gone):
        links.push(HERE, "still there?")


def test_api_gateways_gone_is_ours(aws: None) -> None:
    sockets = clients.sockets(REGION, "https://sockets.test/live")
    with Stubber(sockets) as stub:
        stub.add_response("post_to_connection", {}, {"ConnectionId": HERE, "Data": b"hello"})
        stub.add_client_error("post_to_connection", "GoneException")
        stub.add_client_error("delete_connection", "GoneException")
        links = ApiGatewayLinks(sockets)

        links.push(HERE, "hello")
        with pytest.raises(Gone):
            links.push(HERE, "still there?")
        links.close(HERE)


@pytest.mark.parametrize("kind", ["memory", "aws"])
def test_a_text_that_is_no_frame_is_refused_before_it_is_sent(kind: str, aws: None) -> None:
    sockets = clients.sockets(REGION, "https://sockets.test/live")
    links = MemoryLinks() if kind == "memory" else ApiGatewayLinks(sockets)

    with pytest.raises(TooLarge):
        links.push(HERE, "é" * (FRAME_BYTES // 2 + 1))
    with pytest.raises(TooLarge):
        links.pass_on(HERE, "é" * (MESSAGE_BYTES // 2 + 1))


# Buckets -----------------------------------------------------------------------------------------


def test_a_blob_is_what_was_put_last(wires: Wires) -> None:
    wires.blobs.put("specs/1", b"old")
    wires.blobs.put("specs/1", b"\x00new")

    assert wires.blobs.get("specs/1") == b"\x00new"
    assert wires.blobs.get("specs/2") is None


def test_a_listing_goes_on_where_it_stopped(wires: Wires) -> None:
    for name in ("a/1", "a/2", "a/ü 3", "b/1"):
        wires.blobs.put(name, name.encode())

    first = wires.blobs.list("a/", limit=2)
    rest = wires.blobs.list("a/", cursor=first.cursor, limit=2)

    assert [(blob.key, blob.size) for blob in first.blobs] == [("a/1", 3), ("a/2", 3)]
    assert [(blob.key, blob.size) for blob in rest.blobs] == [("a/ü 3", 6)]
    assert rest.cursor is None
    assert first.blobs[0].written_at < datetime.now(UTC) + timedelta(seconds=1)


def test_a_blob_that_is_deleted_is_gone_and_deleting_it_again_does_nothing(wires: Wires) -> None:
    wires.blobs.put("a", b"body")

    assert wires.blobs.has("a")
    wires.blobs.delete("a")
    wires.blobs.delete("a")

    assert not wires.blobs.has("a")
    assert wires.blobs.get("a") is None
    assert wires.blobs.list("a").blobs == ()


def test_urls_name_their_object_and_their_life(wires: Wires) -> None:
    for url in (
        wires.blobs.get_url("data/x y", expires=timedelta(minutes=15)),
        wires.blobs.put_url("data/x y", expires=timedelta(minutes=15)),
    ):
        assert "data/x%20y" in url
        assert "xpires=900" in url


def test_a_presigned_url_is_of_the_buckets_own_region_and_fixes_no_checksum(aws: None) -> None:
    store = S3Blobs(clients.s3("eu-central-1"), "xylem-test-store")

    url = store.put_url("data/x", expires=timedelta(minutes=15))

    assert url.startswith("https://xylem-test-store.s3.eu-central-1.amazonaws.com/data/x?")
    assert "checksum" not in url


# Tokens of tasks ---------------------------------------------------------------------------------


def test_a_token_stands_for_its_attempt_until_it_expires(wires: Wires) -> None:
    attempt = an_attempt("prüfen", retry=2, incarnation=1)
    token = wires.tokens.sign(attempt, expires=NOON)

    assert wires.tokens.verify(token, NOON - timedelta(seconds=1)) == attempt
    with pytest.raises(Unauthenticated, match="expired"):
        wires.tokens.verify(token, NOON)
    assert wires.tokens.verify(token, NOON, expired_ok=True) == attempt


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "e30.e30.e30", "é.é.é", "W10.W10.W10"])
def test_what_is_no_token_opens_nothing(wires: Wires, token: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        wires.tokens.verify(token, NOON, expired_ok=True)

    assert not token or token not in str(refused.value)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield
