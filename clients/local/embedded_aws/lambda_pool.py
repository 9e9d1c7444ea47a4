"""Which process serves which invocation: a pool of processes for each function.

As on AWS, a process serves one invocation at a time, is kept for the next one, and more are started
when all are busy. Unlike AWS, this machine has an end: a pool has a cap, all pools together have
one, and at most two processes start at the same time. (A burst of 200 disconnects that each start a
Python stalls everything for seconds.) What finds no process waits for one instead of being
throttled, and takes whichever comes first, a started or a finished one. Reserved concurrency
throttles as on AWS.

A pool belongs to one edition of its function (code, layers, settings). Another edition makes
another pool; what is idle of the old one is stopped at once, what is busy when it is done. So the
next call after a deployment runs the new code.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from clients.local.embedded_aws.function_logs import FunctionLog
from clients.local.embedded_aws.lambda_process import (
    InitialisationFailed,
    Outcome,
    failure,
)
from clients.local.embedded_aws.request_ids import lambda_request_id
from clients.local.embedded_aws.usage import Meter, Usage

# Long polls hold a process for as long as they wait: a gang at its barrier holds one for each task,
# and needs more for its logs meanwhile.
PER_FUNCTION = 24
IN_ALL = 60  # at 37 MB each, when all are busy
STARTING = 2  # one for each core of the smallest machine that we care for

IDLE_SECONDS = 300.0
REAP_SECONDS = 15.0

# Longer than any caller waits that could still use the answer (an HTTP API gives up after 30 s).
WAIT_SECONDS = 60.0

THROTTLED = Outcome(
    b'{"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", '
    b'"message": "Rate Exceeded."}',
    failed=True,
    throttled=True,
)


@dataclass(frozen=True, slots=True)
class Deployed:
    """One edition of a function, as it is to be invoked."""

    name: str
    arn: str
    version: str
    edition: Hashable
    memory_mb: int
    reserved: int | None
    """Reserved concurrency; None: no limit of its own."""
    make: Callable[[FunctionLog], "Makes"]
    """Prepares a process (unpacks code and layers), not yet started."""


class Process(Protocol):
    """What a pool needs of a `LambdaProcess`."""

    idle_since: float

    @property
    def alive(self) -> bool: ...
    async def start(self) -> None: ...
    async def invoke(self, event: bytes, *, request_id: str, function_arn: str) -> Outcome: ...
    def kill(self) -> None: ...
    async def stopped(self) -> None: ...


class Makes(Protocol):
    async def __call__(self) -> Process: ...


class _Pool:
    def __init__(self, function: Deployed, make: "Makes") -> None:
        self.name = function.name
        self.memory_mb = function.memory_mb
        self.edition = function.edition
        self.make = make
        self.idle: list[Process] = []
        self.busy = 0
        self.starting = 0
        self.waiting: deque[asyncio.Future[Process]] = deque()
        self.retired = False

    @property
    def ready(self) -> int:
        return len(self.idle) + self.busy

    @property
    def size(self) -> int:
        return self.ready + self.starting


class LambdaPool:
    def __init__(self, log_of: Callable[[str], FunctionLog], usage: Usage | None = None) -> None:
        """`log_of` a function's name: its log file, always the same object."""
        self._log_of = log_of
        self._usage = usage or Usage()
        self._pools: dict[str, _Pool] = {}
        self._running: dict[str, int] = {}
        self._processes: set[Process] = set()
        self._queued: list[_Pool] = []
        """Each stands for one process to start."""
        self._starting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def invoke(self, function: Deployed, event: bytes) -> Outcome:
        """Run the function once. Its failures are outcomes; this raises nothing of theirs."""
        running = self._running.get(function.arn, 0)
        if function.reserved is not None and running >= function.reserved:
            return THROTTLED
        self._running[function.arn] = running + 1
        try:
            return await self._invoke(function, event)
        finally:
            self._running[function.arn] -= 1

    async def _invoke(self, function: Deployed, event: bytes) -> Outcome:
        log = self._log_of(function.name)
        request_id = lambda_request_id()
        pool = self._pool(function, log)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                process = await self._take(pool)
        except InitialisationFailed as error:
            return error.outcome
        except TimeoutError:
            return THROTTLED
        log.line(f"START RequestId: {request_id} Version: {function.version}")
        started = time.monotonic()
        try:
            outcome = await process.invoke(event, request_id=request_id, function_arn=function.arn)
        finally:
            self._give_back(pool, process)
        milliseconds = (time.monotonic() - started) * 1000
        self._usage.add(Meter.LAMBDA_REQUESTS, function.name, "")
        self._usage.compute(function.name, milliseconds=milliseconds, memory_mb=function.memory_mb)
        log.line(f"END RequestId: {request_id}")
        log.line(
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {function.memory_mb} MB"
        )
        return outcome

    def _pool(self, function: Deployed, log: FunctionLog) -> _Pool:
        pool = self._pools.get(function.arn)
        if pool is None or pool.edition != function.edition:
            if pool is not None:
                self._retire(pool)
            pool = self._pools[function.arn] = _Pool(function, function.make(log))
        return pool

    async def _take(self, pool: _Pool) -> Process:
        while pool.idle:
            process = pool.idle.pop()  # the one used last: the others may go idle
            if process.alive:
                pool.busy += 1
                return process
        waiter: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        pool.waiting.append(waiter)
        self._start_if_useful(pool)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(pool, waiter.result())
            raise

    def _start_if_useful(self, pool: _Pool) -> None:
        if pool.starting < len(pool.waiting) and pool.size < PER_FUNCTION and self._room(pool):
            pool.starting += 1
            self._queued.append(pool)
            self._start_next()

    def _start_next(self) -> None:
        """The function with the fewest processes first: one that everybody asks, the authorizer,
        must not wait for the twenty-fourth process of another."""
        while self._queued and self._starting < STARTING:
            pool = min(self._queued, key=lambda queued: queued.ready)
            self._queued.remove(pool)
            self._starting += 1
            task = asyncio.create_task(self._start(pool))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _room(self, wanting: _Pool) -> bool:
        """Whether one more fits; an idle process of another function gives way."""
        if sum(pool.size for pool in self._pools.values()) < IN_ALL:
            return True
        others = [(pool.idle[0].idle_since, pool) for pool in self._pools.values() if pool.idle]
        if not others:
            # Every function may have one, or two that wait for each other would wait for ever.
            return wanting.size == 0
        _, pool = min(others, key=lambda entry: entry[0])
        self._stop(pool, pool.idle[0])
        return True

    async def _start(self, pool: _Pool) -> None:
        try:
            # Meanwhile those who waited may have been served by others.
            if any(not waiter.done() for waiter in pool.waiting):
                process = await self._started(pool)
                pool.busy += 1
                self._give_back(pool, process)
        except InitialisationFailed as error:
            while pool.waiting:
                waiter = pool.waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(error)
                    break
        finally:
            pool.starting -= 1
            self._starting -= 1
        if pool.waiting:
            self._start_if_useful(pool)
        self._start_next()

    async def _started(self, pool: _Pool) -> Process:
        """A process that is ready for its first invocation. Raises InitialisationFailed."""
        process: Process | None = None
        try:
            process = await pool.make()
            self._processes.add(process)
            started = time.monotonic()
            await process.start()
        except (InitialisationFailed, OSError) as error:
            if process is not None:
                process.kill()
                self._processes.discard(process)
            if isinstance(error, InitialisationFailed):
                raise
            raise InitialisationFailed(failure("Runtime.Unknown", str(error))) from error
        # Since August 2025 the init phase is billed as what comes after it
        # (https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/).
        self._usage.compute(
            pool.name,
            milliseconds=(time.monotonic() - started) * 1000,
            memory_mb=pool.memory_mb,
        )
        return process

    def _give_back(self, pool: _Pool, process: Process) -> None:
        """A busy process is free: it goes to who waits longest, or becomes idle."""
        pool.busy -= 1
        if not process.alive:
            self._processes.discard(process)
            if pool.waiting:
                self._start_if_useful(pool)
            return
        while pool.waiting:
            waiter = pool.waiting.popleft()
            if not waiter.done():
                pool.busy += 1
                waiter.set_result(process)
                return
        if pool.retired:
            process.kill()
            self._processes.discard(process)
        else:
            pool.idle.append(process)

    def _retire(self, pool: _Pool) -> None:
        pool.retired = True
        for process in list(pool.idle):
            self._stop(pool, process)

    def _stop(self, pool: _Pool, idle: Process) -> None:
        pool.idle.remove(idle)
        idle.kill()
        self._processes.discard(idle)

    async def reap(self) -> None:
        """Stop what was idle for long, for as long as this runs."""
        while True:
            await asyncio.sleep(REAP_SECONDS)
            oldest = time.monotonic() - IDLE_SECONDS
            for pool in self._pools.values():
                for process in [p for p in pool.idle if p.idle_since < oldest or not p.alive]:
                    self._stop(pool, process)

    async def close(self) -> None:
        """End every process."""
        for task in self._tasks:
            task.cancel()
        processes = list(self._processes)
        for process in processes:
            process.kill()
        await asyncio.gather(*(process.stopped() for process in processes))
