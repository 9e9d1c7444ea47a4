"""What AWS bills, in its own units and with its own rounding."""

import pytest

from clients.local.embedded_aws.usage import Key, Meter, Usage, function_name, of_api_call, parsed


def test_amounts_of_one_thing_add_up_and_a_reading_can_be_sent() -> None:
    usage = Usage()
    usage.add(Meter.DYNAMODB_WRITES, "agent", "workflows", 4)
    usage.add(Meter.DYNAMODB_WRITES, "agent", "workflows", 2)
    usage.add(Meter.DYNAMODB_WRITES, "agent", "workflows/due", 1)

    assert parsed(usage.as_json()) == {
        Key(Meter.DYNAMODB_WRITES, "agent", "workflows"): 6,
        Key(Meter.DYNAMODB_WRITES, "agent", "workflows/due"): 1,
    }


def test_a_reading_has_what_has_not_ended_yet_each_time_anew() -> None:
    usage = Usage()
    minutes = Key(Meter.WEBSOCKET_MINUTES, "websocket-api", "sockets")
    usage.add(*minutes, 10)
    usage.also(lambda: [(minutes, 1.5)])

    assert usage.read() == {minutes: 11.5}
    assert usage.read() == {minutes: 11.5}


@pytest.mark.parametrize(
    ("milliseconds", "memory_mb", "gb_seconds"),
    [(100.0, 1024, 0.1), (100.2, 1024, 0.101), (0.4, 512, 0.0005), (2000, 512, 1.0)],
)
def test_a_functions_time_is_rounded_up_to_a_millisecond_and_weighed_with_its_memory(
    milliseconds: float, memory_mb: int, gb_seconds: float
) -> None:
    usage = Usage()
    usage.compute("agent", milliseconds=milliseconds, memory_mb=memory_mb)

    assert list(usage.read().values()) == [pytest.approx(gb_seconds)]


def test_requests_and_messages_are_metered_in_chunks() -> None:
    usage = Usage()
    usage.http("core-service", "GET /", request=0, response=512 * 1024 + 1)
    usage.message("agent", "push", 32 * 1024 + 1, out=True)
    usage.message("agent-ingest", "agent", 1, out=False)
    usage.queue("lambda-poller", "news", 64 * 1024)
    counted = usage.read()

    assert counted[Key(Meter.HTTP_REQUESTS, "core-service", "GET /")] == 2
    assert counted[Key(Meter.WEBSOCKET_MESSAGES, "agent", "push")] == 2
    assert counted[Key(Meter.WEBSOCKET_MESSAGES, "agent-ingest", "agent")] == 1
    assert counted[Key(Meter.SQS_REQUESTS, "lambda-poller", "news")] == 1


def test_what_leaves_aws_is_counted_and_what_comes_in_is_free() -> None:
    usage = Usage()
    usage.http("core-service", "POST /", request=5_000, response=100)
    usage.message("agent", "push", 30, out=True)
    usage.message("agent-ingest", "agent", 7_000, out=False)

    out = {key.who: amount for key, amount in usage.read().items() if key.meter is Meter.BYTES_OUT}
    assert out == {"core-service": 100, "agent": 30}


def test_a_line_of_a_log_weighs_26_bytes_more_than_its_text() -> None:
    usage = Usage()
    usage.log("agent", b"one\ntwo\n", events=2)

    assert list(usage.read().values()) == [8 + 2 * 26]


@pytest.mark.parametrize(
    ("method", "path", "query", "billed"),
    [
        ("PUT", "/store/specs/1", (), Meter.S3_PUTS),
        ("POST", "/store/specs/1", ("uploads",), Meter.S3_PUTS),
        ("GET", "/store", ("list-type",), Meter.S3_PUTS),
        ("GET", "/store/specs/1", (), Meter.S3_GETS),
        ("HEAD", "/store/specs/1", (), Meter.S3_GETS),
        ("DELETE", "/store/specs/1", (), None),
    ],
)
def test_s3_asks_more_for_a_put_or_a_list_than_for_a_get_and_nothing_for_a_delete(
    method: str, path: str, query: tuple[str, ...], billed: Meter | None
) -> None:
    counted = list(of_api_call("s3", "", method, path, query=query, size=0))

    assert counted == ([(billed, "store", 1)] if billed else [])


def test_a_secret_parameter_is_free_and_its_key_is_not() -> None:
    [read, key] = of_api_call("ssm", "ssm:GetParameter", "POST", "/", query=(), size=0)

    assert (read[0], key[0]) == (Meter.PARAMETER_READS, Meter.KEY_REQUESTS)
    assert list(of_api_call("iam", "iam:GetRole", "POST", "/", query=(), size=0)) == []


def test_a_function_is_called_by_its_name() -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:agent"

    assert function_name(arn) == function_name(f"{arn}:live") == "agent"
