"""The program itself in a terminal of its own, before the real Core Service on a loopback port."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.clients.cli.service_world import ServiceWorld

ROOT = Path(__file__).parents[4]
PROGRAM = (sys.executable, "-m", "clients.cli")


def nothing(request: httpx.Request) -> httpx.Response | None:
    return None


@contextmanager
def served(
    world: ServiceWorld, instead: Callable[[httpx.Request], httpx.Response | None] = nothing
) -> Iterator[str]:
    """Its URL. `instead` answers what another part of the service would: logs."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            url = f"http://127.0.0.1{self.path}"
            request = httpx.Request(
                self.command, url, headers=dict(self.headers), content=self.rfile.read(length)
            )
            with lock:
                answer = instead(request) or world.handle_request(request)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def in_a_terminal(
    url: str,
    home: Path,
    *arguments: str,
    lines: int = 24,
    columns: int = 80,
    interrupt_at: bytes | None = None,
) -> tuple[int, bytes]:
    """Its exit code, and all that it drew. `interrupt_at`: Ctrl-C is pressed when this was seen."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    program = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=ROOT,
        env=environment(url, home),
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    drawn = b""
    pressed = False
    try:
        while part := _read(ours):
            drawn += part
            if interrupt_at is not None and interrupt_at in drawn and not pressed:
                pressed = True
                program.send_signal(signal.SIGINT)
        return program.wait(timeout=60), drawn
    finally:
        program.kill()
        program.wait()
        os.close(ours)


def environment(url: str, home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {
        **kept,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "XYLEM_URL": url,
        "XYLEM_USER": "root",
        "XYLEM_POOL": "default",
        "XYLEM_CONFIG_DIR": str(home / "config"),
        "XYLEM_CACHE_DIR": str(home / "cache"),
    }


def _read(file: int) -> bytes:
    """Empty when the program has closed its side, which Linux says as EIO."""
    try:
        return os.read(file, 65536)
    except OSError:
        return b""
