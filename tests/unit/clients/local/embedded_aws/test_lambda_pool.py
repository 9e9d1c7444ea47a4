import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clients.local.embedded_aws import lambda_pool
from clients.local.embedded_aws.function_logs import FunctionLog, FunctionLogs
from clients.local.embedded_aws.lambda_pool import THROTTLED, Deployed, LambdaPool, Makes
from clients.local.embedded_aws.lambda_process import InitialisationFailed, Outcome, failure
from clients.local.embedded_aws.usage import Key, Meter, Usage


@dataclass
class World:
    """The processes of a test: how many there were, and what holds them up."""

    made: list["FakeProcess"] = field(default_factory=list)
    starting: int = 0
    most_starting: int = 0
    may_start: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    def __post_init__(self) -> None:
        self.may_start.set()
        self.may_answer.set()

    @property
    def living(self) -> int:
        return sum(process.alive for process in self.made)


@dataclass(eq=False)
class FakeProcess:
    """Echoes the event when the test lets it."""

    world: World
    edition: str
    idle_since: float = 0.0
    alive: bool = False

    async def start(self) -> None:
        self.world.starting += 1
        self.world.most_starting = max(self.world.most_starting, self.world.starting)
        await self.world.may_start.wait()
        self.world.starting -= 1
        if self.world.broken:
            raise InitialisationFailed(failure("Runtime.ImportModuleError", "no module"))
        self.alive = True

    async def invoke(self, event: bytes, *, request_id: str, function_arn: str) -> Outcome:
        await self.world.may_answer.wait()
        if event == b"die":
            self.alive = False
            return failure("Runtime.ExitError", "exit status 1")
        return Outcome(f"{self.edition}: {event.decode()}".encode())

    def kill(self) -> None:
        self.alive = False

    async def stopped(self) -> None:
        return


def a_function(
    world: World, name: str = "agent", *, edition: str = "1", reserved: int | None = None
) -> Deployed:
    def make(log: FunctionLog) -> Makes:
        async def process() -> FakeProcess:
            world.made.append(FakeProcess(world, edition))
            return world.made[-1]

        return process

    return Deployed(name, f"arn:{name}", "$LATEST", edition, 128, reserved, make)


@pytest.fixture
def pool(tmp_path: Path) -> LambdaPool:
    return LambdaPool(FunctionLogs(tmp_path))


async def settled() -> None:
    """Everything that can go on without the test has gone on."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_a_warm_process_serves_the_next_invocation(pool: LambdaPool) -> None:
    async def story() -> None:
        world = World()
        function = a_function(world)

        answers = [await pool.invoke(function, event) for event in (b"a", b"b")]

        assert [answer.payload for answer in answers] == [b"1: a", b"1: b"]
        assert len(world.made) == 1

    asyncio.run(story())


def test_a_burst_starts_two_processes_at_a_time_and_no_more_than_it_needs(
    pool: LambdaPool,
) -> None:
    async def story() -> None:
        world = World()
        world.may_start.clear()
        function = a_function(world)
        burst = [asyncio.create_task(pool.invoke(function, b"x")) for _ in range(12)]
        await settled()
        assert (world.most_starting, len(world.made)) == (2, 2)

        # The two that are up serve all twelve before a third has to be started.
        world.may_start.set()
        await asyncio.gather(*burst)

        assert world.most_starting == 2
        assert len(world.made) < 12

    asyncio.run(story())


def test_a_function_without_a_process_is_started_before_more_of_another(pool: LambdaPool) -> None:
    async def story() -> None:
        world = World()
        world.may_answer.clear()
        world.may_start.clear()
        agents, authorizer = (a_function(world, name, edition=name) for name in ("agent", "auth"))
        burst = [asyncio.create_task(pool.invoke(agents, b"x")) for _ in range(12)]
        await settled()
        burst.append(asyncio.create_task(pool.invoke(authorizer, b"x")))
        await settled()

        world.may_start.set()
        await settled()

        assert [process.edition for process in world.made[:3]] == ["agent", "agent", "auth"]
        assert len(world.made) == 13
        world.may_answer.set()
        await asyncio.gather(*burst)

    asyncio.run(story())


def test_beyond_its_cap_a_function_waits_instead_of_failing(pool: LambdaPool) -> None:
    async def story() -> None:
        world = World()
        world.may_answer.clear()
        function = a_function(world)
        more = lambda_pool.PER_FUNCTION + 5
        burst = [asyncio.create_task(pool.invoke(function, b"x")) for _ in range(more)]
        await settled()
        assert world.living == lambda_pool.PER_FUNCTION

        world.may_answer.set()
        assert {answer.payload for answer in await asyncio.gather(*burst)} == {b"1: x"}

    asyncio.run(story())


def test_reserved_concurrency_is_what_runs_at_most(pool: LambdaPool) -> None:
    async def story() -> None:
        world = World()
        world.may_answer.clear()
        function = a_function(world, reserved=1)
        first = asyncio.create_task(pool.invoke(function, b"x"))
        await settled()

        assert await pool.invoke(function, b"y") == THROTTLED

        world.may_answer.set()
        assert (await first).payload == b"1: x"
        assert (await pool.invoke(function, b"z")).payload == b"1: z"

    asyncio.run(story())


def test_a_new_edition_is_served_by_its_own_processes_and_the_old_ones_end(
    pool: LambdaPool,
) -> None:
    async def story() -> None:
        world = World()
        await pool.invoke(a_function(world), b"idle")
        world.may_answer.clear()
        busy = asyncio.create_task(pool.invoke(a_function(world), b"busy"))
        await settled()

        new = asyncio.create_task(pool.invoke(a_function(world, edition="2"), b"x"))
        await settled()
        world.may_answer.set()

        assert [(await busy).payload, (await new).payload] == [b"1: busy", b"2: x"]
        assert [process.edition for process in world.made if process.alive] == ["2"]

    asyncio.run(story())


def test_a_process_that_died_is_replaced(pool: LambdaPool) -> None:
    async def story() -> None:
        world = World()
        function = a_function(world)

        assert (await pool.invoke(function, b"die")).failed
        assert (await pool.invoke(function, b"x")).payload == b"1: x"

    asyncio.run(story())


def test_who_waited_for_a_process_that_cannot_start_is_told_why(pool: LambdaPool) -> None:
    async def story() -> None:
        world = World(broken=True)
        burst = [pool.invoke(a_function(world), b"x") for _ in range(3)]

        outcomes = await asyncio.gather(*burst)

        assert all(b"Runtime.ImportModuleError" in outcome.payload for outcome in outcomes)

    asyncio.run(story())


def test_when_all_places_are_taken_an_idle_process_of_another_function_gives_way(
    pool: LambdaPool,
) -> None:
    async def story() -> None:
        world = World()
        names = [f"function-{number}" for number in range(lambda_pool.IN_ALL + 3)]
        for name in names:
            await pool.invoke(a_function(world, name), b"x")

        assert world.living == lambda_pool.IN_ALL

    asyncio.run(story())


def test_each_invocation_is_billed_and_the_start_of_a_process_once(tmp_path: Path) -> None:
    async def story() -> None:
        usage = Usage()
        pool = LambdaPool(FunctionLogs(tmp_path), usage)
        agent = a_function(World(), "agent")
        compute = Key(Meter.LAMBDA_COMPUTE, "agent", "128 MB")
        a_millisecond = 0.001 * 128 / 1024

        await pool.invoke(agent, b"1")
        first = usage.read()[compute]
        await pool.invoke(agent, b"2")

        assert first >= 2 * a_millisecond, "its start and its first invocation"
        assert usage.read()[compute] >= first + a_millisecond
        assert usage.read()[Key(Meter.LAMBDA_REQUESTS, "agent", "")] == 2

    asyncio.run(story())


def test_what_reserved_concurrency_refuses_is_not_billed(tmp_path: Path) -> None:
    async def story() -> None:
        usage = Usage()
        pool = LambdaPool(FunctionLogs(tmp_path), usage)

        await pool.invoke(a_function(World(), reserved=0), b"1")

        assert usage.read() == {}

    asyncio.run(story())
