"""What runs in a pod beside its command: it reads inputs, writes outputs, and where the pod is of a
gang, begins anew with the others when one is tried again.

What a sidecar decides is `operators.task_runtime.runtime`; here are its threads, its wrapper and
the way to the Logger, in virtual time. Of the questions that a pod asks every ten seconds only
those are asked whose answer is new: the others would be most of the events of a schedule. In the
same way who is held at a barrier asks again when something happened to its group.
"""

import json
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from operators.shared.resources import Json
from operators.task_runtime import runtime
from operators.task_runtime.runtime import Code, Phase
from tests.simulation.cluster import Attempt, Container
from tests.simulation.faults import Faults
from tests.simulation.schedule import Schedule
from tests.simulation.variant import Variant
from xylem.domain.errors import Forbidden
from xylem.manifests.runtime import CONFIG_FILE, TOKEN_FILE
from xylem.protocol.runtime import AtBarrier, Barrier

Answer = TypeVar("Answer")

PATIENCE = 35.0
"""Seconds until a pod gives a question up, and asks again."""

HELD = 20.0
STALLED = 300.0
"""Seconds, at the most, until a question that was given up is answered all the same."""

STOPS_WITHIN = 10.0
"""Of a command that is asked to end."""


class Logger(Protocol):
    """The routes of the Logger that a gang uses. None: nobody answers. Raises `Forbidden`."""

    def meet(self, token: str, here: AtBarrier) -> Barrier | None: ...

    def restarts(self, token: str) -> int | None: ...

    def inputs(self, token: str, index: int) -> list[str]: ...

    def upload(self, token: str) -> None: ...


class Eyes(Protocol):
    def reads(self, attempt: Attempt, workflow: str, task: str, urls: list[str]) -> None: ...

    def arrives(self, attempt: Attempt, restarts: int) -> None: ...

    def begins(self, attempt: Attempt, restarts: int, met: int) -> None: ...

    def ran(self, attempt: Attempt, restarts: int, heard: int) -> None: ...

    def refused(self, attempt: Attempt) -> None: ...

    def waited(self, attempt: Attempt) -> None: ...


class Sidecars:
    def __init__(
        self, schedule: Schedule, faults: Faults, logger: Logger, eyes: Eyes, variant: Variant
    ) -> None:
        self.schedule = schedule
        self.faults = faults
        self.logger = logger
        self.eyes = eyes
        self.variant = variant
        self.events: Counter[str] = Counter()
        """Of each group, of which somebody at its barrier wants to know."""
        self._sidecars: dict[str, list[Sidecar]] = defaultdict(list)
        self._tokens: dict[Attempt, str] = {}
        self._there: set[tuple[Attempt, int]] = set()

    def start(self, attempt: Attempt, secret: Json, container: Container) -> bool:
        """Whether the pod is one of a gang, whose command starts when all have met."""
        config = json.loads(b64decode(secret["data"][CONFIG_FILE]))
        token = b64decode(secret["data"][TOKEN_FILE]).decode()
        self._tokens[attempt] = token
        for one in config["inputs"]:
            of = one.get("workflow", config["workflow"])
            self.eyes.reads(attempt, of, one["task"], self.logger.inputs(token, one["index"]))
        if not config["gang"]:
            return False
        sidecar = Sidecar(attempt, config, token, container, self)
        self._sidecars[attempt[0]].append(sidecar)
        sidecar.begin()
        return True

    def ended(self, attempt: Attempt) -> None:
        """The command did, with whatever code."""
        if attempt in self._tokens:
            self.logger.upload(self._tokens[attempt])

    def changed(self, group: str, restarts: int) -> None:
        """Something was stored of the group."""
        self.events[group] += 1
        for sidecar in self._sidecars.get(group, ()):
            sidecar.stir(restarts)

    def arrived(self, attempt: Attempt, restarts: int) -> None:
        if (attempt, restarts) not in self._there:
            self._there.add((attempt, restarts))
            self.changed(attempt[0], 0)

    def limited(self, attempt: Attempt) -> None:
        sidecar = self.of(attempt)
        if sidecar is not None and sidecar.waits:
            self.eyes.waited(attempt)

    def of(self, attempt: Attempt) -> "Sidecar | None":
        mine = self._sidecars.get(attempt[0], ())
        return next((one for one in mine if one.attempt == attempt), None)


class Sidecar:
    def __init__(
        self, attempt: Attempt, config: Json, token: str, container: Container, gangs: Sidecars
    ) -> None:
        self.attempt = attempt
        self.life, self._first = runtime.begin(
            inputs=False,
            barrier=config["barrier"],
            waits=config["wait"],
            restarts=config["gang"]["restarts"],
        )
        self.moved_at = gangs.schedule.seconds
        self._look_every: float = config["gang"]["look_every"]
        self._token = token
        self._container = container
        self._all = gangs
        self._code = 0
        self._run = 0
        """Which one of the command's runs this is; 0: none."""
        self._runs = 0
        self._began: int = self.life.restarts
        self._met = -1
        self._stops = False
        self._visit = 0
        self._held_at: int | None = None
        self._newest = self.life.restarts
        self._follows = False

    @property
    def waits(self) -> bool:
        return self.life.phase is Phase.MEETING

    def begin(self) -> None:
        self._turn(self.life, self._first)
        if self.life.phase is Phase.RUNNING and not self._run:
            self._go(self.life.restarts)

    def _happened(self, event: runtime.Event) -> None:
        self._turn(*self._all.variant.lives(self.life, event))

    def _turn(self, life: runtime.Life, orders: tuple[runtime.Order, ...]) -> None:
        if life.phase is not self.life.phase:
            self.moved_at = self._all.schedule.seconds
        self.life = life
        for order in orders:
            match order:
                case runtime.Meet(restarts):
                    self._visit += 1
                    self._arrive(restarts)
                case runtime.Go(restarts):
                    self._go(restarts)
                case runtime.Restart():
                    self._stops = True
                    wait = self._all.schedule.between(0, STOPS_WITHIN)
                    self._container.later(wait, self._stopped)
                case runtime.Stop(code):
                    self._code = code
                case runtime.Abandon():
                    self._visit += 1
                case runtime.Upload():
                    self._happened(runtime.Uploaded())
                case runtime.CloseLog():
                    self._happened(runtime.LogClosed())
                case runtime.Leave():
                    self._container.end(self._code)
                case _:
                    pass

    # The wrapper ---------------------------------------------------------------------------------

    def _go(self, restarts: int) -> None:
        self._all.eyes.begins(self.attempt, restarts, self._met)
        self._runs += 1
        self._run, self._began = self._runs, restarts
        lasts, code = self._container.command()
        self._container.later(lasts, partial(self._ended, self._run, code))

    def _ended(self, run: int, code: int) -> None:
        """By itself; one that is to begin anew begins anew all the same."""
        if run != self._run:
            return
        if self._stops:
            self._stopped()
            return
        self._run, self._code = 0, code
        self._all.eyes.ran(self.attempt, self._began, self.life.restarts)
        self._happened(runtime.CommandEnded(code))

    def _stopped(self) -> None:
        if self._stops:
            self._run, self._stops = 0, False
            self._happened(runtime.CommandStopped())

    # The barrier ---------------------------------------------------------------------------------

    def _arrive(self, restarts: int) -> None:
        self._all.eyes.arrives(self.attempt, restarts)
        self._knock(self._visit, restarts)

    def _knock(self, visit: int, known: int) -> None:
        answered = partial(self._answered, visit, known)
        again = partial(self._knock, visit, known)
        self._ask("barrier", partial(self._at_the_barrier, known), answered, again)

    def _at_the_barrier(self, known: int) -> tuple[Barrier, int] | None:
        """The answer, and how much had happened to the group by then."""
        answer = self._all.logger.meet(self._token, AtBarrier(restarts=known))
        if answer is None:
            return None
        self._all.arrived(self.attempt, known)
        return answer, self._all.events[self.attempt[0]]

    def _answered(self, visit: int, known: int, answered: tuple[Barrier, int] | None) -> None:
        if visit != self._visit:
            return
        if answered is None:
            self._all.eyes.refused(self.attempt)
            failed = runtime.Failed(Code.BARRIER, "Meeting the group at its barrier failed.")
            self._happened(failed)
            return
        answer, events = answered
        anew = answer.restarts > known
        if anew:
            known = answer.restarts
            self._all.eyes.arrives(self.attempt, known)
            self._happened(runtime.Restarted(known))
        if answer.open:
            self._met = known
            self._happened(runtime.Met(known))
        elif anew:
            self._knock(visit, known)
        else:
            self._held_at = known
            if events != self._all.events[self.attempt[0]]:
                self.stir()

    def stir(self, restarts: int = 0) -> None:
        """Something happened that a question of this pod's would find."""
        schedule = self._all.schedule
        if self._held_at is not None:
            knock = partial(self._knock, self._visit, self._held_at)
            self._held_at = None
            self._container.later(schedule.between(0, HELD), knock)
        if restarts > self._newest:
            self._newest = restarts
            if not self._follows:
                self._follows = True
                self._container.later(schedule.between(0, self._look_every), self._look)

    # Whether the group began anew ----------------------------------------------------------------

    def _look(self) -> None:
        again = partial(self._container.later, self._look_every, self._look)
        self._ask("look", partial(self._all.logger.restarts, self._token), self._heard, again)

    def _heard(self, restarts: int | None) -> None:
        if restarts is None:
            return
        if restarts < self._newest:
            self._container.later(self._look_every, self._look)
        else:
            self._follows = False
        self._happened(runtime.Restarted(restarts))

    # The way there and back ----------------------------------------------------------------------

    def _ask(
        self,
        what: str,
        ask: Callable[[], Answer | None],
        deliver: Callable[[Answer | None], None],
        again: Callable[[], None],
    ) -> None:
        """`deliver`: the answer; None: refused. `again`: where nobody answered in time."""
        schedule, faults, later = self._all.schedule, self._all.faults, self._container.later
        lost = schedule.chance(faults.poll_lost)
        arrives = not lost or schedule.chance(0.5)
        if lost:
            schedule.fault("poll lost", f"{what} of {self.attempt[2]}")
            later(PATIENCE, again)
        if schedule.chance(faults.poll_twice):
            schedule.fault("poll twice", f"{what} of {self.attempt[2]}")
            schedule.after(schedule.between(0, STALLED), "", partial(_quietly, ask))

        def reach() -> None:
            try:
                answer = ask()
            except Forbidden:
                if not lost:
                    later(self._travel(), partial(deliver, None))
                return
            if lost:
                return
            if answer is None:
                later(schedule.between(0, HELD), again)
            else:
                later(self._travel(), partial(deliver, answer))

        if arrives:
            schedule.after(self._travel(), "", reach)

    def _travel(self) -> float:
        schedule = self._all.schedule
        if schedule.chance(self._all.faults.poll_late):
            schedule.fault("poll late", self.attempt[2])
            return schedule.between(0.3, PATIENCE / 2)
        return schedule.between(0.01, 0.3)


def _quietly(ask: Callable[[], Any]) -> None:
    try:
        ask()
    except Forbidden:
        return
