"""The Router has no sessions yet: it says so, instead of letting a newer client wait."""

import json

import pytest
from websockets.sync.client import connect

from tests.conftest import Stack

pytestmark = pytest.mark.e2e


def test_a_frame_for_the_router_is_refused_in_words(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.operator_token}"}
    with connect(stack.settings.websocket_url, additional_headers=headers) as socket:
        socket.send(json.dumps({"to": "router", "type": "open"}))
        answer = json.loads(socket.recv(timeout=20))

    assert (answer["type"], answer["code"]) == ("refusal", "unsupported")
