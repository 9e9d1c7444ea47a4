"""No key need exist: a pod that is somebody (EKS Pod Identity) opens stores by its token.

The other ways (IRSA, Google's, Azure's) are the library's as well, and are spoken over TLS alone.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.contract.task_runtime.object_store import KEY_ID, SECRET, ObjectStore

pytestmark = pytest.mark.embedded
ROOT = Path(__file__).parents[3]
TOKEN = "the-token-of-the-service-account"
CREDENTIALS = {
    "AccessKeyId": KEY_ID,
    "SecretAccessKey": SECRET,
    "Token": "session",
    "Expiration": "2099-01-01T00:00:00Z",
}

SIDECAR = """
import sys
from threading import Event
from operators.task_runtime import stores

url, folder = sys.argv[1:]
stores.download({"index": 0, "url": url}, folder, {}, say=print, stop=Event())
"""


@contextmanager
def agent(asked: list[str]) -> Iterator[str]:
    """The node's, which exchanges the token of a service account for keys."""

    class Agent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            known = asked[-1] == TOKEN
            body = json.dumps(CREDENTIALS).encode() if known else b""
            self.send_response(200 if known else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("token", [TOKEN, "of-nobody"])
def test_a_sidecar_without_keys_opens_a_store_by_what_its_service_account_is(
    store: ObjectStore, bucket: str, tmp_path: Path, token: str
) -> None:
    store.put(bucket, {"in/a": b"a"})
    (tmp_path / "token").write_text(token)
    asked: list[str] = []
    with agent(asked) as url:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/core/python")]),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL": store.url,
        }
        done = subprocess.run(
            [sys.executable, "-c", SIDECAR, f"s3://{bucket}/in", str(tmp_path / "data")],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    assert asked, done.stderr[-3000:]
    if token == TOKEN:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "data/0/a").read_bytes() == b"a"
    else:
        assert "TransferFailed" in done.stderr
        assert TOKEN not in done.stderr
