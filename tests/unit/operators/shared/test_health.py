"""Probes and Prometheus are answered, and nobody else."""

import asyncio

import pytest

from operators.shared.health import serve_health


async def asked(request: bytes, *, ready: bool) -> bytes:
    server = await serve_health("127.0.0.1", 0, lambda: ready, lambda: b"counted 1\n")
    try:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer
    finally:
        server.close()


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        ("/healthz", False, b"200"),
        ("/readyz", True, b"200"),
        ("/readyz", False, b"503"),
        ("/metrics", False, b"200"),
        ("/secrets", True, b"404"),
    ],
)
def test_probes_are_answered(path: str, ready: bool, status: bytes) -> None:
    answer = asyncio.run(asked(f"GET {path} HTTP/1.1\r\n\r\n".encode(), ready=ready))

    assert answer.split()[1] == status


def test_a_request_that_is_none_is_answered_all_the_same() -> None:
    assert asyncio.run(asked(b"\r\n", ready=True)).startswith(b"HTTP/1.1 404")
