"""/healthz and /readyz, for a kubelet's probes: a few lines of HTTP, because that is all of it.

`healthz` fails when the event loop no longer answers; `readyz` is what the operator says of itself.
"""

import asyncio
from collections.abc import Callable

REQUEST_SECONDS = 5
LINE_LIMIT = 4096


async def serve_health(host: str, port: int, is_ready: Callable[[], bool]) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                line = await reader.readline()
                writer.write(_answer(line.split(), is_ready))
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=LINE_LIMIT)


def _answer(request: list[bytes], is_ready: Callable[[], bool]) -> bytes:
    match request:
        case [b"GET", b"/healthz", *_]:
            status, body = b"200 OK", b"ok\n"
        case [b"GET", b"/readyz", *_] if is_ready():
            status, body = b"200 OK", b"ready\n"
        case [b"GET", b"/readyz", *_]:
            status, body = b"503 Service Unavailable", b"not ready\n"
        case _:
            status, body = b"404 Not Found", b"there are /healthz and /readyz\n"
    length = str(len(body)).encode()
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    return head + b"Content-Length: " + length + b"\r\n\r\n" + body
