"""The server side of the Lambda Runtime API as a sans-I/O object: bytes in, requests out.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. One connection object for each
socket of awslambdaric; libcurl keeps one open for `next` and `response`, Python's http.client opens
another for an initialisation error. Bodies have a Content-Length (awslambdaric sets it and switches
chunking off). A general HTTP server would do, too, at five times the time of this hot path.
"""

import re
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_INVOCATION = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")


@dataclass(frozen=True, slots=True)
class NextInvocation:
    """The process is idle and asks for work."""


@dataclass(frozen=True, slots=True)
class Result:
    request_id: str
    body: bytes
    failed: bool


@dataclass(frozen=True, slots=True)
class InitialisationFailed:
    body: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    path: str


Request = NextInvocation | Result | InitialisationFailed | Unknown

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status": "OK"}'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class RuntimeConnection:
    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: tuple[str, int] | None = None
        self.wants_continue = False
        """The client waits for `100 Continue` before it sends its body; unset it after sending."""

    def received(self, data: bytes) -> list[Request]:
        self._buffer += data
        requests = []
        while (request := self._next()) is not None:
            requests.append(request)
        return requests

    def _next(self) -> Request | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 4]
            length = _LENGTH.search(head)
            self.wants_continue = _EXPECT.search(head) is not None
            path = head.split(b" ", 2)[1].decode("ascii", "replace")
            self._head = (path, int(length[1]) if length else 0)
        path, size = self._head
        if len(self._buffer) < size:
            return None
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._head = None
        return _request(path, body)


def _request(path: str, body: bytes) -> Request:
    if path == "/2018-06-01/runtime/invocation/next":
        return NextInvocation()
    if match := _INVOCATION.fullmatch(path):
        return Result(match[1], body, failed=match[2] == "error")
    if path == "/2018-06-01/runtime/init/error":
        return InitialisationFailed(body)
    return Unknown(path)


def invocation(
    event: bytes, *, request_id: str, deadline_ms: int, function_arn: str, trace: str
) -> bytes:
    """The answer to `next`."""
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: {request_id}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
        f"Lambda-Runtime-Invoked-Function-Arn: {function_arn}\r\n"
        f"Lambda-Runtime-Trace-Id: {trace}\r\n"
        f"Content-Length: {len(event)}\r\n\r\n"
    )
    return head.encode() + event
