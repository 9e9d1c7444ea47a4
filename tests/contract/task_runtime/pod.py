"""A pod without a cluster: the real wrapper, the real sidecar, and a folder that stands for `/`."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from operators.native.build import program
from operators.task_runtime.__main__ import Places, places
from tests.unit.operators.task_runtime.services import FIRST_TOKEN, Services
from xylem.protocol.spool import Record, Stream, decode, whole

EXEC = program("xylem-exec")
PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.005


def until(fact: Callable[[], object], what: str) -> None:
    """Other processes are waited for, by what they do and not by the clock."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < give_up, f"in vain: {what}"
        time.sleep(LOOK_SECONDS)


class Ended(NamedTuple):
    code: int
    cpu: float
    """Seconds, of user and system."""


class Process:
    """In a process group of its own, with whatever it starts."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._ended: Ended | None = None

    def end(self) -> Ended:
        until(lambda: not self.alive, f"the end of {self._popen.args!r}: {self.said}")
        assert self._ended is not None
        return self._ended

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.alive:
            os.kill(self._popen.pid, number)

    @property
    def alive(self) -> bool:
        if self._ended is None:
            pid, status, used = os.wait4(self._popen.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._popen.returncode = code
                self._ended = Ended(code, used.ru_utime + used.ru_stime)
        return self._ended is None

    @property
    def said(self) -> str:
        """On its own stdout and stderr, which are for admins."""
        return self._log.read_text()


class Pod:
    def __init__(self, root: Path, ctrl: Path, services: Services) -> None:
        self.root = root
        self.places: Places = places(str(root))
        self.run = Path(self.places.run)
        self.output = root / "osmo/data/output"
        self.input = root / "osmo/data/input"
        self.services = services
        self._ctrl = ctrl
        self._processes: list[Process] = []
        Path(self.places.termination).parent.mkdir(parents=True)
        self.configure()

    def configure(
        self,
        *,
        inputs: int | list[dict[str, Any]] = 0,
        barrier: bool = False,
        by_yesterdays_service: bool = False,
        **more: Any,
    ) -> None:
        """`inputs`: of so many tasks, or as `manifests` write them, as they do `more`."""
        of_tasks = range(inputs) if isinstance(inputs, int) else ()
        config: dict[str, Any] = {
            "api_url": f"{self.services.url}/api",
            "workflow": "hello-1",
            "group": "a" * 32,
            "incarnation": 0,
            "task": "lead",
            "retry": 0,
            "inputs": [
                *({"index": index, "task": f"task-{index}", "regex": ""} for index in of_tasks),
                *(inputs if isinstance(inputs, list) else ()),
            ],
            "barrier": barrier,
            "input": str(self.input),
            "output": str(self.output),
            "wait": bool(inputs) or barrier,
            **({} if by_yesterdays_service else {"mask": []}),
            **more,
        }
        for path, text in (
            (self.places.config, json.dumps(config)),
            (self.places.token, FIRST_TOKEN),
        ):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(text)

    def task(self, *command: str, wait: bool = False) -> Process:
        waits = ["--wait"] if wait else []
        return self._start(
            [
                *(str(EXEC), "run", "--run", str(self.run), "--output", str(self.output)),
                *(*waits, "--", *command),
            ],
            "exec.log",
        )

    def shell(self, script: str, *, wait: bool = False) -> Process:
        return self.task("/bin/sh", "-c", script, wait=wait)

    def sidecar(self) -> Process:
        return self._start([str(self._ctrl), str(self.root)], "ctrl.log")

    def live(self, *command: str) -> tuple[Ended, Ended]:
        """Both containers, from start to end."""
        task, sidecar = self.task(*command), self.sidecar()
        return task.end(), sidecar.end()

    @property
    def spool(self) -> bytes:
        file = self.run / "spool"
        return file.read_bytes() if file.exists() else b""

    @property
    def records(self) -> list[Record]:
        raw = self.spool
        return list(decode(raw[: whole(raw)]))

    def printed(self, stream: Stream = Stream.STDOUT) -> bytes:
        return b"".join(record.data for record in self.records if record.stream is stream)

    @property
    def exit(self) -> int | None:
        file = self.run / "exit"
        return int(json.loads(file.read_text())["code"]) if file.exists() else None

    @property
    def last_word(self) -> object:
        file = Path(self.places.termination)
        return json.loads(file.read_text()) if file.exists() else None

    def is_logged_whole(self) -> bool:
        return self.services.log_length == len(self.spool) and self.services.spool == self.spool

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.end()

    def _start(self, arguments: list[str], log: str) -> Process:
        process = Process(arguments, self.root / log)
        self._processes.append(process)
        return process


@contextmanager
def killed_afterwards(pid: Callable[[], int]) -> Iterator[None]:
    """A process that outlives the wrapper. In a pod the kernel ends it with its container."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError, ValueError, IndexError):
            os.kill(pid(), signal.SIGKILL)
