"""The protocol with the shim (`operators/native/shim.c`): what it is told, and the facts it leaves.

A folder is one attempt to run one container. What is written into it is told once; what the shim
writes is there for whoever looks, whenever: so an API process that was killed and started again
knows what one that was never away knows.
"""

from __future__ import annotations

import fcntl
import os
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from operators.desk_cluster.kubelet.lifecycle import Ended, Running, Starting, State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# What a shell, and with it Kubernetes, answers for a command that could not be executed.
START_ERROR = 128
KILLED = 128 + signal.SIGKILL
OUT_OF_MEMORY = "OOMKilled"

# What a claim says that was made so that no shim makes it.
_NOBODY = "nobody"

LOST = "the container's keeper is gone; how the container ended is not known"

Operation = tuple[str, ...]


def render(operations: Iterable[Operation]) -> bytes:
    """The specification's file. Raises ValueError for a NUL inside a word."""
    words = [word for operation in operations for word in operation]
    if any("\0" in word for word in words):
        raise ValueError("a command, an environment variable and a path hold no NUL")
    return b"".join(os.fsencode(word) + b"\0" for word in words)


@dataclass(frozen=True, slots=True)
class Process:
    """A process by pid and start time, which together name it as long as the machine is up."""

    pid: int
    started: str

    @staticmethod
    def parse(text: str) -> Process:
        pid, started = text.split()
        return Process(int(pid), started)

    def open(self) -> int | None:
        """A pidfd, for the caller to close; None if the process is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if start_time(self.pid) == self.started:
            return handle
        os.close(handle)
        return None

    def send(self, number: signal.Signals) -> bool:
        handle = self.open()
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def start_time(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat; empty for a process that is gone, or dead and not yet reaped."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class Folder:
    """The facts of one attempt."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def termination_message(self) -> Path:
        return self.path / "termination-message"

    def prepare(self, operations: Iterable[Operation]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.termination_message.touch()
        (self.path / "tmp").mkdir(exist_ok=True)
        (self.path / "tmp").chmod(0o1777)
        (self.path / "home").mkdir(mode=0o700, exist_ok=True)
        # In one step: what has a specification is run, whoever finds it.
        temporary = self.path / ".spec"
        temporary.write_bytes(render(operations))
        temporary.rename(self.path / "spec")

    @property
    def prepared(self) -> bool:
        return (self.path / "spec").exists()

    def start(self, program: Path, errors: int) -> int:
        """Starts a shim and gives back its pid. It leaves by itself if the attempt has another one."""
        return os.posix_spawn(
            program,
            [program.name, str(self.path)],
            {},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, errors, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGCHLD, signal.SIGPIPE],
        )

    @property
    def claimed(self) -> bool:
        return self._read("claim") is not None

    def keeper(self) -> int | None:
        """The pid of the shim that lives; None if there is none."""
        claim = self._read("claim")
        return int(claim) if claim and claim != _NOBODY and self._is_locked() else None

    @property
    def contested(self) -> bool:
        """Whether a shim holds the lock and has not made its claim yet.

        Asking disturbs a shim that is about to take the lock, so this is asked only once the shim
        that was started for the attempt has ended."""
        return not self.claimed and self._is_locked()

    def forbid(self) -> bool:
        """Makes the claim for nobody: a shim that has not made it yet never will, and the attempt
        is lost. False if a shim was first."""
        temporary = self.path / f".claim.{os.getpid()}"
        temporary.write_text(_NOBODY)
        try:
            os.link(temporary, self.path / "claim")
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def process(self) -> Process | None:
        text = self._read("process")
        return Process.parse(text) if text else None

    def look(self) -> State:
        """What is true of the attempt now. One whose shim is gone without a word is declared lost.

        The shim takes its lock, then makes its claim, and lets go of the lock after its last word.
        So the questions are asked in this order: a claim that was there before the lock was found
        free is that of a shim that is gone, and its last word was there before that, too. Asked the
        other way round, a shim that claims between the two questions looks like one that died."""
        claimed = self.claimed
        gone = claimed and self.keeper() is None
        state = self.state()
        if gone and not isinstance(state, Ended):
            self.declare_lost()
            state = self.state()
        return state

    def state(self) -> State:
        """What was left, whoever left it; `look` asks whether its author still lives."""
        started = self._read("started")
        since = _moment(started) if started else None
        ended = self._read("ended")
        if ended is not None:
            return self._ended(ended, since)
        return Running(since) if since else Starting()

    def declare_lost(self) -> None:
        """For an attempt whose shim is gone without a word."""
        process = self.process()
        if process is not None:
            process.send(signal.SIGKILL)
        seconds = datetime.now(UTC).timestamp()
        temporary = self.path / ".lost"
        temporary.write_text(f"{seconds:.9f} lost {KILLED} {LOST}")
        temporary.rename(self.path / "ended")

    def declare_out_of_memory(self) -> None:
        """Before the cgroup goes, which is all that knows it."""
        (self.path / "out-of-memory").touch()

    def _ended(self, record: str, since: datetime | None) -> Ended:
        ended = self._parsed(record, since)
        if (self.path / "out-of-memory").exists():
            return replace(ended, reason=OUT_OF_MEMORY)
        return ended

    @staticmethod
    def _parsed(record: str, since: datetime | None) -> Ended:
        when, how, number, message = record.split(" ", 3)
        at, value = _moment(when), int(number)
        match how:
            case "exit":
                return Ended(at, value, "Error" if value else "Completed", since)
            case "signal":
                return Ended(at, 128 + value, "Error", since, signal=value)
            case "lost":
                return Ended(at, value, "ContainerStatusUnknown", since, message=message)
        return Ended(at, value, "StartError", since, message=message)

    def _read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return None

    def _is_locked(self) -> bool:
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who ask do not take each other for a shim.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
