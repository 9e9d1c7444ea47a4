"""The Logger and the store over real HTTP, as a sidecar meets them: a small server in this process.

Logs go through the real use case, on the fakes of its ports; every answer is one of the models of
`protocol/runtime.py`, so what the sidecar reads are the words that are promised to it. A fault is
told beforehand: the next request of a kind has this fate, the one after it is served again.
"""

import json
import re
import sys
import zlib
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote

from pydantic import BaseModel

from tests.builders import an_attempt
from xylem.domain.errors import XylemError
from xylem.memory.blobs import MemoryBlobs
from xylem.memory.logs import MemoryLogs
from xylem.protocol.runtime import (
    AtBarrier,
    Barrier,
    GroupState,
    InputFile,
    InputPage,
    InputQuery,
    LogEnd,
    OutputPage,
    OutputQuery,
    OutputTarget,
    Token,
)
from xylem.protocol.spool import Record, Stream, decode
from xylem.usecases import logs

GZIP = 31
FIRST_TOKEN = "token-1"


class Asked(NamedTuple):
    """`begin`: from which byte on the object is wanted."""

    method: str
    path: str
    token: str
    body: bytes
    begin: int = 0


class Answer(NamedTuple):
    """`cut`: of the body only half comes. `tag`: what the store says of the object."""

    status: int
    body: bytes = b""
    cut: bool = False
    tag: str = ""


HANG_UP = Answer(0)
"""Nothing is done and nothing answered."""

FORGET_TO_ANSWER = Answer(-1)
"""It is done, and the answer is lost."""


class Services:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.token = FIRST_TOKEN
        self.gives_tokens = True
        self.inputs: list[list[tuple[str, bytes]]] = []
        self.page_files = 100
        self.announced: dict[str, int] = {}
        """Sizes of inputs that are not what comes."""
        self.barrier_opens_after = 0
        self.restarts = 0
        """Of the group."""
        self.arrived: list[int | None] = []
        """For which restart."""
        self.store: dict[str, bytes] = {}
        self.url = ""
        self._attempt = an_attempt()
        self._rows = MemoryLogs()
        self._ends = logs.KnownEnds()
        self._blobs = MemoryBlobs()
        self._tokens = count(2)
        self._signatures = count(1)
        self._lock = Lock()
        self._faults: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)

    def next(self, method: str, path: str, *answers: Answer) -> None:
        """The fate of the next requests for this path, without its query."""
        self._faults[method, path].extend(answers)

    def forgive(self) -> None:
        """No fault that was told is to come any more."""
        with self._lock:
            self._faults.clear()

    def expire_token(self) -> None:
        self.token = f"token-{next(self._tokens)}"

    def paths(self, method: str) -> list[str]:
        return [asked.path.partition("?")[0] for asked in self.asked if asked.method == method]

    @property
    def outputs(self) -> dict[str, bytes]:
        prefix = "/store/outputs/"
        return {
            name.removeprefix(prefix): body
            for name, body in self.store.items()
            if name.startswith(prefix)
        }

    @property
    def spool(self) -> bytes:
        """What was logged; a hole or an overlap in it is a failure."""
        raw, reached = b"", 0
        for chunk in self._rows.chunks(self._attempt, limit=1_000_000):
            assert chunk.offset == reached
            reached += chunk.length
            body = chunk.body if chunk.key is None else self._blobs.get(chunk.key)
            assert body is not None
            raw += zlib.decompress(body, wbits=GZIP)
        return raw

    @property
    def log_bytes(self) -> int:
        return sum(chunk.length for chunk in self._rows.chunks(self._attempt, limit=1_000_000))

    def has_more_than(self, log_bytes: int) -> bool:
        return self.log_bytes > log_bytes

    @property
    def records(self) -> list[Record]:
        return list(decode(self.spool))

    def logged(self, stream: Stream) -> bytes:
        return b"".join(record.data for record in self.records if record.stream is stream)

    @property
    def log_length(self) -> int | None:
        """Of a log that is closed."""
        tail = self._rows.end(self._attempt)
        return None if tail is None else tail.length

    def answer(self, asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        with self._lock:
            self.asked.append(asked)
            faults = self._faults[asked.method, path]
            fault = faults.popleft() if faults else None
            if fault is not None and fault is not FORGET_TO_ANSWER:
                return fault
            answer = self._serve(asked, path, query)
            return answer if fault is None else fault

    def _serve(self, asked: Asked, path: str, query: str) -> Answer:
        if path.startswith("/store/"):
            return self._store(asked, path)
        if path == "/api/runtime/token":
            self.token = f"token-{next(self._tokens)}"
            if not self.gives_tokens:
                return Answer(403, b'{"message": "The attempt is over."}')
            return _good(Token(token=self.token, expires_in=3600))
        if asked.token != self.token:
            return Answer(401, b'{"message": "The token has expired."}')
        match path.removeprefix("/api/runtime"):
            case "/logs":
                return self._take(dict(parse_qsl(query)), asked.body)
            case "/logs/end":
                end = LogEnd.model_validate_json(asked.body)
                found = logs.end(self._attempt, end.length, logs=self._rows, ends=self._ends)
                return _good(found)
            case "/barrier":
                return _good(self._barrier(AtBarrier.model_validate_json(asked.body)))
            case "/group":
                return _good(GroupState(restarts=self.restarts))
            case "/inputs":
                return _good(self._input_page(InputQuery.model_validate_json(asked.body)))
            case "/outputs":
                return _good(self._output_page(OutputQuery.model_validate_json(asked.body)))
            case _:
                return Answer(404, b'{"message": "There is no such route."}')

    def _take(self, asked: dict[str, str], body: bytes) -> Answer:
        length = asked.get("length")
        try:
            stored = logs.put(
                self._attempt,
                int(asked["offset"]),
                body,
                length=None if length is None else int(length),
                logs=self._rows,
                store=self._blobs,
                ids=lambda: f"{next(self._signatures)}",
                ends=self._ends,
            )
        except XylemError as error:
            return Answer(422, json.dumps({"message": str(error)}).encode())
        return _good(stored)

    def _barrier(self, here: AtBarrier) -> Barrier:
        self.arrived.append(here.restarts)
        if here.restarts is not None and here.restarts < self.restarts:
            return Barrier(open=False, restarts=self.restarts)
        self.barrier_opens_after -= 1
        return Barrier(open=self.barrier_opens_after < 0, restarts=self.restarts)

    def _input_page(self, query: InputQuery) -> InputPage:
        files = self.inputs[query.index]
        start = int(query.cursor or 0)
        end = start + self.page_files
        page = []
        for name, content in files[start:end]:
            key = f"/store/inputs/{query.index}/{name}"
            self.store[key] = content
            size = self.announced.get(name, len(content))
            page.append(InputFile(path=name, size=size, url=self._signed(key)))
        return InputPage(files=page, cursor=str(end) if end < len(files) else None)

    def _output_page(self, query: OutputQuery) -> OutputPage:
        targets = [
            OutputTarget(path=file.path, url=self._signed(f"/store/outputs/{file.path}"))
            for file in query.files
        ]
        return OutputPage(files=targets)

    def _signed(self, key: str) -> str:
        path = quote(key.encode("utf-8", "surrogatepass"))
        return f"{self.url}{path}?signature={next(self._signatures)}"

    def _store(self, asked: Asked, path: str) -> Answer:
        key = unquote(path)
        if asked.method == "PUT":
            self.store[key] = asked.body
            return Answer(200, tag=_tag(asked.body))
        found = self.store.get(key)
        if found is None:
            return Answer(404)
        return Answer(206 if asked.begin else 200, found[asked.begin :], tag=_tag(found))


def _tag(body: bytes) -> str:
    return f'"{md5(body, usedforsecurity=False).hexdigest()}"'


def _good(model: BaseModel) -> Answer:
    return Answer(200, model.model_dump_json().encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    services: Services

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed hangs up in the middle; what else goes wrong is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # as it was handed in


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _any(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        token = re.sub("^Bearer ", "", self.headers.get("Authorization", ""))
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        answer = self.server.services.answer(Asked(self.command, self.path, token, body, begin))
        if answer.status <= 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.tag:
            self.send_header("ETag", answer.tag)
        self.end_headers()
        sent = answer.body[: len(answer.body) // 2] if answer.cut else answer.body
        self.wfile.write(sent)
        self.close_connection = self.close_connection or answer.cut

    do_GET = do_POST = do_PUT = _any

    def log_message(self, format: str, *arguments: object) -> None:
        """The tests have their own account of what was asked."""


@contextmanager
def serving(services: Services, port: int = 0) -> Iterator[int]:
    """At which port. `services.url` is the server's; the Logger's routes lie below `/api`."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.services = services
    services.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
