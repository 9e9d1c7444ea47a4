"""exec and port-forward over WebSocket, as an interactive session will ask for them.

kubernetes.io/docs: tasks/debug/debug-application/get-shell-running-container, tasks/
access-application-cluster/port-forward-access-application-cluster; the protocols v4 and v5 of the
channels: KEP 4006 (github.com/kubernetes/enhancements)."""

import json
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any

import pytest
from kubernetes.client import ApiException
from kubernetes.stream import ws_client

from operators.shared.resources import POD, Json
from tests.contract.kubernetes.cluster import (
    IDLE,
    PATIENCE_SECONDS,
    Cluster,
    a_container,
    a_free_port,
    a_name,
    a_pod,
    until,
)

V4, V5 = ws_client.V4_CHANNEL_PROTOCOL, ws_client.V5_CHANNEL_PROTOCOL
BOTH = pytest.mark.parametrize("protocol", [V4, V5])


@pytest.fixture(scope="module")
def host(cluster: Cluster) -> Iterator[str]:
    """A pod that runs, with two containers."""
    name = a_name("host")
    first = a_container(IDLE, env=[{"name": "COLOR", "value": "blue"}], workingDir="/work")
    second = a_container(IDLE, "second", env=[{"name": "COLOR", "value": "red"}])
    cluster.start(a_pod(name, first, second, hostname="its-own"))
    yield name
    cluster.kube.delete(POD, name, grace_seconds=0)


def ended(session: Any) -> tuple[str, str, Json]:
    """What it printed to stdout and stderr, and the Status that it ended with."""
    session.run_forever(timeout=PATIENCE_SECONDS)
    assert not session.is_open(), "the server closes the socket of a command that is over"
    error = session.read_channel(ws_client.ERROR_CHANNEL)
    return session.read_channel(1), session.read_channel(2), json.loads(error)


def code(status: Json) -> int:
    if status["status"] == "Success":
        return 0
    assert status["reason"] == "NonZeroExitCode"
    (cause,) = [each for each in status["details"]["causes"] if each["reason"] == "ExitCode"]
    return int(cause["message"])


@BOTH
def test_a_command_says_its_streams_apart_and_its_exit_code(
    cluster: Cluster, host: str, protocol: str
) -> None:
    session = cluster.execute(
        host, "sh", "-c", "echo out; echo err >&2; exit 3", protocol=protocol, container="main"
    )

    out, err, status = ended(session)

    assert session.subprotocol == protocol
    assert (out, err, code(status)) == ("out\n", "err\n", 3)


@BOTH
def test_a_command_that_succeeds_says_so(cluster: Cluster, host: str, protocol: str) -> None:
    session = cluster.execute(host, "true", protocol=protocol, container="main")

    assert ended(session)[2]["status"] == "Success"


def test_the_newest_protocol_that_both_know_is_chosen(cluster: Cluster, host: str) -> None:
    session = cluster.execute(host, "true", protocol=f"{V5},{V4}", container="main")
    ended(session)

    assert session.subprotocol == V5


def test_a_command_that_was_killed_has_the_code_of_a_shell(cluster: Cluster, host: str) -> None:
    session = cluster.execute(host, "sh", "-c", "kill -9 $$", container="main")

    assert code(ended(session)[2]) == 137


def test_a_command_that_is_not_there_fails(cluster: Cluster, host: str) -> None:
    session = cluster.execute(host, "/no/such/program", container="main")

    assert ended(session)[2]["status"] == "Failure"


def test_a_command_is_in_its_container(cluster: Cluster, host: str) -> None:
    look = "echo $COLOR; hostname; tr '\\0' ' ' </proc/1/cmdline"

    session = cluster.execute(host, "sh", "-c", f"pwd; {look}", container="main")
    assert ended(session)[0] == f"/work\nblue\nits-own\nsh -c {IDLE} "

    session = cluster.execute(host, "sh", "-c", look, container="second")
    assert ended(session)[0].startswith("red\nits-own\n")


def test_version_five_ends_the_input_and_the_command_goes_on(cluster: Cluster, host: str) -> None:
    count = "n=$(wc -c); echo $n; exit 4"
    session = cluster.execute(host, "sh", "-c", count, stdin=True, container="main")

    session.write_stdin("hello")
    session.close_channel(ws_client.STDIN_CHANNEL)

    out, _, status = ended(session)
    assert (out.strip(), code(status)) == ("5", 4)


@BOTH
def test_input_arrives_while_the_command_runs(cluster: Cluster, host: str, protocol: str) -> None:
    session = cluster.execute(
        host, "sh", "-c", "read a; echo got $a", stdin=True, protocol=protocol, container="main"
    )

    session.write_stdin("this\n")

    assert ended(session)[0] == "got this\n"


def test_bytes_pass_as_they_are(cluster: Cluster, host: str) -> None:
    sent = bytes(range(256)) * 1024
    session = cluster.execute(host, "cat", stdin=True, binary=True, container="main")

    for at in range(0, len(sent), 16384):
        session.write_stdin(sent[at : at + 16384])
        session.update()
    session.close_channel(ws_client.STDIN_CHANNEL)
    session.run_forever(timeout=PATIENCE_SECONDS)

    assert session.read_channel(ws_client.STDOUT_CHANNEL) == sent


def test_a_terminal_has_the_size_that_it_is_given(cluster: Cluster, host: str) -> None:
    session = cluster.execute(host, "sh", stdin=True, stderr=False, tty=True, container="main")

    def told(words: str) -> str:
        session.write_stdin(f"{words}\n")
        session.update(timeout=1)
        return str(session.peek_channel(ws_client.STDOUT_CHANNEL))

    session.write_channel(ws_client.RESIZE_CHANNEL, json.dumps({"Width": 101, "Height": 37}))
    until(lambda: told("stty size"), lambda text: "37 101" in text)
    session.write_channel(ws_client.RESIZE_CHANNEL, json.dumps({"Width": 90, "Height": 20}))
    until(lambda: told("stty size"), lambda text: "20 90" in text)
    session.write_stdin("exit 6\n")

    _, err, status = ended(session)
    assert (err, code(status)) == ("", 6)


def test_a_command_ends_by_what_is_typed_into_its_terminal(cluster: Cluster, host: str) -> None:
    session = cluster.execute(
        host, "sleep", "1000", stdin=True, stderr=False, tty=True, container="main"
    )

    def interrupted() -> bool:
        """Again, until the terminal is there to hear it."""
        if session.is_open():
            session.write_stdin("\x03")
            session.update(timeout=0.2)
        return not session.is_open()

    until(interrupted, bool)

    assert code(json.loads(session.read_channel(ws_client.ERROR_CHANNEL))) == 130


def test_who_leaves_does_not_end_the_container(cluster: Cluster, host: str) -> None:
    session = cluster.execute(host, "cat", stdin=True, container="main")
    session.close()

    assert code(ended(cluster.execute(host, "true", container="main"))[2]) == 0
    assert cluster.pod(host).status.phase == "Running"


@pytest.mark.parametrize(("pod", "container"), [("nobody", "main"), (None, "nobody")])
def test_a_session_with_nobody_is_refused_before_it_begins(
    cluster: Cluster, host: str, pod: str | None, container: str
) -> None:
    with pytest.raises(ApiException) as refused:
        cluster.execute(pod or host, "true", container=container)

    assert "Handshake status 4" in str(refused.value.reason)


# ---- port-forward


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[tuple[str, int]]:
    """A pod that speaks HTTP, and its port."""
    name, port = a_name("server"), a_free_port()
    serve = (
        "mkdir -p /tmp/www && cd /tmp/www && printf forwarded >it; "
        f"command -v busybox >/dev/null && exec busybox httpd -f -p {port}; "
        f"exec python3 -m http.server --bind 127.0.0.1 {port}"
    )
    cluster.start(a_pod(name, serve))
    yield name, port
    cluster.kube.delete(POD, name, grace_seconds=0)


def fetched(session: Any, port: int) -> bytes:
    connection = session.socket(port)
    connection.settimeout(5)
    answer = HTTPResponse(connection)
    try:
        connection.sendall(b"GET /it HTTP/1.0\r\nHost: pod\r\n\r\n")
        answer.begin()
        return answer.read()
    except (OSError, HTTPException):
        return b""
    finally:
        answer.close()


def test_a_port_of_a_pod_is_reached(cluster: Cluster, server: tuple[str, int]) -> None:
    name, port = server

    def attempt() -> bytes:
        """Its server may not listen yet; each connection is a session of its own."""
        session = cluster.forward(name, port)
        try:
            return fetched(session, port)
        finally:
            session.close()

    assert until(attempt, bool) == b"forwarded"
    assert attempt() == b"forwarded"


def test_a_port_where_nobody_listens_is_told_on_the_channel_of_errors(
    cluster: Cluster, server: tuple[str, int]
) -> None:
    name, port = server[0], a_free_port()
    session = cluster.forward(name, port)

    told = until(lambda: session.error(port), lambda text: text is not None)

    assert str(port) in told
    session.close()


def test_no_port_of_nobody_is_forwarded(cluster: Cluster) -> None:
    with pytest.raises(ApiException) as refused:
        cluster.forward(a_name("nobody"), 80)

    assert "Handshake status 404" in str(refused.value.reason)
