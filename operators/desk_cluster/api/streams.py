"""`exec` and `portforward` of a pod: a WebSocket at one end, a process or a port at the other.

Before the socket is accepted a refusal is an HTTP answer with a Status, as for any other request;
afterwards it travels on the error channel. kubectl's own port-forward speaks SPDY inside its
WebSocket and is refused; its exec, and both of the official client, are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from typing import TYPE_CHECKING, Protocol

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from operators.desk_cluster.api import channels
from operators.desk_cluster.api.channels import Closed, Data
from operators.desk_cluster.errors import ApiError, BadRequest, NotFound
from operators.desk_cluster.kinds import PODS
from operators.desk_cluster.kubelet.commands import Command, read_some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.desk_cluster.api.paths import Target
    from operators.desk_cluster.objects import Json
    from operators.desk_cluster.registry import Registry

_CHUNK = 32_768


class Containers(Protocol):
    """What the kubelet does with a container that runs."""

    async def execute(
        self, pod: Json, container: str, words: Sequence[str], *, terminal: bool
    ) -> Command: ...

    async def connect(
        self, pod: Json, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


async def refuse(socket: WebSocket, error: ApiError) -> None:
    await socket.send_denial_response(JSONResponse(error.status(), status_code=error.code))


async def serve(socket: WebSocket, target: Target, registry: Registry, kubelet: Containers) -> None:
    """Raises ApiError as long as the socket was not accepted."""
    pod = registry.get(PODS, target.namespace, target.name)
    match target.subresource:
        case "exec":
            await _execute(socket, pod, kubelet)
        case "portforward":
            await _forward(socket, pod, kubelet)
        case _:
            raise NotFound("the server could not find the requested resource")


def _protocol(socket: WebSocket, *known: str) -> str:
    offered = socket.scope.get("subprotocols") or ()
    found = channels.chosen(offered, known)
    if found is None:
        listed = ", ".join(known)
        raise BadRequest(f"none of the protocols {list(offered)} is known here; ask for {listed}")
    return found


# ---- exec


async def _execute(socket: WebSocket, pod: Json, kubelet: Containers) -> None:
    protocol = _protocol(socket, channels.V5, channels.V4)
    query = socket.query_params
    words, asked = query.getlist("command"), set(filter(lambda name: _flag(query.get(name)), query))
    if not words:
        raise BadRequest("you must specify at least 1 command to execute")
    if not asked & {"stdin", "stdout", "stderr"}:
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    terminal = "tty" in asked
    command = await kubelet.execute(pod, query.get("container", ""), words, terminal=terminal)
    try:
        await socket.accept(subprotocol=protocol)
        if "stdin" not in asked:
            command.end_input()
        heard = asyncio.ensure_future(_hear(socket, command, protocol))
        said = asyncio.ensure_future(_say(socket, command, asked))
        await asyncio.wait((heard, said), return_when=asyncio.FIRST_COMPLETED)
        for task in (heard, said):
            task.cancel()
        for task in (heard, said):
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
                await task
    finally:
        command.close()


async def _hear(socket: WebSocket, command: Command, protocol: str) -> None:
    """Until the client leaves."""
    while (message := await _received(socket)) is not None:
        match channels.parse(message, protocol):
            case Data(channels.STDIN, content):
                await command.write(content)
            case Data(channels.RESIZE, content):
                if (size := channels.size(content)) is not None:
                    command.resize(*size)
            case Closed(channels.STDIN):
                command.end_input()


async def _say(socket: WebSocket, command: Command, asked: set[str]) -> None:
    """Until everything that the command printed was sent, and how it ended."""
    numbers = {"stdout": channels.STDOUT, "stderr": channels.STDERR}

    async def copy(name: str, stream: asyncio.StreamReader) -> None:
        while content := await read_some(stream):
            if name in asked:
                await socket.send_bytes(channels.render(numbers[name], content))

    await asyncio.gather(*(copy(*each) for each in command.outputs.items()))
    status = json.dumps(channels.verdict(await command.finished())).encode()
    await socket.send_bytes(channels.render(channels.ERROR, status))
    await socket.close()


# ---- port-forward


async def _forward(socket: WebSocket, pod: Json, kubelet: Containers) -> None:
    protocol = _protocol(socket, channels.V4)
    listed = [text for each in socket.query_params.getlist("ports") for text in each.split(",")]
    if not listed or not all(text.isdecimal() and 0 < int(text) < 65536 for text in listed):
        raise BadRequest('query parameter "ports" is a list of ports, each from 1 to 65535')
    ports = [int(text) for text in listed]
    await socket.accept(subprotocol=protocol)
    writers: dict[int, asyncio.StreamWriter] = {}
    copies: list[asyncio.Task[None]] = []
    try:
        for place, port in enumerate(ports):
            # Two channels for each port, data and errors; both begin with its number.
            number = struct.pack("<H", port)
            for channel in (2 * place, 2 * place + 1):
                await socket.send_bytes(channels.render(channel, number))
        for place, port in enumerate(ports):
            try:
                reader, writers[2 * place] = await kubelet.connect(pod, port)
            except (OSError, ApiError) as error:
                text = f"error forwarding port {port} to pod {pod['metadata']['name']}: {error}"
                await socket.send_bytes(channels.render(2 * place + 1, text.encode()))
                continue
            copies.append(asyncio.create_task(_copy(socket, reader, 2 * place)))
        await _until_over(socket, writers, copies, protocol)
    finally:
        for task in copies:
            task.cancel()
        for writer in writers.values():
            writer.close()


async def _until_over(
    socket: WebSocket,
    writers: dict[int, asyncio.StreamWriter],
    copies: list[asyncio.Task[None]],
    protocol: str,
) -> None:
    """Until the client leaves, or every port has said its last."""

    async def hear() -> None:
        while (message := await _received(socket)) is not None:
            match channels.parse(message, protocol):
                case Data(channel, content) if channel in writers:
                    with contextlib.suppress(OSError):
                        writers[channel].write(content)
                        await writers[channel].drain()

    async def all_copied() -> None:
        await asyncio.gather(*copies)
        await socket.close()

    tasks = (asyncio.ensure_future(hear()), asyncio.ensure_future(all_copied()))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
            await task


async def _copy(socket: WebSocket, reader: asyncio.StreamReader, channel: int) -> None:
    with contextlib.suppress(OSError, WebSocketDisconnect):
        while content := await reader.read(_CHUNK):
            await socket.send_bytes(channels.render(channel, content))


async def _received(socket: WebSocket) -> bytes | None:
    """The next message; None when the client has left. The official client sends text as text."""
    message = await socket.receive()
    if message["type"] != "websocket.receive":
        return None
    content: bytes | None = message.get("bytes")
    return content if content is not None else str(message.get("text") or "").encode()


def _flag(text: str | None) -> bool:
    return text in ("1", "true", "True")
