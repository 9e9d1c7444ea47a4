"""Streams of the Kubernetes API over WebSocket: `exec` and `portforward` of a pod.

One message is one byte that says which channel, and bytes of it. Of `exec`: 0 stdin, 1 stdout,
2 stderr, 3 a Status at the end, 4 sizes of the terminal; 255 ends a channel, from protocol v5 on:
with v4 a command's input never ends. Of `portforward`: 0 is data and 1 is what went wrong, and each
begins with the port in two bytes.

Sources: KEP 4006 (github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/
4006-transition-spdy-to-websockets); k8s.io/apimachinery/pkg/util/remotecommand/constants.go;
k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go.
"""

import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from operators.shared.kube import Kube
from operators.shared.resources import Json, Refused, Unreachable

Stream = ClientConnection
StreamClosed = ConnectionClosed
V5, V4 = Subprotocol("v5.channel.k8s.io"), Subprotocol("v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
CLOSE = 255

OPEN_SECONDS = 15
MESSAGE_BYTES = 4 * 1024 * 1024
"""The API server passes on what a kubelet read at once: 32 KB, and a margin."""


@asynccontextmanager
async def exec_in(
    kube: Kube, pod: str, container: str, command: Sequence[str], *, tty: bool, stdin: bool
) -> AsyncIterator[ClientConnection]:
    """Raises `Refused`, `Unreachable`."""
    asked = [
        ("container", container),
        *(("command", part) for part in command),
        ("stdin", _word(stdin)),
        ("stdout", "true"),
        ("stderr", _word(not tty)),
        ("tty", _word(tty)),
    ]
    async with _stream(kube, pod, "exec", asked) as peer:
        yield peer


@asynccontextmanager
async def forward_to(kube: Kube, pod: str, port: int) -> AsyncIterator[ClientConnection]:
    """Raises `Refused`, `Unreachable`."""
    async with _stream(kube, pod, "portforward", [("ports", str(port))]) as peer:
        yield peer


def ends_input(peer: ClientConnection) -> bool:
    """Whether it can be said that a command's input has ended."""
    return peer.subprotocol == V5


def exit_code(status: Json) -> tuple[int | None, str]:
    """Of the Status on channel 3: the command's code, or None and why there is none."""
    if status.get("status") == "Success":
        return 0, ""
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdecimal():
            return int(cause["message"]), ""
    return None, str(status.get("message") or "the command did not run")


@asynccontextmanager
async def _stream(
    kube: Kube, pod: str, what: str, asked: Sequence[tuple[str, str]]
) -> AsyncIterator[ClientConnection]:
    path = f"/api/v1/namespaces/{quote(kube.namespace)}/pods/{quote(pod)}/{what}"
    address, headers, secure = kube.stream(f"{path}?{urlencode(asked)}")
    try:
        peer = await connect(
            address,
            additional_headers=headers,
            subprotocols=[V5, V4] if what == "exec" else [V4],
            ssl=secure,
            open_timeout=OPEN_SECONDS,
            ping_interval=None,
            max_size=MESSAGE_BYTES,
            compression=None,
            proxy=None,
        )
    except InvalidStatus as refused:
        code = refused.response.status_code
        said = _message(refused.response.body)
        if code in {401, 429} or code >= 500:
            raise Unreachable(f"HTTP {code}: {said}") from None
        raise Refused(code, said) from None
    except (OSError, TimeoutError, WebSocketException, ssl.SSLError) as error:
        raise Unreachable(f"{what} of {pod}: {error}") from error
    try:
        yield peer
    finally:
        await peer.close()


def _word(flag: bool) -> str:
    return "true" if flag else "false"


def _message(body: bytes | bytearray | None) -> str:
    try:
        return str(json.loads(body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        return (body or b"").decode(errors="replace")[:300]
