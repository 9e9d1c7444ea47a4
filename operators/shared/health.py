"""/healthz and /readyz for a kubelet's probes, /metrics for Prometheus: a few lines of HTTP,
because that is all of it.

`healthz` fails when the event loop no longer answers; `readyz` is what the operator says of itself.
"""

import asyncio
from collections.abc import Callable

from operators.shared.metrics import CONTENT_TYPE

REQUEST_SECONDS = 5
LINE_LIMIT = 4096


TEXT = "text/plain"


async def serve_health(
    host: str, port: int, is_ready: Callable[[], bool], metrics: Callable[[], bytes]
) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                line = await reader.readline()
                writer.write(_answer(line.split(), is_ready, metrics))
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=LINE_LIMIT)


def _answer(
    request: list[bytes], is_ready: Callable[[], bool], metrics: Callable[[], bytes]
) -> bytes:
    type_ = TEXT
    match request:
        case [b"GET", b"/healthz", *_]:
            status, body = b"200 OK", b"ok\n"
        case [b"GET", b"/readyz", *_] if is_ready():
            status, body = b"200 OK", b"ready\n"
        case [b"GET", b"/readyz", *_]:
            status, body = b"503 Service Unavailable", b"not ready\n"
        case [b"GET", b"/metrics", *_]:
            status, body, type_ = b"200 OK", metrics(), CONTENT_TYPE
        case _:
            status, body = b"404 Not Found", b"there are /healthz, /readyz and /metrics\n"
    fields = f"Content-Type: {type_}\r\nConnection: close\r\nContent-Length: {len(body)}"
    return b"HTTP/1.1 " + status + b"\r\n" + fields.encode() + b"\r\n\r\n" + body
