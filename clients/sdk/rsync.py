"""Files of this machine into a running task, and back: `operators.shared.tree_sync` over a
channel.

What blocks runs in a thread, behind a pair of sockets: one end is the thread's, the other is
carried over the session as a TCP connection would be. When the session breaks the thread meets the
end of its stream, and what has arrived is gone on with in another session.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from clients.sdk.errors import BadInput, ClientError
from clients.sdk.sessions import SessionBroken, carry
from operators.shared.session_io import SessionLine
from operators.shared.tree_sync import (
    Note,
    Outcome,
    Refused,
    SyncBroken,
    Wire,
    Writable,
    receive,
    send,
)
from operators.shared.trees import PathRefused, Tree

WORKSPACE = "/osmo/run/workspace"

Work = Callable[[Wire], Outcome]


class RsyncFailed(ClientError):
    """The other end said no, or is no end of it; again would not help."""


async def upload(
    line: SessionLine, local: str, remote: str, note: Note, *, rate: int | None = None
) -> Outcome:
    """A file or folder of this machine into a folder of the task; with a `/` at its end what is in
    it. `rate`: bytes in a second at the most. Raises `SessionBroken`, `RsyncFailed`, `BadInput`."""
    base, name = apart(local)

    def work(wire: Wire) -> Outcome:
        with Tree(base) as tree:
            return send(wire, tree, name, note)

    return await _synced(line, {"do": "upload", "path": remote}, work, rate)


async def download(line: SessionLine, remote: str, local: str, note: Note) -> Outcome:
    """A file or folder of the task into a folder of this machine; as in `upload`."""

    def work(wire: Wire) -> Outcome:
        folder = Path(local)
        folder.mkdir(parents=True, exist_ok=True)
        with Tree(str(folder.resolve())) as tree:
            return receive(wire, tree, note)

    return await _synced(line, {"do": "download", "path": remote}, work, None)


def apart(local: str) -> tuple[str, str]:
    """The folder that it is in, and its name there; none for what is in it. Raises `BadInput`."""
    if not os.path.lexists(local):
        raise BadInput(f"{local}: there is no such file or folder")
    parent, _, name = local.rpartition("/")
    if name in {"", ".", ".."}:
        return os.path.realpath(local), ""
    return os.path.realpath(parent or ("/" if local.startswith("/") else ".")), name


async def _synced(
    line: SessionLine, request: Mapping[str, str], work: Work, rate: int | None
) -> Outcome:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)

    def blocking() -> Outcome:
        with theirs, theirs.makefile("rb") as source:
            sink = theirs.makefile("wb")
            try:
                wire = Wire(source, sink if rate is None else _Slow(sink, rate))
                wire.say(dict(request))
                wire.flush()
                wire.hear()
                return work(wire)
            finally:
                with contextlib.suppress(OSError):  # what was not sent is of no use any more
                    sink.close()

    complaints = bytearray()
    working = asyncio.create_task(asyncio.to_thread(blocking))
    try:
        why = await carry(line, {"kind": "rsync"}, reader, writer, complaints.extend)
    except SessionBroken:
        await asyncio.wait([working])
        if not working.exception():
            return working.result()
        raise
    try:
        return await working
    except SyncBroken as broken:
        said = complaints.decode(errors="replace").strip() or why or str(broken)
        raise RsyncFailed(f"the task's end gave up: {said[:500]}") from None
    except (Refused, PathRefused) as refused:
        raise RsyncFailed(str(refused)) from None


class _Slow:
    """Not more than so many bytes in a second."""

    def __init__(self, sink: Writable, rate: int) -> None:
        self._sink = sink
        self._rate = rate
        self._free_at = time.monotonic()

    def write(self, data: bytes) -> object:
        pause = self._free_at - time.monotonic()
        if pause > 0:
            self._sink.flush()
            time.sleep(pause)  # what is said too early is over the rate
        self._free_at = max(self._free_at, time.monotonic()) + len(data) / self._rate
        return self._sink.write(data)

    def flush(self) -> object:
        return self._sink.flush()
