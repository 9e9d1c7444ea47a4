"""The operator's end of sessions: who was let in by the service reaches a container or a port of
one pod, through the Kubernetes API.

    invite ─▶ a socket of its own ─▶ attach ─▶ channels:
        {"kind": "exec", "command": [...], "tty": true, "rows": 24, "cols": 80}
        {"kind": "tcp", "port": 8888}
        {"kind": "udp", "port": 5353}
        {"kind": "rsync"}

The last two are programs of the Task Runtime, run beside its sidecar: which, and where, is decided
here and not by who asks. The pod is that of the attempt which the invite names, looked up by its
labels for each channel: a retry is another pod, and is never entered through this session. A
command ends with its exit code; a TCP connection ends when the pod ends it (the API's port-forward
knows no half-close towards the pod). A process of the operator that is gone has ended its sessions:
nothing is run twice.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from operators.shared.clock import now
from operators.shared.kube import Kube
from operators.shared.kube_streams import (
    CLOSE,
    RESIZE,
    STATUS,
    STDERR,
    STDIN,
    STDOUT,
    Stream,
    StreamClosed,
    ends_input,
    exec_in,
    exit_code,
    forward_to,
)
from operators.shared.resources import POD, Json, KubeError
from operators.shared.session_io import ChannelOver, SessionLine
from xylem.domain.pool_book import CTRL_CONTAINER
from xylem.manifests.names import GROUP_LABEL, INCARNATION, RETRY, TASK, container_name
from xylem.manifests.runtime import RSYNC_IN_IMAGE, UDP_IN_IMAGE
from xylem.protocol.agent import Invite
from xylem.protocol.attachment import SessionSide
from xylem.protocol.channels import CHANNELS, Bytes, Finished, Opened, Signalled

log = logging.getLogger(__name__)

MOST_SESSIONS = 200
ARGUMENTS = 1_000
PORT = Annotated[int, Field(ge=1, le=65535)]


class _Words(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Exec(_Words):
    kind: Literal["exec"]
    command: Annotated[list[str], Field(min_length=1, max_length=ARGUMENTS)]
    tty: bool = False
    stdin: bool = True
    rows: Annotated[int, Field(ge=1, le=10_000)] = 24
    cols: Annotated[int, Field(ge=1, le=10_000)] = 80


class Tcp(_Words):
    kind: Literal["tcp"]
    port: PORT


class Udp(_Words):
    kind: Literal["udp"]
    port: PORT


class Rsync(_Words):
    kind: Literal["rsync"]


What = Exec | Tcp | Udp | Rsync
_what: TypeAdapter[What] = TypeAdapter(Annotated[What, Field(discriminator="kind")])


class Entrances:
    """All sessions of this operator. `start` runs a coroutine beside the others."""

    def __init__(
        self,
        kube: Kube,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        dice: Callable[[], float],
    ) -> None:
        self._kube = kube
        self._url = url
        self._headers = headers
        self._dice = dice
        self._nonce = uuid4().hex
        self._open: set[str] = set()

    async def enter(self, invite: Invite) -> None:
        """Returns when the session is over; at once for one that is there already."""
        if invite.sid in self._open or len(self._open) >= MOST_SESSIONS:
            return
        self._open.add(invite.sid)
        facts = {"session": invite.sid, "workflow": invite.workflow, "task": invite.task}
        log.info("session", extra={"facts": {**facts, "purpose": invite.purpose}})
        try:
            over = await self._serve(invite)
        except Exception:  # one session that fails must not end the others
            log.exception("session failed", extra={"facts": facts})
        else:
            log.info("session over", extra={"facts": {**facts, "why": over}})
        finally:
            self._open.discard(invite.sid)

    async def _serve(self, invite: Invite) -> str:
        side = SessionSide(
            invite.sid, "operator", invite.token, self._nonce, random=self._dice, now=now()
        )
        line = SessionLine(self._url, self._headers, side)
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(line.run())
            serving = group.create_task(self._channels(line, invite))
            over = await line.over
            serving.cancel()
            await pumping
        return over.code

    async def _channels(self, line: SessionLine, invite: Invite) -> None:
        """Who opens and resets without end is served no more at a time than who does not."""
        slots = asyncio.Semaphore(CHANNELS)
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                opened = await line.next_opened()
                serving = group.create_task(self._channel(line, invite, opened))
                serving.add_done_callback(lambda _: slots.release())

    async def _channel(self, line: SessionLine, invite: Invite, opened: Opened) -> None:
        channel = opened.channel
        try:
            what = _what.validate_json(opened.what)
            pod = await asyncio.to_thread(self._pod, invite)
            match what:
                case Exec():
                    await self._exec(line, channel, what, pod, container_name(invite.task))
                case Tcp(port=port):
                    await self._tcp(line, channel, port, pod)
                case Udp(port=port):
                    await self._run(line, channel, [UDP_IN_IMAGE, str(port)], pod)
                case Rsync():
                    await self._run(line, channel, [RSYNC_IN_IMAGE], pod)
        except ValidationError as error:
            line.reset(channel, f"not understood: {error.errors(include_url=False)[0]['msg']}")
        except (KubeError, StreamClosed, OSError) as error:
            line.reset(channel, str(error))
        except ChannelOver:
            line.reset(channel, "")

    def _pod(self, invite: Invite) -> str:
        """Raises `KubeError`; a pod that is not there is not there for good."""
        page = self._kube.page(POD, f"{GROUP_LABEL}={invite.group}")
        for pod in page.items:
            if _is_of(pod, invite):
                return str(pod["metadata"]["name"])
        raise KubeError("the task's pod is gone")

    async def _exec(
        self, line: SessionLine, channel: int, what: Exec, pod: str, container: str
    ) -> None:
        async with exec_in(
            self._kube, pod, container, what.command, tty=what.tty, stdin=what.stdin
        ) as peer:
            if what.tty:
                await peer.send(bytes([RESIZE]) + _size(what.rows, what.cols))
            reading = asyncio.create_task(_to_the_pod(line, channel, peer))
            try:
                how = await _from_the_pod(line, channel, peer)
            finally:
                reading.cancel()
        line.exit(channel, json.dumps(how).encode())

    async def _run(self, line: SessionLine, channel: int, command: list[str], pod: str) -> None:
        """A program of ours, beside the sidecar."""
        await self._exec(line, channel, Exec(kind="exec", command=command), pod, CTRL_CONTAINER)

    async def _tcp(self, line: SessionLine, channel: int, port: int, pod: str) -> None:
        async with forward_to(self._kube, pod, port) as peer:
            reading = asyncio.create_task(_to_the_port(line, channel, peer))
            try:
                await _from_the_port(line, channel, peer)
            finally:
                reading.cancel()
        line.exit(channel, b"{}")


async def _to_the_pod(line: SessionLine, channel: int, peer: Stream) -> None:
    async for event in line.events(channel):
        match event:
            case Bytes(data=data):
                await peer.send(bytes([STDIN]) + data)
                line.consumed(channel, data)
            case Finished() if ends_input(peer):
                await peer.send(bytes([CLOSE, STDIN]))
            case Signalled(kind="resize", data=data):
                size = json.loads(data)
                await peer.send(bytes([RESIZE]) + _size(int(size["rows"]), int(size["cols"])))
            case _:
                pass
    await peer.close()


async def _from_the_pod(line: SessionLine, channel: int, peer: Stream) -> Json:
    """How the command ended."""
    status: Json | None = None
    async for message in peer:
        raw = message if isinstance(message, bytes) else message.encode()
        which, data = (raw[0], raw[1:]) if raw else (CLOSE, b"")
        if which in (STDOUT, STDERR) and data:
            await line.write(channel, data, err=which == STDERR)
        elif which == STATUS and data:
            status = json.loads(data)
    if status is None:
        return {"code": None, "message": "the connection to the pod broke"}
    code, message = exit_code(status)
    return {"code": code, "message": message}


async def _to_the_port(line: SessionLine, channel: int, peer: Stream) -> None:
    async for event in line.events(channel):
        if isinstance(event, Bytes):
            await peer.send(b"\0" + event.data)
            line.consumed(channel, event.data)
    await peer.close()


async def _from_the_port(line: SessionLine, channel: int, peer: Stream) -> None:
    begun: set[int] = set()
    async for message in peer:
        raw = message if isinstance(message, bytes) else message.encode()
        which, data = (raw[0], raw[1:]) if raw else (CLOSE, b"")
        if which not in begun and which in (0, 1):
            begun.add(which)
            data = data[2:]
        if which == 0 and data:
            await line.write(channel, data)
        elif which == 1 and data:
            raise ConnectionResetError(data.decode(errors="replace")[:500])


def _size(rows: int, cols: int) -> bytes:
    return json.dumps({"Width": cols, "Height": rows}).encode()


def _is_of(pod: Json, invite: Invite) -> bool:
    notes = pod["metadata"].get("annotations") or {}
    return (notes.get(TASK), notes.get(RETRY), notes.get(INCARNATION)) == (
        invite.task,
        str(invite.retry),
        str(invite.incarnation),
    )
