"""The Logger's routes under `/runtime/`: one token for all threads of the sidecar, and patience.

A token lives an hour. It is not watched: when the Logger calls it expired it is exchanged for a new
one, which the Logger gives while the attempt lives and for 24 h after. When it refuses that, the
attempt is over for good, and `Over` ends what the sidecar does.
"""

import json
from threading import Event, Lock
from typing import Any, NamedTuple

from operators.shared.patience import Stopped, backoff
from operators.task_runtime.http1 import Connection, ExchangeFailed, split

TIMEOUT_SECONDS = 15.0
"""For each wait on the network. Within the 29 s after which API Gateway gives a function up, and
short enough for a second try within a pod's 30 s of grace."""

HELD_TIMEOUT_SECONDS = 35.0
"""For the barrier, where the Logger holds the answer for up to 20 s."""

JSON = {"Content-Type": "application/json"}


class Over(Exception):
    """The Logger gives this attempt no token any more."""


class Refusal(Exception):
    """The Logger understood and said no; saying it again would not help."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(Exception):
    """No answer, or one that may be another in a while."""


class Reply(NamedTuple):
    status: int
    body: dict[str, Any]


class Token:
    def __init__(self, value: str) -> None:
        self.value = value
        self.lock = Lock()


class Api:
    """For one thread. `token` is shared."""

    def __init__(self, url: str, token: Token, stop: Event) -> None:
        address, path = split(url)
        self._prefix = path.rstrip("/")
        self._connection = Connection(address)
        self._token = token
        self._stop = stop

    @property
    def token(self) -> Token:
        return self._token

    def insist(self, path: str, payload: dict[str, Any], timeout: float = TIMEOUT_SECONDS) -> Any:
        """The body of a good answer, however long it takes. Raises `Refusal`, `Over`,
        `Stopped`."""
        tries = 0
        while True:
            try:
                reply = self.send(path, json.dumps(payload).encode(), JSON, timeout)
            except Unreachable:
                if self._stop.wait(backoff(tries)):
                    raise Stopped from None
                tries += 1
                continue
            if reply.status != 200:
                raise Refusal(reply.status, str(reply.body.get("message", reply.status)))
            return reply.body

    def send(
        self, path: str, body: bytes, headers: dict[str, str], timeout: float = TIMEOUT_SECONDS
    ) -> Reply:
        """One try, and a second one with a new token. Raises `Unreachable`, `Over`."""
        token = self._token.value
        reply = self._post(path, body, headers, token, timeout)
        if reply.status != 401:
            return reply
        return self._post(path, body, headers, self._renewed(token), timeout)

    def _renewed(self, expired: str) -> str:
        with self._token.lock:
            if self._token.value == expired:
                reply = self._post("/runtime/token", b"{}", JSON, expired, TIMEOUT_SECONDS)
                if reply.status != 200:
                    raise Over(str(reply.body.get("message", reply.status)))
                self._token.value = reply.body["token"]
            return self._token.value

    def _post(
        self, path: str, body: bytes, headers: dict[str, str], token: str, timeout: float
    ) -> Reply:
        try:
            answer = self._connection.exchange(
                "POST",
                self._prefix + path,
                headers={**headers, "Authorization": f"Bearer {token}"},
                body=body,
                timeout=timeout,
            )
            if answer.status >= 500 or answer.status in (408, 429):
                raise Unreachable(f"HTTP status {answer.status}")
            found = json.loads(answer.body) if answer.body else {}
        except (ExchangeFailed, ValueError) as error:
            raise Unreachable(str(error)) from error
        return Reply(answer.status, found if isinstance(found, dict) else {})
