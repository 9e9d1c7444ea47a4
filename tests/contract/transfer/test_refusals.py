"""What a store refuses, in words that say what to change: each answer as S3 gives it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from operators.shared.files import TransferFailed
from operators.shared.object_stores import Access, Remote

SECRET = "the-secret-of-the-key"


def an_error(code: str, message: str = "no") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


@contextmanager
def a_store_that_answers(status: int, body: bytes) -> Iterator[str]:
    class Store(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (301, an_error("PermanentRedirect"), "in another region: say which"),
        (400, an_error("AuthorizationHeaderMalformed"), "in another region: say which"),
        (403, an_error("AccessDenied"), "refuses access with the keys of your DATA credential"),
        (403, an_error("SignatureDoesNotMatch"), "refuses access with the keys"),
        (401, an_error("Unauthorized"), "refuses access with the keys"),
        (404, an_error("NoSuchBucket"), "there is no such bucket or object"),
        (400, an_error("InvalidArgument", SECRET), "InvalidArgument"),
    ],
)
@pytest.mark.parametrize("access", ["READ", "WRITE"])
def test_a_refusal_says_what_to_change_and_never_a_key(
    status: int, body: bytes, says: str, access: Access
) -> None:
    with (
        a_store_that_answers(status, body) as url,
        pytest.raises(TransferFailed, match=says) as refused,
    ):
        _remote(url).check(access)

    assert "s3://bucket/in" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_nothing_of_a_file_that_is_refused_is_begun(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 20_000_000)

    with (
        a_store_that_answers(403, an_error("AccessDenied")) as url,
        pytest.raises(TransferFailed, match="refuses access"),
    ):
        _remote(url).put(str(tmp_path / "large"), "large")


def _remote(url: str) -> Remote:
    keys = {
        "access_key_id": "the-key",
        "access_key": SECRET,
        "override_url": url,
        "addressing_style": "path",
    }
    return Remote("s3://bucket/in", {"s3://bucket": keys})
