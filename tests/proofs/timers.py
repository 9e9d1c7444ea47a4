"""Ten thousand timers that fall due within a minute, and ten thousand doorbells that were lost:
`make prove-timers`.

The real use cases and the real Monitor on memory ports, in real time (or, for a test, as fast as it
goes: the same events at the same moments of a clock that jumps). The timers' queue is SQS as it is
measured: delays in whole seconds, delivered up to 0.3 s late, some messages twice. Half of the
timers were set long ago, so the Monitor has to ring for them; half were set a moment ago by
somebody who rings himself. Sweeps may be missed, doubled, or killed half way.

A timer has fired when the question to its backend is written; how late that is, against its due
time, is what is measured. A doorbell is rung for again when it is in the queue.
"""

import argparse
import contextlib
import heapq
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Literal

from rich.console import Console

from tests.benchmarks.reporting import MEASUREMENTS, commit
from tests.builders import a_creation, a_group, a_job, a_task, a_workflow
from tests.stories.world import BACKEND, World
from xylem.domain.ids import GroupId, JobId, WorkflowId, WorkflowUuid
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus
from xylem.domain.workflow import Counts
from xylem.ports.jobs import Timer, Timers
from xylem.usecases import jobs, timers
from xylem.usecases.footprint import first_ring

RESULT = MEASUREMENTS / "timers.json"

Sweeps = Literal["every minute", "one missed", "all doubled", "killed half way"]
MODES: tuple[Sweeps, ...] = ("every minute", "one missed", "all doubled", "killed half way")

LEAD = timedelta(seconds=150)
"""Before the first timer is due: two sweeps, so that one may be missed."""

WITHIN = timedelta(minutes=1)
DELIVERED_WITHIN = 0.3
TWICE = 0.02
AFTERWARDS = timedelta(minutes=4)
"""For what was lost with a killed sweep to be rung for again."""

RUN = timedelta(hours=1)
HANDLERS_A_SECOND = 500
"""How fast the Worker takes doorbells from its queue."""


class Killed(Exception):
    """The sweep's process ended between two writes."""


@dataclass(slots=True)
class DyingTimers:
    """Timers whose user is killed after so many moves; `None`: never."""

    inner: Timers
    moves_left: int | None = None

    def due(self, now: datetime, *, limit: int) -> list[Timer]:
        return self.inner.due(now, limit=limit)

    def move(self, timer: Timer, *, next_ring_at: datetime, rings: int) -> bool:
        moved = self.inner.move(timer, next_ring_at=next_ring_at, rings=rings)
        if self.moves_left is not None:
            self.moves_left -= 1
            if self.moves_left <= 0:
                self.moves_left = None
                raise Killed
        return moved


@dataclass(slots=True)
class Stage:
    """What happens when: a heap of moments, told to a clock that jumps or that is waited for."""

    world: World
    real: bool
    began: float = field(default_factory=time.monotonic)
    origin: datetime = field(init=False)
    _events: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.origin = self.world.clock()

    def at(self, moment: datetime, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), do))

    def run(self, until: datetime) -> None:
        while self._events and self._events[0][0] <= until:
            moment, _, do = heapq.heappop(self._events)
            self._reach(moment)
            do()

    def _reach(self, moment: datetime) -> None:
        """In real time the clock shows how late we are, too."""
        if self.real:
            passed = timedelta(seconds=time.monotonic() - self.began)
            wait = (moment - self.origin - passed).total_seconds()
            if wait > 0:
                time.sleep(wait)
            passed = timedelta(seconds=time.monotonic() - self.began)
            moment = max(moment, self.origin + passed)
        if moment > self.world.clock():
            self.world.clock.advance(moment - self.world.clock())


@dataclass(frozen=True, slots=True)
class Fired:
    timers: int
    fired: int
    lost: int
    asked_twice: int
    late_p50: float
    late_p99: float
    late_max: float


def fire(number: int, sweeps: Sweeps, *, seed: int, real: bool) -> Fired:
    dice = random.Random(seed)
    world = World()
    stage = Stage(world, real)
    due = dict(_running_groups(world, number, dice))
    dying = DyingTimers(world.timers)
    asked: dict[GroupId, list[datetime]] = {}

    def deliver(workflow: WorkflowId, group: GroupId) -> None:
        before = len(world.rows.mail)
        timers.look(workflow, group, engine=world)
        if len(world.rows.mail) > before:
            asked.setdefault(group, []).append(world.clock())
        send()

    def send() -> None:
        for workflow, group, delay in world.alarm.take():
            seconds = -(-delay // timedelta(seconds=1))
            for _ in range(2 if dice.random() < TWICE else 1):
                late = timedelta(seconds=seconds + dice.uniform(0, DELIVERED_WITHIN))
                stage.at(world.clock() + late, partial(deliver, workflow, group))

    def sweep() -> None:
        with contextlib.suppress(Killed):
            timers.sweep_timers(engine=world, timers=dying)
        send()

    for index, workflow_group in enumerate(due):
        if index % 2:  # set a moment ago, by somebody who rings
            left = due[workflow_group] - world.clock()
            world.alarm.ring([(_workflow(index), workflow_group)], delay=left)
    send()
    _plan(stage, sweeps, sweep, dying, number)
    stage.run(stage.origin + LEAD + WITHIN + AFTERWARDS)
    late = sorted((moments[0] - due[group]).total_seconds() for group, moments in asked.items())
    return Fired(
        timers=number,
        fired=len(asked),
        lost=number - len(asked),
        asked_twice=sum(len(moments) > 1 for moments in asked.values()),
        late_p50=round(statistics.median(late), 2),
        late_p99=round(late[int(len(late) * 0.99)], 2),
        late_max=round(late[-1], 2),
    )


def _plan(
    stage: Stage,
    sweeps: Sweeps,
    sweep: Callable[[], None],
    dying: DyingTimers,
    number: int,
) -> None:
    """Sweeps come once a minute, 10 s after the beginning."""
    minutes = int((LEAD + WITHIN + AFTERWARDS) / timedelta(minutes=1)) + 1
    for minute in range(minutes):
        moment = stage.origin + timedelta(minutes=minute, seconds=10)
        if sweeps == "one missed" and minute == 0:
            continue
        if sweeps == "killed half way" and minute == 0:

            def dies() -> None:
                dying.moves_left = number // 4
                sweep()

            stage.at(moment, dies)
            continue
        stage.at(moment, sweep)
        if sweeps == "all doubled":
            stage.at(moment + timedelta(seconds=0.2), sweep)


def _running_groups(
    world: World, number: int, dice: random.Random
) -> list[tuple[GroupId, datetime]]:
    """One workflow each, whose group runs and will have run for an hour within that minute."""
    now = world.clock()
    found = []
    for index in range(number):
        due = now + LEAD + dice.random() * WITHIN
        id = GroupId(f"{index % 16:x}{index:031x}")
        since = due - RUN
        task = a_task(status=TaskStatus.RUNNING, ordinal=1, lead=True, received_at=since)
        group = a_group(
            id=id,
            workflow=_workflow(index),
            backend=BACKEND,
            tasks=(task,),
            status=TaskStatus.RUNNING,
            ordinal=1,
            placed=1,
            created=1,
            limits=Limits(execution=RUN),
            processing_at=since,
            running_since=since,
        )
        workflow = a_workflow(
            id=_workflow(index),
            uuid=WorkflowUuid(f"{index:032x}"),
            name=f"timed{index}",
            counts=Counts(1, ran=True),
        )
        world.workflows.create(a_creation(group, workflow=workflow))
        rings_at = due - timedelta(minutes=5) if index % 2 == 0 else first_ring(due, now)
        timer = Timer(_workflow(index), id, due, rings_at)
        world.rows.stored_timers[_workflow(index), id] = timer
        found.append((id, due))
    return found


def _workflow(index: int) -> WorkflowId:
    return WorkflowId(f"timed{index}-1")


# Doorbells ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rung:
    jobs: int
    not_rung: int
    all_rung_after: float
    deepest: int
    bound: int


def ring_again(number: int) -> Rung:
    """Every doorbell was lost; the Worker takes what comes as fast as it can."""
    world = World()
    for index in range(number):
        job = a_job(f"job-{index}")
        world.rows.stored_jobs[job.id] = job
    world.later(timedelta(seconds=20))
    began = world.clock()
    seen: dict[JobId, float] = {}
    waiting: list[JobId] = []
    deepest = 0
    for second in range(600):
        if second % 60 == 0:
            world.doorbell.backlog = len(waiting)
            jobs.sweep(engine=world, jobs=world.jobs)
            fresh = world.doorbell.take()
            waiting += fresh
            deepest = max(deepest, len(waiting))
            for id in fresh:
                seen.setdefault(id, (world.clock() - began).total_seconds())
        for id in waiting[:HANDLERS_A_SECOND]:
            world.rows.stored_jobs.pop(id, None)
        del waiting[:HANDLERS_A_SECOND]
        world.later(timedelta(seconds=1))
    return Rung(
        jobs=number,
        not_rung=number - len(seen),
        all_rung_after=max(seen.values(), default=0.0),
        deepest=deepest,
        bound=jobs.DEEP_QUEUE,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--timers", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fast", action="store_true", help="with a clock that jumps")
    parser.add_argument("--record", action="store_true", help=f"write {RESULT.name}")
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    report: dict[str, object] = {
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seed": given.seed,
        "real_time": not given.fast,
    }
    fine = True
    for mode in MODES:
        with console.status(f"{given.timers} timers, sweeps {mode}"):
            fired = fire(given.timers, mode, seed=given.seed, real=not given.fast)
        console.print(f"sweeps {mode}: {fired}")
        report[mode] = {name: getattr(fired, name) for name in Fired.__slots__}
        fine = fine and not fired.lost and not fired.asked_twice
    rung = ring_again(10_000)
    console.print(rung)
    report["doorbells"] = {name: getattr(rung, name) for name in Rung.__slots__}
    print(json.dumps(report, indent=1))
    if given.record:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if fine and not rung.not_rung else 1


if __name__ == "__main__":
    sys.exit(main())
