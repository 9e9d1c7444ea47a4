"""The deployed stack tells a receiver on this machine that a workflow ended: signed, one id."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.conftest import Stack
from tests.e2e.running import example, run

pytestmark = pytest.mark.e2e

HEARD_WITHIN_SECONDS = 150
"""A try that failed is made again with the next sweep, a minute later at the most."""


class Receiver(ThreadingHTTPServer):
    """Fails at first, as one that is being restarted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.failures = 1
        self.heard: list[tuple[dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append(
            ({name.lower(): value for name, value in self.headers.items()}, body)
        )
        failing = len(self.server.heard) <= self.server.failures
        self.send_response(503 if failing else 204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_that_fails_at_first_hears_of_the_end_once_more_under_one_id(
    stack: Stack, receiver: Receiver
) -> None:
    url = f"http://127.0.0.1:{receiver.server_address[1]}/hook"
    webhook = stack.client.webhooks.create("e2e", url)
    try:
        name = run(stack.client, example("hello")).name
        deadline = time.monotonic() + HEARD_WITHIN_SECONDS
        while len(receiver.heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)  # between two looks
    finally:
        stack.client.webhooks.delete("e2e")

    (first, body), (second, again) = receiver.heard
    assert first["webhook-id"] == second["webhook-id"]
    assert body == again
    assert json.loads(body)["data"]["name"] == name
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    content = f"{second['webhook-id']}.{second['webhook-timestamp']}.".encode() + again
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert second["webhook-signature"] == f"v1,{signature}"
