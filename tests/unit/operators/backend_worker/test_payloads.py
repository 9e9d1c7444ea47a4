"""A payload that lies behind a URL: in the open, or locked with the data key that came with it."""

import base64
import gzip
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from operators.backend_worker.payloads import BadPayload, payload_of, plan_of
from operators.shared.calls import Fetch
from tests.unit.operators.jobs import a_create, a_pod
from xylem.protocol.agent import Job

URL = "https://store.test/payload"
KEY = bytes(range(32))
PACKED = gzip.compress(json.dumps({"objects": [a_pod()]}).encode())


def a_stored(key: bytes | None = None) -> Job:
    text = None if key is None else base64.b64encode(key).decode()
    told = {"payload": None, "payload_url": URL, "payload_data_key": text}
    return a_create().model_copy(update=told)


def read(job: Job, stored: bytes) -> bytes:
    """What is made of what lies there."""
    reading = payload_of(job)
    assert next(reading) == Fetch(URL)
    with pytest.raises(StopIteration) as done:
        reading.send(stored)
    return bytes(done.value.value)


def locked(content: bytes) -> bytes:
    nonce = bytes(12)
    return nonce + AESGCM(KEY).encrypt(nonce, content, None)


@pytest.mark.parametrize(
    ("job", "stored"), [(a_stored(), PACKED), (a_stored(KEY), locked(PACKED))], ids=["open", "key"]
)
def test_it_is_read_as_it_was_stored(job: Job, stored: bytes) -> None:
    plan = plan_of(job, read(job, stored))

    assert len(plan.pods) == 1


@pytest.mark.parametrize("key", [bytes(32), b"short"], ids=["another key", "no key"])
def test_what_does_not_open_is_no_payload_and_says_so(key: bytes) -> None:
    with pytest.raises(BadPayload, match="the payload is locked"):
        read(a_stored(key), locked(PACKED))


def test_what_is_in_it_is_never_in_the_text_of_a_refusal() -> None:
    with pytest.raises(BadPayload) as refused:
        read(a_stored(), locked(PACKED))

    assert "main" not in str(refused.value)
