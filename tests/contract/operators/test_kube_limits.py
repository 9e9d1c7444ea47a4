"""What the client makes of an API server's "too many requests"."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from operators.shared.kube import MOST_RETRY_SECONDS, RETRY_SECONDS, Kube
from operators.shared.resources import POD, Throttled


class Busy(BaseHTTPRequestHandler):
    """The name that is asked for is the Retry-After that is answered."""

    def do_GET(self) -> None:
        asked = self.path.rpartition("/")[2]
        body = json.dumps({"kind": "Status", "code": 429, "message": "too many requests"}).encode()
        self.send_response(429)
        if asked != "none":
            self.send_header("Retry-After", asked)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[Kube]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "u", "user": {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    try:
        yield Kube(namespace="xylem", kubeconfig=str(path), connections=1)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("none", RETRY_SECONDS), ("soon", RETRY_SECONDS), ("86400", MOST_RETRY_SECONDS)],
)
def test_a_busy_server_says_for_how_long_to_leave_it_alone(
    kube: Kube, said: str, seconds: float
) -> None:
    with pytest.raises(Throttled, match="too many requests") as busy:
        kube.read(POD, said)

    assert busy.value.after == seconds
