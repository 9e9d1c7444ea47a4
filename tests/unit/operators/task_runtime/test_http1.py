"""One exchange over one kept connection, with servers that keep to HTTP and servers that do not."""

import socket
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from operators.task_runtime import http1
from operators.task_runtime.http1 import (
    Address,
    Answer,
    Connection,
    ExchangeFailed,
    LocalFailed,
    split,
)
from tests.unit.operators.task_runtime.sockets import (
    Play,
    Scripted,
    answering,
    closing_at_once,
    resetting,
    scripted,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TWICE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"


def ask(
    connection: Connection,
    *,
    target: str = "/",
    body: bytes | BinaryIO = b"",
    length: int | None = None,
    into: BinaryIO | None = None,
    timeout: float = 10.0,
) -> Answer:
    return connection.exchange(
        "POST", target, headers={}, body=body, length=length, into=into, timeout=timeout
    )


def answer_to_one(play: Play, into: BinaryIO | None = None) -> Answer:
    with scripted(play) as server:
        return ask(Connection(server.address), into=into)


def failure_of_one(play: Play, into: BinaryIO | None = None) -> str:
    with scripted(play) as server, pytest.raises(ExchangeFailed) as failed:
        ask(Connection(server.address), into=into)
    return str(failed.value)


# URLs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address", "target"),
    [
        ("https://api.test", Address(True, "api.test", 443), "/"),
        ("http://api.test/dev", Address(False, "api.test", 80), "/dev"),
        ("http://127.0.0.1:4566/a/b?c=d/e", Address(False, "127.0.0.1", 4566), "/a/b?c=d/e"),
        ("http://[::1]:80/x", Address(False, "::1", 80), "/x"),
        ("https://[fe80::1]/x", Address(True, "fe80::1", 443), "/x"),
    ],
)
def test_a_url_is_a_server_and_what_it_is_asked_for(
    url: str, address: Address, target: str
) -> None:
    assert split(url) == (address, target)


@pytest.mark.parametrize("url", ["", "api.test/x", "ftp://api.test/x", "http://api.test:x/"])
def test_what_is_no_url_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        split(url)


# Requests -----------------------------------------------------------------------------------------


def test_a_request_says_what_it_is_and_how_long() -> None:
    with scripted(answering(OK)) as server:
        Connection(server.address).exchange(
            "PUT", "/a?b=c", headers={"X-Word": "value"}, body=b"body", timeout=10.0
        )

    [asked] = server.asked
    assert asked.line == "PUT /a?b=c HTTP/1.1"
    assert asked.body == b"body"
    assert asked.headers == {
        "Host": f"127.0.0.1:{server.address.port}",
        "X-Word": "value",
        "Content-Length": "4",
    }


def test_a_file_is_sent_to_the_length_that_was_said() -> None:
    content = b"x" * (http1.PIECE * 2 + 7)
    with scripted(answering(OK)) as server:
        ask(Connection(server.address), body=BytesIO(content + b"grown"), length=len(content))

    assert server.asked[0].body == content


def test_a_file_that_became_shorter_is_our_own_failure() -> None:
    with scripted(cut_off_while_hearing) as server:
        connection = Connection(server.address)
        with pytest.raises(LocalFailed, match="became shorter"):
            ask(connection, body=BytesIO(b"short"), length=10)


def cut_off_while_hearing(connection: socket.socket, _: Scripted) -> None:
    while connection.recv(1000):
        pass


# Answers ------------------------------------------------------------------------------------------


def test_an_answer_with_a_length_is_read_to_it() -> None:
    answer = answer_to_one(answering(OK))

    assert (answer.status, answer.body, answer.size) == (200, b"hello", 5)
    assert answer.headers["content-length"] == "5"


def test_an_answer_in_chunks_is_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    chunks = b"3\r\nhel\r\n2;extension=1\r\nlo\r\n0\r\nTrailer: ignored\r\n\r\n"

    with scripted(answering(head + chunks, TWICE)) as server:
        connection = Connection(server.address)
        assert ask(connection).body == b"hello"
        assert ask(connection).body == b"again"
    assert server.connections == 1


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    assert answer_to_one(answering(b"HTTP/1.1 200 OK\r\n\r\nhello")).body == b"hello"


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body_and_no_length(status: int) -> None:
    bare = f"HTTP/1.1 {status} Bare\r\n\r\n".encode()

    with scripted(answering(bare, TWICE)) as server:
        connection = Connection(server.address)
        assert ask(connection) == Answer(status, {}, b"", 0)
        assert ask(connection).body == b"again"
    assert server.connections == 1


def test_an_answer_before_the_answer_is_passed_over() -> None:
    go_on = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"

    assert answer_to_one(answering(go_on + OK)).body == b"hello"


def test_lines_may_end_without_a_carriage_return() -> None:
    assert answer_to_one(answering(OK.replace(b"\r\n", b"\n"))).body == b"hello"


def test_a_good_answer_goes_into_the_file_and_is_counted() -> None:
    file = BytesIO()

    answer = answer_to_one(answering(OK), into=file)

    assert (answer.body, answer.size, file.getvalue()) == (b"", 5, b"hello")


def test_a_bad_answer_does_not_go_into_the_file() -> None:
    file = BytesIO()

    answer = answer_to_one(answering(OK.replace(b"200 OK", b"403 No")), into=file)

    assert (answer.status, answer.body, file.getvalue()) == (403, b"hello", b"")


def test_a_file_may_be_larger_than_what_is_kept_in_memory(tmp_path: Path) -> None:
    size = http1.LONGEST_BODY + 1
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()

    with (tmp_path / "file").open("wb") as file:
        answer = answer_to_one(answering(head + bytes(size)), into=file)

    assert answer.size == size
    assert (tmp_path / "file").stat().st_size == size


def test_a_file_that_cannot_be_written_is_our_own_failure() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, scripted(answering(OK)) as server:
        connection = Connection(server.address)
        with pytest.raises(LocalFailed):
            ask(connection, into=full)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_an_answer_that_was_cut_short_is_none(answer: bytes) -> None:
    assert failure_of_one(answering(answer)) == "the answer was cut short"
    assert failure_of_one(answering(answer), into=BytesIO()) == "the answer was cut short"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (http1.MOST_HEADERS + 1) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * http1.LONGEST_LINE + b"\r\n\r\n",
    ],
)
def test_what_is_no_answer_of_http_is_none(answer: bytes) -> None:
    assert failure_of_one(answering(answer))


def test_an_answer_that_would_fill_the_memory_is_not_read_to_its_end() -> None:
    def endless(connection: socket.socket, server: Scripted) -> None:
        server.hear(connection)
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(bytes(http1.PIECE))
        except OSError:
            return

    assert "longer than" in failure_of_one(endless)


def test_a_server_that_says_nothing_is_not_waited_for_longer_than_was_said() -> None:
    def silent(connection: socket.socket, server: Scripted) -> None:
        server.hear(connection)
        assert connection.recv(1) == b""

    with scripted(silent) as server, pytest.raises(ExchangeFailed, match="TimeoutError"):
        ask(Connection(server.address), timeout=0.05)


def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(ExchangeFailed, match="Refused"):
        ask(Connection(Address(False, "127.0.0.1", port)))


# The connection -----------------------------------------------------------------------------------


def test_a_connection_is_kept() -> None:
    with scripted(answering(OK, TWICE)) as server:
        connection = Connection(server.address)
        bodies = [ask(connection).body, ask(connection).body]

    assert bodies == [b"hello", b"again"]
    assert server.connections == 1


@pytest.mark.parametrize("first", [answering(OK), resetting(OK)])
def test_a_kept_connection_that_was_closed_meanwhile_is_opened_anew(first: Play) -> None:
    with scripted(first, answering(TWICE)) as server:
        connection = Connection(server.address)
        ask(connection)
        answer = ask(connection, target="/second", body=b"whole")

    assert answer.body == b"again"
    assert server.connections == 2
    assert server.asked[-1].line == "POST /second HTTP/1.1"
    assert server.asked[-1].body == b"whole"


def test_a_file_is_sent_from_its_beginning_when_the_connection_is_opened_anew() -> None:
    content = b"y" * (http1.PIECE * 3)
    with scripted(answering(OK), answering(TWICE)) as server:
        connection = Connection(server.address)
        ask(connection)
        answer = ask(connection, body=BytesIO(content), length=len(content))

    assert answer.body == b"again"
    assert server.asked[-1].body == content


def test_a_new_connection_that_is_closed_without_an_answer_is_not_tried_again() -> None:
    with scripted(closing_at_once) as server, pytest.raises(ExchangeFailed):
        ask(Connection(server.address))


def test_a_connection_that_is_opened_anew_and_closed_again_is_given_up() -> None:
    with scripted(answering(OK), closing_at_once) as server:
        connection = Connection(server.address)
        ask(connection)
        with pytest.raises(ExchangeFailed):
            ask(connection)


@pytest.mark.parametrize(
    "last",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: Close\r\n\r\n"),
        b"HTTP/1.1 200 OK\r\n\r\nhello",
    ],
)
def test_a_connection_that_the_server_ends_is_not_asked_again(last: bytes) -> None:
    with scripted(answering(last), answering(TWICE)) as server:
        connection = Connection(server.address)
        assert ask(connection).body == b"hello"
        assert ask(connection).body == b"again"

    assert server.connections == 2


def test_after_an_answer_that_was_cut_short_the_next_one_comes_over_a_new_connection() -> None:
    with scripted(answering(OK[:-1]), answering(TWICE)) as server:
        connection = Connection(server.address)
        with pytest.raises(ExchangeFailed):
            ask(connection)
        assert ask(connection).body == b"again"
