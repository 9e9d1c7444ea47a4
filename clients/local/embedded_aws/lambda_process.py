"""One execution environment: a process that runs AWS's own awslambdaric against our Runtime API.

Real contexts, deadlines and error shapes come from awslambdaric itself; what the platform adds on
AWS (time-outs, exits, failed initialisation) is added here. Each process has a Runtime API listener
of its own, on a port of its own: the port tells who calls, as the address inside its micro-VM does
on AWS. (A path prefix on one shared port would, too; awslambdaric's C++ half accepts one, its
Python half does not.)

The process sees the function's code, its layers and the runtime (see `lambda_bootstrap`); it dies
with the server, by the kernel's hand, and is the leader of a group of its own so that what it
started can be killed with it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clients.local.embedded_aws import runtime_api
from clients.local.embedded_aws.function_logs import FunctionLog, LineBuffer
from clients.local.embedded_aws.lambda_environment import FunctionIdentity, lambda_environment
from clients.local.embedded_aws.request_ids import trace_header
from clients.local.embedded_aws.settings import LOOPBACK

BOOTSTRAP = Path(__file__).with_name("lambda_bootstrap.py")

# "The Init phase is limited to 10 seconds"; what does not finish is started again within the
# time-out of the invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_SECONDS = 10.0

# "6 MB each for request and response (synchronous)", the exact number is in Lambda's own error.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD = 6_291_556


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation came to: the function's answer, or an error as Lambda would shape it."""

    payload: bytes
    failed: bool = False
    throttled: bool = False


def failure(error_type: str, message: str) -> Outcome:
    body = {"errorType": error_type, "errorMessage": message}
    return Outcome(json.dumps(body).encode(), failed=True)


class InitialisationFailed(Exception):
    """The process never became ready; `outcome` is what its invocation is told."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.payload.decode(errors="replace"))
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Program:
    """What a process runs, unpacked."""

    function: FunctionIdentity
    variables: Mapping[str, str]
    code: Path
    layers: tuple[Path, ...]
    """In the order of `sys.path`."""
    timeout: float


@dataclass(frozen=True, slots=True)
class Host:
    """What all processes have in common."""

    python: Path
    runtime: Path
    endpoint: str
    temporary: Path


class LambdaProcess:
    """Start it, invoke it again and again while `alive`, stop it."""

    def __init__(self, program: Program, host: Host, log: FunctionLog) -> None:
        self.idle_since = time.monotonic()
        self._program = program
        self._host = host
        self._log = log
        self._temporary = host.temporary / f"lambda-{uuid.uuid4().hex[:12]}"
        self._process: asyncio.subprocess.Process | None = None
        self._server: asyncio.Server | None = None
        self._ready: asyncio.Future[None] | None = None
        self._life: asyncio.Task[None] | None = None
        # At most one of them is there: a connection that asked for work, or work that is not asked
        # for.
        self._asking: asyncio.Transport | None = None
        self._work: bytes | None = None
        self._request_id = ""
        self._result: asyncio.Future[Outcome] | None = None

    @property
    def alive(self) -> bool:
        """Not one that ended and whose last output is still being copied: it answers nobody."""
        if self._process is None or self._process.returncode is not None:
            return False
        return self._life is not None and not self._life.done()

    async def start(self) -> None:
        """Return when the process asks for its first invocation; raise InitialisationFailed."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        self._temporary.mkdir(parents=True)
        self._server = await loop.create_server(lambda: _Connection(self), LOOPBACK, 0)
        port = self._server.sockets[0].getsockname()[1]
        program = self._program
        folders = [program.code, *program.layers, self._host.runtime]
        self._process = await asyncio.create_subprocess_exec(
            *(str(self._host.python), "-I", "-S", str(BOOTSTRAP), str(os.getpid())),
            *(program.function.handler, *map(str, folders)),
            cwd=program.code,
            env=lambda_environment(
                program.function,
                variables=program.variables,
                runtime_api=f"{LOOPBACK}:{port}",
                endpoint=self._host.endpoint,
                code=program.code,
                runtime=self._host.runtime,
                temporary=self._temporary,
                log_stream=f"[{program.function.version}]{uuid.uuid4().hex}",
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._life = asyncio.create_task(self._live(self._process))
        limit = INIT_SECONDS + program.timeout
        try:
            async with asyncio.timeout(limit):
                await self._ready
        except TimeoutError:
            self.kill()
            raise InitialisationFailed(
                failure("Sandbox.Timedout", f"Task timed out after {limit:.2f} seconds")
            ) from None

    async def invoke(self, event: bytes, *, request_id: str, function_arn: str) -> Outcome:
        """Hand one event over; the process is idle again when this returns, or dead."""
        timeout = self._program.timeout
        self._request_id = request_id
        self._result = asyncio.get_running_loop().create_future()
        work = runtime_api.invocation(
            event,
            request_id=request_id,
            deadline_ms=int((time.time() + timeout) * 1000),
            function_arn=function_arn,
            trace=trace_header(time.time()),
        )
        if self._asking is not None:
            self._asking.write(work)
            self._asking = None
        else:
            self._work = work
        try:
            async with asyncio.timeout(timeout):
                return await self._result
        except TimeoutError:
            self.kill()
            return failure(
                "Sandbox.Timedout",
                f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds",
            )
        finally:
            self._result = None
            self.idle_since = time.monotonic()

    def kill(self) -> None:
        """End it now, with everything that it started."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stopped(self) -> None:
        if self._life is not None:
            await asyncio.wait([self._life])

    def asks_for_work(self, transport: asyncio.Transport) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        if self._work is not None:
            transport.write(self._work)
            self._work = None
        else:
            self._asking = transport

    def answers(self, result: runtime_api.Result) -> None:
        if self._result is None or self._result.done() or result.request_id != self._request_id:
            return
        if len(result.body) > MAX_PAYLOAD:
            self._result.set_result(
                failure(
                    "Function.ResponseSizeTooLarge",
                    f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} "
                    "bytes).",
                )
            )
        else:
            self._result.set_result(Outcome(result.body, failed=result.failed))

    def failed_to_initialise(self, body: bytes) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(InitialisationFailed(Outcome(body, failed=True)))

    async def _live(self, process: asyncio.subprocess.Process) -> None:
        """Copy the output to the log until the process ends, then tell whoever waits for it."""
        assert process.stdout is not None
        lines = LineBuffer()
        copied = asyncio.create_task(self._copy_output(process.stdout, lines))
        status = await process.wait()
        # A grandchild may hold the pipe open; what the process itself wrote is in it already.
        await asyncio.wait([copied], timeout=0.2)
        copied.cancel()
        if rest := lines.rest():
            self._log.lines(rest)
        self._end(_exit_reason(status))

    async def _copy_output(self, output: asyncio.StreamReader, lines: LineBuffer) -> None:
        while data := await output.read(65536):
            if complete := lines.feed(data):
                self._log.lines(complete)

    def _end(self, reason: str) -> None:
        message = f"RequestId: {self._request_id} Error: {reason}"
        if self._result is not None and not self._result.done():
            self._result.set_result(failure("Runtime.ExitError", message))
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(InitialisationFailed(failure("Runtime.ExitError", message)))
        if self._server is not None:
            self._server.close()
        shutil.rmtree(self._temporary, ignore_errors=True)


class _Connection(asyncio.Protocol):
    """The pump between one socket of awslambdaric and its process object."""

    def __init__(self, process: LambdaProcess) -> None:
        self._process = process
        self._requests = runtime_api.RuntimeConnection()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        for request in self._requests.received(data):
            match request:
                case runtime_api.NextInvocation():
                    self._process.asks_for_work(transport)
                case runtime_api.Result():
                    transport.write(runtime_api.ACCEPTED)
                    self._process.answers(request)
                case runtime_api.InitialisationFailed(body=body):
                    transport.write(runtime_api.ACCEPTED)
                    self._process.failed_to_initialise(body)
                case runtime_api.Unknown():
                    transport.write(runtime_api.NOT_FOUND)
        if self._requests.wants_continue:
            self._requests.wants_continue = False
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _exit_reason(status: int) -> str:
    """In Lambda's words."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status > 0:
        return f"Runtime exited with error: exit status {status}"
    name = signal.strsignal(-status) or str(-status)
    return f"Runtime exited with error: signal: {name.lower()}"
