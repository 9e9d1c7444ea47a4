"""Tests on a domain of which one module has another text, each time in a process of its own.

The change of a function is tried by a `Bench`: a process that has collected all tests and waits. It
forks, the fork puts the new code under the function that everybody holds already, and runs the
tests that execute it, the quickest first. So a trial costs no more than its tests.

A change of what a module does when it is imported needs a process that has imported nothing of ours
(`Trial`): a fork of one that has what is slow (`PRELOADED`), in which the changed text stands where
Python looks for the module. What nobody noticed on the bench is tried that way, too: a value that
was made before, or kept in a cache, hides nothing there.

Which tests execute what is known of one run of all of them with a trace (`Told`). Property tests
draw the same examples at each run, and shrink none.
"""

import importlib.util
import inspect
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import zip_longest
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType, ModuleType
from typing import Any, Protocol

import hypothesis
import pytest

PRELOADED = [
    "boto3",
    "fastapi.testclient",
    "hypothesis.strategies",
    "jinja2",
    "mangum",
    "moto",
    "pydantic",
    "pynamodb.models",
    "rich",
    "typer",
    "websockets",
    "yaml",
    "tests.proofs.trial",
]

FORK = get_context("forkserver")
FORK.set_forkserver_preload(PRELOADED)

QUIET = ("-qq", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=0")
IGNORED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
"""What was preloaded cannot be rewritten; no assertion is in it."""

WORK_SECONDS = 300
"""Of the processor, not of the clock: who else uses the machine makes no difference."""

MEMORY = 6 * 1024**3
NEVER = "waiting for ever"
IMPORT = "an import"


@dataclass(frozen=True, slots=True)
class Told:
    """Of a test: how long it took, and which lines of which modules of the domain it executed."""

    seconds: float
    lines: dict[str, list[int]]

    def executes(self, module: str, lines: range | None) -> bool:
        """One of the lines at least; None: any of the module."""
        executed = self.lines.get(module, ())
        return bool(executed) if lines is None else not set(lines).isdisjoint(executed)


class Work(Protocol):
    def __call__(self) -> Any: ...


def in_a_process(work: Work, patience: float) -> Any:
    """What it returns; None: it took too long, or ended without a word."""
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_answer, args=(work, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(patience) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
        receiver.close()


def _answer(work: Work, sender: Connection) -> None:
    _bounded()
    _quiet()
    sender.send(work())


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (WORK_SECONDS, WORK_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _quiet() -> None:
    sys.dont_write_bytecode = False  # or every process compiles the tests' files anew
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - until the process ends


# What the tests execute --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recording:
    """Of the tests in `places`: what each of them executes, and what fails without any change."""

    domain: str
    places: tuple[str, ...]

    def __call__(self) -> tuple[dict[str, Told], list[str]]:
        recorder = Recorder(self.domain)
        passed = _pytest(self.places, recorder) == pytest.ExitCode.OK
        return recorder.told, [] if passed else recorder.failed or [IMPORT]


class Recorder:
    def __init__(self, domain: str) -> None:
        self.told: dict[str, Told] = {}
        self.failed: list[str] = []
        self._domain = f"{domain}/"
        self._lines: set[tuple[CodeType, int]] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._lines.clear()
        began = time.perf_counter()
        sys.settrace(self._entered)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            seconds = time.perf_counter() - began
            self.told[item.nodeid] = Told(round(seconds, 4), self._by_module())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def _entered(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(self._domain):
            return None
        self._lines.add((frame.f_code, frame.f_lineno))
        return self._reached

    def _reached(self, frame: FrameType, event: str, argument: object) -> Any:
        self._lines.add((frame.f_code, frame.f_lineno))
        return self._reached

    def _by_module(self) -> dict[str, list[int]]:
        found: dict[str, set[int]] = {}
        for code, line in self._lines:
            found.setdefault(Path(code.co_filename).name, set()).add(line)
        return {module: sorted(lines) for module, lines in found.items()}


# The change of a function ------------------------------------------------------------------------


class Bench:
    """All tests of `places`, collected."""

    def __init__(self, places: Sequence[str]) -> None:
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=_wait, args=(places, theirs))
        self._process.start()
        theirs.close()

    def failed(self, function: "Function", tests: Sequence[str]) -> str | None:
        """The test that failed, if any."""
        self._ours.send((function, tests))
        answer: str | None = self._ours.recv()
        return answer

    def close(self) -> None:
        self._ours.send(None)
        self._process.join()
        self._ours.close()


@dataclass(frozen=True, slots=True)
class Function:
    """`name`: with its class, of `module` with this `text`."""

    module: str
    name: str
    text: str

    def put(self) -> None:
        """New code under the function that there is."""
        [code] = (one for one in _codes(compile(self.text, self.module, "exec")) if self._is(one))
        place: Any = sys.modules[self.module]
        for part in self.name.split("."):
            place = vars(place)[part]
        if isinstance(place, property):
            place = place.fget
        inspect.unwrap(place).__code__ = code

    def _is(self, code: CodeType) -> bool:
        return code.co_qualname == self.name


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _wait(places: Sequence[str], connection: Connection) -> None:
    _quiet()
    with TemporaryDirectory() as folder:
        _pytest(places, Waiting(connection), "--capture=no", f"--basetemp={folder}/tests")


class Waiting:
    """Instead of running what was collected: for a change and the tests that are to run on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._failed: str | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        while (asked := self._connection.recv()) is not None:
            function, tests = asked
            chosen = [items[test] for test in tests]
            receiver, sender = FORK.Pipe(duplex=False)
            if not (child := os.fork()):
                _bounded()
                try:
                    sender.send(self._run(function, chosen))
                finally:
                    os._exit(0)
            sender.close()
            try:
                self._connection.send(receiver.recv())
            except EOFError:
                self._connection.send(NEVER)
            receiver.close()
            os.waitpid(child, 0)
        return True

    def _run(self, function: Function, items: Sequence[pytest.Item]) -> str | None:
        function.put()
        for item, following in zip_longest(items, items[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed is not None:
                break
        return self._failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid


# A change of a module ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """Of `text` as module `name`: by each round of tests in turn, until one fails."""

    name: str
    text: str
    rounds: tuple[tuple[str, ...], ...]

    def __call__(self) -> tuple[str | None]:
        """The test that failed, if any."""
        sys.meta_path.insert(0, Instead(self.name, self.text))
        return (next(filter(None, map(_failed, self.rounds)), None),)


class Instead(MetaPathFinder, Loader):
    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._text, self._name, "exec"), module.__dict__)


def _failed(tests: Sequence[str]) -> str | None:
    chosen = Chosen(tests)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    if not tests or _pytest(files, chosen, "-x") == pytest.ExitCode.OK:
        return None
    return chosen.failed or IMPORT


class Chosen:
    """Of what the files hold, the tests that are wanted, in their order; and which one failed."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.failed: str | None = None
        self._order = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._order),
            key=lambda item: self._order[item.nodeid],
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid


def _pytest(places: Iterable[str], plugin: object, *more: str) -> int:
    hypothesis.settings.register_profile(
        "proof",
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("proof")
    return pytest.main([*QUIET, *IGNORED, *more, *places], plugins=[plugin])
