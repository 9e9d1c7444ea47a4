"""Reaching into a running task: a command in its container, or TCP connections to its ports.

    async with attached(login, grant) as line:
        code = await run_command(line, ["sh", "-c", "nvidia-smi"], out=..., err=...)

Bytes arrive once and in order, over cuts of the network and API Gateway's two hours
(`xylem.protocol.channels`). What is broken for good is `SessionBroken`, with the service's code.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

from clients.sdk.errors import ClientError
from clients.sdk.login import Login
from clients.sdk.models import SessionGrant
from operators.shared.clock import now
from operators.shared.session_io import ChannelOver, SessionLine
from xylem.protocol.attachment import SessionSide
from xylem.protocol.channels import Broken, Bytes, Exited, Finished, Reset
from xylem.protocol.dialling import ROTATE_AFTER

READ_BYTES = 64 * 1024


class Source(Protocol):
    """Where bytes come from: an `asyncio.StreamReader`, or what reads like one."""

    async def read(self, n: int) -> bytes:
        """At most so many, none at the end."""
        ...


LEAVE_SECONDS = 5.0


class SessionBroken(ClientError):
    """It ended before what was wanted of it did."""


@dataclass(frozen=True, slots=True)
class Size:
    rows: int
    cols: int


@asynccontextmanager
async def attached(
    login: Login, grant: SessionGrant, *, rotate_after: timedelta = ROTATE_AFTER
) -> AsyncIterator[SessionLine]:
    """A session with its sockets, until the block is left. `rotate_after`: how old a socket gets
    before another takes its place."""
    side = SessionSide(
        grant.session,
        "client",
        grant.token,
        uuid4().hex,
        random=random.random,
        now=now(),
        rotate_after=rotate_after,
    )
    line = SessionLine(grant.websocket_url, lambda: _headers(login), side, agent="xylem")
    pumping = asyncio.create_task(line.run())
    try:
        yield line
        await _said(line)
    finally:
        line.leave("exited")
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await pumping
        except TimeoutError:
            pumping.cancel()


async def run_command(
    line: SessionLine,
    command: Sequence[str],
    *,
    out: Callable[[bytes], None],
    err: Callable[[bytes], None],
    source: Source | None = None,
    tty: Size | None = None,
    resized: Callable[[Callable[[Size], None]], None] | None = None,
) -> int:
    """The command's exit code. `source`: its standard input; None: there is none. `resized` is told
    whom to tell of a new size of the terminal. Raises `SessionBroken`."""
    what: dict[str, object] = {"kind": "exec", "command": list(command), "tty": tty is not None}
    what["stdin"] = source is not None
    if tty is not None:
        what |= {"rows": tty.rows, "cols": tty.cols}
    channel = opened(line, what)
    if resized is not None:
        resized(lambda size: line.signal(channel, "resize", _size(size)))
    sending = asyncio.create_task(_send(line, channel, source)) if source else None
    try:
        async for event in line.events(channel):
            match event:
                case Bytes(data=data, err=is_err):
                    (err if is_err else out)(data)
                    line.consumed(channel, data)
                case Exited(how=how):
                    return _code(how)
                case Reset(why=why):
                    raise SessionBroken(f"the command did not run: {why.decode(errors='replace')}")
                case Broken(why=why):
                    raise SessionBroken(f"the session ended: {why}")
                case _:
                    pass
    finally:
        if sending is not None:
            sending.cancel()
    raise SessionBroken("the session ended")


async def forward(
    line: SessionLine, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One TCP connection of this machine to a port of the task. Raises `SessionBroken` when the
    session is over; of a connection that failed in the pod the writer is just closed."""
    await carry(line, {"kind": "tcp", "port": port}, reader, writer)


async def carry(
    line: SessionLine,
    what: Mapping[str, object],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    err: Callable[[bytes], object] = len,
) -> str:
    """A local stream and a channel, each what the other is; why it ended, where it did not end
    well. Raises `SessionBroken`."""
    channel = opened(line, what)
    sending = asyncio.create_task(_send(line, channel, reader))
    try:
        async for event in line.events(channel):
            match event:
                case Bytes(data=data, err=is_err):
                    if is_err:
                        err(data)
                    else:
                        writer.write(data)
                        await writer.drain()
                    line.consumed(channel, data)
                case Broken(why=why):
                    raise SessionBroken(f"the session ended: {why}")
                case Reset(why=reason):
                    return reason.decode(errors="replace")
                case Exited(how=how):
                    return str(json.loads(how).get("message", ""))
                case Finished() if writer.can_write_eof():
                    writer.write_eof()
                case _:
                    pass
    except (ConnectionError, BrokenPipeError):
        line.reset(channel, "the local connection is gone")
    finally:
        sending.cancel()
        writer.close()
    return ""


async def _send(line: SessionLine, channel: int, source: Source) -> None:
    try:
        while data := await source.read(READ_BYTES):
            await line.write(channel, data)
        line.finish(channel)
    except ConnectionError:
        line.reset(channel, "the local connection is gone")
    except ChannelOver:
        return


async def _said(line: SessionLine) -> None:
    """What was said last arrives before the session is left: acknowledgements of ends."""
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await line.settled()
    except TimeoutError:
        return


def opened(line: SessionLine, what: Mapping[str, object]) -> int:
    try:
        return line.open(json.dumps(what).encode())
    except ChannelOver as over:
        raise SessionBroken(str(over)) from None


def _size(size: Size) -> bytes:
    return json.dumps({"rows": size.rows, "cols": size.cols}).encode()


def _code(how: bytes) -> int:
    """Raises `SessionBroken` where the command did not run."""
    said = json.loads(how)
    if said.get("code") is None:
        raise SessionBroken(f"the command did not run: {said.get('message', '')}")
    return int(said["code"])


def _headers(login: Login) -> dict[str, str]:
    if login.token is not None:
        return {"Authorization": f"Bearer {login.token}"}
    return {"x-osmo-user": login.user or "", "Authorization": "none"}
