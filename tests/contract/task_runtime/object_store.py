"""The embedded AWS's S3 behind a door that knows one access key, and may cut answers short."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.contract.embedded_aws.server import EmbeddedAws

REFUSED = b"<Error><Code>InvalidAccessKeyId</Code><Message>unknown key</Message></Error>"
KEY_ID = "the-right-key"
SECRET = "the-secret-of-the-right-key"


class ObjectStore:
    """`cuts`: how many answers to a GET of an object end in the middle; `asked` has the range of
    each."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.s3: Any = aws.client("s3")
        self.cuts = 0
        self.asked: list[str | None] = []
        self.together = 0
        self.most_together = 0
        self.lock = threading.Lock()
        self.url = ""
        self.upstream = ("127.0.0.1", aws.port)

    def keys(self, **other: str) -> dict[str, str]:
        """As `manifests.stores` writes them."""
        return {
            "access_key_id": KEY_ID,
            "access_key": SECRET,
            "override_url": self.url,
            "addressing_style": "path",
            **other,
        }

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        self.s3.create_bucket(Bucket=bucket)
        for key, body in objects.items():
            self.s3.put_object(Bucket=bucket, Key=key, Body=body)

    def content(self, bucket: str) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            one["Key"]: self.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            for one in listed
        }


def _door(store: ObjectStore) -> type[BaseHTTPRequestHandler]:
    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if f"Credential={KEY_ID}/" not in self.headers.get("Authorization", ""):
                self._say(403, {"Content-Type": "application/xml"}, REFUSED)
                return
            with store.lock:
                store.together += 1
                store.most_together = max(store.together, store.most_together)
            try:
                self._forward(body)
            finally:
                with store.lock:
                    store.together -= 1

        def _forward(self, body: bytes) -> None:
            upstream = http.client.HTTPConnection(*store.upstream, timeout=30)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
            headers = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}
            }
            of_object = self.command == "GET" and "list-type" not in self.path
            cut = False
            if of_object and answer.status in (200, 206):
                with store.lock:
                    store.asked.append(self.headers.get("Range"))
                    cut = store.cuts > 0
                    store.cuts -= 1 if cut else 0
            size = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self._say(answer.status, headers, content, cut=cut, size=size)
            upstream.close()

        def _say(
            self,
            status: int,
            headers: dict[str, str],
            content: bytes,
            *,
            cut: bool = False,
            size: str | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", size or str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    return Door


@contextmanager
def open_door(store: ObjectStore) -> Iterator[ObjectStore]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _door(store))
    server.daemon_threads = True
    store.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
