"""Actors that take turns at each call of a port, in the order that a schedule says.

An actor is a plain function on ports that are wrapped by `Stage.port`. It runs in a thread of its
own and stops before each call, so what happens between two calls happens at once, and a schedule (a
sequence of names) is all that decides: the same one, the same run. `kill` stops one for ever where
it is, as a process that died does. When the schedule is over, those that live go on, one after the
other.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

P = TypeVar("P")


MOST_TURNS = 2_000


class Endless(AssertionError):
    """Somebody does the same for ever."""


class Killed(BaseException):
    """A process that died: no handler of an actor's sees it."""


class _Actor:
    def __init__(self, name: str, act: Callable[[], None], stage: "Stage") -> None:
        self.name = name
        self.go = threading.Semaphore(0)
        self.dying = False
        self.over = False
        self.error: Exception | None = None
        self._act = act
        self._stage = stage
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.go.acquire()
        try:
            if not self.dying:
                self._act()
        except Killed:
            pass
        except Exception as error:  # it is the test's to look at
            self.error = error
        self.over = True
        self._stage.stopped.release()


class Stage:
    def __init__(self) -> None:
        self.stopped = threading.Semaphore(0)
        self.turns = 0
        self._actors: dict[str, _Actor] = {}
        self._by_thread: dict[int, _Actor] = {}

    def port(self, port: P) -> P:
        """The same port, at whose calls actors stop."""
        return cast("P", _Port(port, self))

    def run(
        self, actors: Mapping[str, Callable[[], None]], schedule: Iterable[str] = ()
    ) -> dict[str, Exception | None]:
        """What each of them raised. A name in the schedule is one call of that actor's; `kill x`
        is the end of `x`."""
        self._actors = {name: _Actor(name, act, self) for name, act in actors.items()}
        for actor in self._actors.values():
            actor.thread.start()
            self._by_thread[cast("int", actor.thread.ident)] = actor
        for said in schedule:
            verb, _, name = said.rpartition(" ")
            actor = self._actors[name]
            actor.dying |= verb == "kill"
            self._step(actor)
        for actor in self._actors.values():
            while not actor.over:
                self._step(actor)
        return {name: actor.error for name, actor in self._actors.items()}

    def _step(self, actor: _Actor) -> None:
        if not actor.over:
            actor.go.release()
            self.stopped.acquire()

    def turn(self) -> None:
        """Of the actor that is about to call; others, who look at the ports afterwards, pass.
        Raises `Endless`."""
        self.turns += 1
        if self.turns > MOST_TURNS:
            raise Endless(f"{MOST_TURNS} calls")
        actor = self._by_thread.get(threading.get_ident())
        if actor is None or actor.over:
            return
        self.stopped.release()
        actor.go.acquire()
        if actor.dying:
            raise Killed


class _Port:
    def __init__(self, port: object, stage: Stage) -> None:
        self._port = port
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*args: object, **kwargs: object) -> object:
            self._stage.turn()
            return method(*args, **kwargs)

        return call
