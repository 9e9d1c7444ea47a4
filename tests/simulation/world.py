"""One schedule: the service, the wire and the cluster, faults for a while, and then their end."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice

from tests.simulation import faults as rates
from tests.simulation import specs
from tests.simulation.cluster import Habits, Kube
from tests.simulation.operator import Process
from tests.simulation.oracle import Oracle
from tests.simulation.schedule import Act, Schedule, Violation
from tests.simulation.service import Service
from tests.simulation.sidecars import Sidecars
from tests.simulation.sockets import Sockets
from tests.simulation.store import Gate
from tests.simulation.variant import Variant
from xylem.domain.ids import WorkflowId
from xylem.domain.plan import Limits, Retries
from xylem.domain.values import replace
from xylem.usecases import submit

MINUTE = 60.0
SHORT, LONG = 8 * MINUTE, 40 * MINUTE
"""How long there are faults: most stories fit into a few minutes; a process that wakes up after a
quarter of an hour needs more."""

LONG_PAUSE = 35 * MINUTE
"""Long enough for another process to close a group, and to remove its anchor."""

ENDS_WITHIN = 3 * 3600.0
"""After the faults have stopped: pods that are stuck take up to two times 50 minutes."""

BINDING, STARTING, RUNNING = (2.0, 30.0), (2.0, 30.0, 200.0), (5.0, 60.0, 600.0)
"""Seconds, at the most and as a rule, until a pod has a node, until its command starts, until it
ends."""

TO_THE_LAST = 8
"""One schedule of so many goes on until its closed anchors are gone, too, which takes a quarter of
an hour of nothing else."""

SIDECARS = 0.5
"""Of the schedules have them; in the others a pod of a gang runs as if it were alone."""

BEGIN_AGAIN = 0.2
"""Of the schedules have users who begin again what ended, or is about to."""

ADMIN_EVERY = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Result:
    seed: int
    commits: int
    events: int
    faults: Counter[str]
    broken: Violation | None
    story: str


@dataclass(frozen=True, slots=True)
class Cut:
    """What a schedule is replayed without: kinds of faults, and all that come after the `first`."""

    without: frozenset[str] = frozenset()
    first: int | None = None


def simulate(seed: int, variant: Variant | None = None, cut: Cut | None = None) -> Result:
    """One schedule, from its first submission until everything has ended."""
    world = World(seed, variant or Variant(), cut or Cut())
    broken: Violation | None = None
    try:
        world.run()
    except Violation as violation:
        broken = violation
    schedule = world.schedule
    return Result(
        seed,
        world.service.rows.costs.counts["commits"],
        schedule.events,
        schedule.faults,
        broken,
        schedule.story() if broken else "",
    )


class World:
    def __init__(self, seed: int, variant: Variant, cut: Cut) -> None:
        self.schedule = Schedule(seed)
        random = self.schedule.random
        self.faults = rates.drawn(random)
        if variant.alone:
            self.faults.stop()
        for fault, rate in variant.needs.items():
            setattr(self.faults, fault, max(rate, getattr(self.faults, fault)))
        for fault in cut.without:
            setattr(self.faults, fault, 0.0)
        self.schedule.allow(cut.first, self.faults.stop)
        self.faults_end = self.schedule.between(MINUTE, SHORT if random.random() < 0.6 else LONG)
        if variant.long:
            self.faults_end = LONG_PAUSE + 5 * MINUTE
        least, most = (0.3, 1.0) if variant.brief else (1.0, 30.0)
        self.limits = Limits(
            queue=timedelta(minutes=self.schedule.between(2 * least, most)),
            start=timedelta(minutes=self.schedule.between(least, most)),
            execution=timedelta(minutes=self.schedule.between(least, most)),
            processing=self._limit(least, most) or Limits().processing,
            waiting=self._limit(4 * least, 4 * most),
            retries=Retries(
                disrupted=3 if variant.retries else random.choice((0, 1, 3)),
                asked=2 if variant.retries else random.choice((0, 0, 1, 2)),
            ),
        )
        self.manners = specs.Manners(
            self.limits,
            specs.RULES[-1] if variant.retries else random.choice(specs.RULES),
            strict=variant.gangs or random.random() < 0.3,
        )
        self._variant = variant
        self.gate = Gate(self.schedule, self.faults)
        self.sockets = Sockets(self.schedule, self.faults, self.gate)
        self.service = Service(self.schedule, self.faults, self.gate, self.sockets, variant)
        self.service.rows.narrow = random.random() < 0.3
        self.kube = Kube(self.schedule, self.faults, self._habits())
        self.oracle = Oracle(self.schedule, self.service, self.kube)
        self.service.rows.eyes = self.oracle
        self.service.links.look = self.oracle.pushed
        self.kube.eyes = self.oracle
        if variant.gangs or variant.restarts or random.random() < SIDECARS:
            self._add_sidecars()
        self.processes: list[Process] = []
        self.boots = 0
        self.slept = False
        self.keys: dict[str, WorkflowId] = {}
        self.begun_again = 0
        if variant.restarts or random.random() < BEGIN_AGAIN:
            self.begun_again = random.choice((1, 2, 3))
            self.service.rows.ended = self._begin_again_some_time

    def _limit(self, least: float, most: float) -> timedelta | None:
        """In minutes; most schedules have none of these."""
        if not self.schedule.chance(0.2):
            return None
        return timedelta(minutes=self.schedule.between(least, most))

    def _habits(self) -> Habits:
        schedule = self.schedule
        binding, starting = schedule.random.choice(BINDING), schedule.random.choice(STARTING)
        running = schedule.random.choice(RUNNING)
        if self._variant.short:
            binding, starting, running = 2.0, 2.0, 5.0
        if self._variant.brief:
            binding, starting, running = 60.0, 60.0, 20.0
        return Habits(
            binding=binding,
            starting=starting,
            running=running,
            stuck=schedule.random.choice((0.0, 0.0, 0.1)),
            failing=schedule.random.choice((0.0, 0.3, 0.3)),
            skew=timedelta(seconds=schedule.random.choice((0, 0, -120, 120))),
            execution=self.limits.execution.total_seconds(),
        )

    def _add_sidecars(self) -> None:
        sidecars = Sidecars(self.schedule, self.faults, self.service, self.oracle, self._variant)
        self.kube.sidecars = self.oracle.sidecars = sidecars
        self.service.opened = self.oracle.opened
        self.service.rows.changed = sidecars.changed

    # The schedule --------------------------------------------------------------------------------

    def run(self) -> None:
        schedule = self.schedule
        self._start_process()
        for _ in range(5 if self._variant.many else schedule.random.choice((1, 1, 1, 2))):
            self._submit_some_time()
        schedule.after(schedule.between(0, MINUTE), "", self._sweep)
        schedule.after(schedule.between(0, MINUTE), "", self._minute)
        schedule.after(ADMIN_EVERY, "", self._admin)
        schedule.run(self.faults_end)
        self._calm()
        deadline = schedule.seconds + ENDS_WITHIN
        to_the_last = schedule.seed % TO_THE_LAST == 0
        while left := list(islice(self.oracle.left(anchors=to_the_last), 6)):
            if schedule.seconds >= deadline:
                raise Violation("S6", "; ".join(left))
            schedule.run(schedule.seconds + MINUTE)
            self.oracle.timeouts_come()
        self._look_at_submissions()
        for story in self.service.rows.costs.over(schedule.seconds):
            raise Violation("cost in writes", story)

    def _calm(self) -> None:
        self.schedule.say("the faults stop")
        self.faults.stop()
        self.oracle.calm_since = self.schedule.seconds
        for process in self.processes:
            process.paused_until = min(process.paused_until, self.schedule.seconds)
        if not any(process.alive for process in self.processes):
            self._start_process()

    # People --------------------------------------------------------------------------------------

    def _submit_some_time(self) -> None:
        schedule = self.schedule
        request, checked = specs.checked(specs.drawn(schedule.random, gangs=self._variant.gangs))
        checked = specs.with_manners(checked, self.manners)
        key = f"key-{schedule.random.random()}" if schedule.chance(0.5) else None
        request = replace(request, idempotency=key)
        at = schedule.between(0, MINUTE if self._variant.long else self.faults_end / 2)
        attempts = 1 + (key is not None) + (key is not None and schedule.chance(0.3))
        for _ in range(attempts):
            schedule.after(at, "submit", partial(self._submit, request, checked))
            at += schedule.between(0, 20)

    def _submit(self, request: submit.Request, checked: submit.Checked) -> None:
        made = self.service.submit(request, checked)
        if made is None:
            return
        self.schedule.say(f"submitted: {made}")
        if request.idempotency is not None:
            first = self.keys.setdefault(request.idempotency, made)
            if first != made:
                raise Violation("one key, one workflow", f"{first} and {made}")
        if self._variant.cancels or self.schedule.chance(0.3):
            self._cancel_some_time(made)
        if self.schedule.chance(0.3):
            self._begin_again_some_time(made, within=self.faults_end / 2)

    def _begin_again_some_time(self, workflow: WorkflowId, within: float = 2 * MINUTE) -> None:
        """A user does who sees it fail, or cannot wait for its end."""
        schedule = self.schedule
        if not self.begun_again or schedule.seconds >= self.faults_end:
            return
        self.begun_again -= 1
        restart = schedule.chance(0.8)
        key = f"key-{schedule.random.random()}" if schedule.chance(0.5) else None
        at = schedule.between(0, within)
        for _ in range(1 + (key is not None)):
            act = partial(self._begin_again, workflow, key, restart=restart)
            schedule.after(at, "begin again", act)
            at += schedule.between(0, 20)

    def _begin_again(self, earlier: WorkflowId, key: str | None, *, restart: bool) -> None:
        rows = self.service.rows
        before = rows.stored_workflows[earlier].value

        def check(request: submit.Request) -> submit.Checked:
            found = specs.checked_again(request, self.service.workflows)
            return specs.with_manners(found, self.manners)

        made = self.service.again(earlier, key, check, restart=restart)
        how = "restart" if restart else "again"
        self.schedule.say(f"{how} of {earlier}: {made or 'no answer'}")
        if made is None:
            return
        if not isinstance(made, str):
            self.oracle.refused_again(before, made, restart=restart)
            return
        self.schedule.fault(f"begun {how}", made)
        self.oracle.begun_again(earlier, made, restart=restart)
        if self.schedule.chance(0.2):
            self._cancel_some_time(made)
        if key is not None and self.keys.setdefault(key, made) != made:
            raise Violation("one key, one workflow", f"{self.keys[key]} and {made}")

    def _cancel_some_time(self, workflow: WorkflowId) -> None:
        soon = self._variant.cancels or self.schedule.chance(0.3)
        at = self.schedule.between(0, 20 if soon else self.faults_end / 2)
        for _ in range(self.schedule.random.choice((1, 1, 2, 3))):
            force = self.schedule.chance(0.3)
            self.schedule.after(at, "", partial(self.service.cancel, workflow, force=force))
            at += self.schedule.between(0, MINUTE)

    def _look_at_submissions(self) -> None:
        rows = self.service.rows
        for key, workflow in self.keys.items():
            if workflow not in rows.stored_workflows:
                raise Violation("an answered submission exists", f"{workflow} of {key}")

    def _admin(self) -> None:
        self.service.tend_parked_jobs()
        self.schedule.after(ADMIN_EVERY, "", self._admin)

    # The clockwork -------------------------------------------------------------------------------

    def _sweep(self) -> None:
        self.schedule.after(MINUTE, "", self._sweep)
        if self.schedule.chance(self.faults.sweep_missed):
            self.schedule.fault("sweep missed")
            return
        self.service.sweep()
        self.oracle.attempts_are_counted_once()
        if self.schedule.chance(self.faults.sweep_twice):
            self.schedule.fault("sweep twice")
            self.schedule.after(self.schedule.between(0, 5), "", self.service.sweep)

    def _minute(self) -> None:
        """What may go wrong within a minute, at some moment of it."""
        if self.schedule.seconds >= self.faults_end:
            return
        self.schedule.after(MINUTE, "", self._minute)
        mishaps: tuple[tuple[float, Act], ...] = (
            (self.faults.socket_dies, self.sockets.cut_one),
            (self.faults.service_restarts, self.sockets.cut_all),
            (self.faults.operator_dies, self._kill_one),
            (self.faults.operator_pauses, self._pause_one),
            (self.faults.lease_moves, self._start_process),
            (self.faults.pod_deleted, self.kube.meddle_with_a_pod),
            (self.faults.config_map_deleted, self.kube.meddle_with_a_config_map),
            (self.faults.pod_planted, self.kube.plant_a_pod),
            (self.faults.pod_disrupted, self.kube.disrupt_a_pod),
            (self.faults.node_lost, self.kube.lose_a_node),
            (self.faults.clock_moves, self.kube.move_clock),
        )
        for probability, mishap in mishaps:
            times = int(probability) + self.schedule.chance(probability % 1)
            for _ in range(times):
                self.schedule.after(self.schedule.between(0, MINUTE), "", mishap)

    # Processes -----------------------------------------------------------------------------------

    def _start_process(self) -> None:
        """Another process of the operator, beside those that there are: if one of them does not
        renew its lease for a while, it has lost it."""
        if len([process for process in self.processes if process.alive]) >= 3:
            return
        self.boots += 1
        taken = {process.pod_name for process in self.processes if process.alive}
        name = next(name for name in ("op-a", "op-b", "op-c") if name not in taken)
        process = Process(
            name,
            f"boot-{self.boots}",
            schedule=self.schedule,
            faults=self.faults,
            kube=self.kube,
            sockets=self.sockets,
            fetched=self.service.fetched,
            variant=self._variant,
            ended=self._ended,
            falls_asleep=partial(self._pause, for_long=True),
        )
        process.eyes = self.oracle
        self.processes.append(process)
        if self.boots > 1:
            self.schedule.fault("operator started", process.boot_id)
        process.start()

    def _ended(self, process: Process) -> None:
        self.processes.remove(process)
        if not any(one.alive and not one.paused for one in self.processes):
            self.schedule.after(self.schedule.between(1, MINUTE), "", self._start_if_none)

    def _start_if_none(self) -> None:
        if not any(one.alive for one in self.processes):
            self._start_process()

    def _kill_one(self) -> None:
        if self.processes:
            process = self.schedule.random.choice(self.processes)
            self.schedule.fault("operator killed", process.boot_id)
            process.die("killed")

    def _pause_one(self) -> None:
        awake = [process for process in self.processes if not process.paused]
        if awake:
            self._pause(self.schedule.random.choice(awake), for_long=self.schedule.chance(0.3))

    def _pause(self, process: Process, *, for_long: bool) -> None:
        """For long only once: who slept must get to act afterwards."""
        if for_long and self.slept:
            return
        self.slept |= for_long
        seconds = LONG_PAUSE if for_long else self.schedule.random.choice((30.0, 5 * MINUTE))
        self.schedule.fault("operator paused", f"{process.boot_id} {seconds:.0f} s")
        process.pause(seconds)
        if self.schedule.chance(0.7):
            self.schedule.after(self.schedule.between(0, MINUTE), "", self._start_process)
