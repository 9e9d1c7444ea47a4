"""`xylem workflow port-forward` and `web`: ports of a running task on this machine.

The ports here stay open as long as the command runs. A session that breaks, because the operator
was replaced, is followed by another one: connections that were open then are closed, those that
come later are carried.
"""

import asyncio
import random
import re
import webbrowser
from collections.abc import Awaitable, Callable
from typing import Annotated, NamedTuple

import typer

from clients.cli.options import RetryOfTask, TaskName, Workflow
from clients.cli.session import Session, session_of
from clients.sdk import sessions
from clients.sdk.client import Client
from clients.sdk.errors import BadInput, Unavailable
from clients.sdk.models import SessionGrant
from clients.sdk.sessions import SessionBroken
from clients.sdk.udp import UdpPort
from operators.shared.session_io import SessionLine

PORTS = 30
"""Of one call; OSMO's `max_num_ports_per_task`."""

AGAIN = frozenset({"peer_restarted", "broken"})
"""How a session ends that another one may follow. What was ended on purpose stays so."""

LONGEST_PAUSE = 32.0

_PORT = re.compile(r"(?:([0-9]{1,5})(?:-([0-9]{1,5}))?:)?([0-9]{1,5})(?:-([0-9]{1,5}))?")

Host = Annotated[str, typer.Option(help="Where to listen.")]

Renew = Callable[[], Awaitable[SessionGrant]]


class Forward(NamedTuple):
    local: int
    remote: int


def port_forward(
    context: typer.Context,
    workflow: Workflow,
    task: TaskName,
    port: Annotated[
        list[str] | None,
        typer.Option("--port", "-p", help="LOCAL:REMOTE, PORT, or ranges of both; repeatable."),
    ] = None,
    host: Host = "127.0.0.1",
    udp: Annotated[bool, typer.Option("--udp", help="Datagrams, and no connections.")] = False,
    retry: RetryOfTask = None,
) -> None:
    """Listen on this machine, and carry what connects to ports of a running task. Ctrl-C ends it.

    All connections share one session: it survives cuts of the network, and a task that ends ends
    it."""
    forwards = [one for text in port or () for one in ports_of(text)]
    if not 0 < len(forwards) <= PORTS:
        raise BadInput(f"Name 1 to {PORTS} ports, each as --port LOCAL:REMOTE or --port PORT.")
    session = session_of(context)

    def listening(at: list[int]) -> None:
        for local, one in zip(at, forwards, strict=True):
            session.say(f"{host}:{local} -> {task}:{one.remote}{'/udp' if udp else ''}")

    _run(session, workflow, task, retry, _Forwarding(forwards, host, listening, udp=udp))


def web(
    context: typer.Context,
    workflow: Workflow,
    task: TaskName,
    port: Annotated[int, typer.Argument(help="Where the task listens.", min=1, max=65535)],
    local: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="On this machine; 0: any.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Say the address alone.")
    ] = False,
    retry: RetryOfTask = None,
) -> None:
    """Open a page that a running task serves. Ctrl-C ends it."""
    session = session_of(context)

    def listening(at: list[int]) -> None:
        address = f"http://127.0.0.1:{at[0]}/"
        session.say(address)
        if not no_browser:
            webbrowser.open(address)

    forwarding = _Forwarding([Forward(local, port)], "127.0.0.1", listening, udp=False)
    _run(session, workflow, task, retry, forwarding)


def _run(
    session: Session, workflow: str, task: str, retry: int | None, forwarding: "_Forwarding"
) -> None:
    with session.connect() as client:
        grant = client.create_session(workflow, task, purpose="port-forward", retry=retry)

        async def renewed() -> SessionGrant:
            """What is tried again is this attempt: another one is another task to who looks."""
            return await _granted(client, workflow, grant)

        asyncio.run(forwarding.run(session, grant, renewed))


async def _granted(client: Client, workflow: str, before: SessionGrant) -> SessionGrant:
    """However long the operator is away."""
    tries = 0
    while True:
        await asyncio.sleep(min(2.0**tries, LONGEST_PAUSE) * random.uniform(0.5, 1.0))
        try:
            return client.create_session(
                workflow, before.task, purpose="port-forward", retry=before.retry
            )
        except Unavailable:
            tries += 1


class _Forwarding:
    """The ports of this machine, and whichever session there is at the time."""

    def __init__(
        self,
        forwards: list[Forward],
        host: str,
        listening: Callable[[list[int]], None],
        *,
        udp: bool,
    ) -> None:
        self._forwards = forwards
        self._host = host
        self._listening = listening
        self._udp = udp
        self._line: SessionLine | None = None
        self._datagrams: list[UdpPort] = []

    async def run(self, session: Session, grant: SessionGrant, renew: Renew) -> None:
        """Raises `SessionBroken`, when it is over."""
        closing = await (self._hear_datagrams() if self._udp else self._hear_connections())
        try:
            while True:
                async with sessions.attached(session.login(), grant) as line:
                    self._line = line
                    carrying = [asyncio.create_task(_until(line, each)) for each in self._datagrams]
                    over = await line.over
                    self._line = None
                    await asyncio.gather(*carrying)
                if over.code not in AGAIN:
                    raise SessionBroken(f"the session ended ({over.code}): {over.message}")
                session.hint(f"The session ended ({over.code}): another one is begun.")
                grant = await renew()
        finally:
            for close in closing:
                close()

    async def _hear_connections(self) -> list[Callable[[], None]]:
        servers = [
            await asyncio.start_server(self._carried(one.remote), self._host, one.local)
            for one in self._forwards
        ]
        self._listening([server.sockets[0].getsockname()[1] for server in servers])
        return [server.close for server in servers]

    def _carried(
        self, remote: int
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if self._line is not None:
                    await sessions.forward(self._line, remote, reader, writer)
            except SessionBroken:
                pass  # as a connection that is cut
            finally:
                writer.close()

        return carry

    async def _hear_datagrams(self) -> list[Callable[[], None]]:
        loop = asyncio.get_running_loop()
        ports, closing = [], []
        for one in self._forwards:
            transport, datagrams = await loop.create_datagram_endpoint(
                # mypy infers no type of a lambda's default.
                lambda remote=one.remote: UdpPort(remote),  # type: ignore[misc]
                local_addr=(self._host, one.local),
            )
            self._datagrams.append(datagrams)
            ports.append(transport.get_extra_info("sockname")[1])
            closing.append(transport.close)
        self._listening(ports)
        return closing


async def _until(line: SessionLine, datagrams: UdpPort) -> None:
    try:
        await datagrams.carry(line)
    except SessionBroken as broken:
        if not line.over.done():
            line.leave("refused", str(broken))


def ports_of(text: str) -> list[Forward]:
    """`8080`, `8080:80`, `9000-9002:80-82`; a local 0 is any free one. Raises `BadInput`."""
    found = _PORT.fullmatch(text)
    if found is None:
        raise BadInput(f"--port {text}: write LOCAL:REMOTE, or one port for both.")
    local_from, local_to, remote_from, remote_to = (
        int(part) if part else None for part in found.groups()
    )
    assert remote_from is not None
    remotes = range(remote_from, (remote_to or remote_from) + 1)
    first = remote_from if local_from is None else local_from
    last = (first + len(remotes) - 1) if local_to is None else local_to
    locals_ = [0] * len(remotes) if first == 0 else list(range(first, last + 1))
    if not remotes or len(locals_) != len(remotes):
        raise BadInput(f"--port {text}: both ranges must have the same number of ports.")
    if not (remotes[0] >= 1 and max(*remotes, *locals_) <= 65535):
        raise BadInput(f"--port {text}: a port is 1 to 65535.")
    return [Forward(local, remote) for local, remote in zip(locals_, remotes, strict=True)]
