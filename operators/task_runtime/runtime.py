"""The life of one task as its sidecar sees it: what happened in, what to do out.

                                   ,----------- STOPPING <-Restarted-.
                             CommandStopped                          |
                                   v                                 |
    DOWNLOADING --Downloaded--> MEETING --Met--> RUNNING ------------'
         |                         |                '--CommandEnded--> UPLOADING
         |                         |                |                     |
       Failed                    Failed      (terminated: no upload)   Uploaded, Failed
         '---------> Stop          '-> Stop         |                     |
                       '-------------'--------------'---> CLOSING <-------'
                                                             '--LogClosed--> LEFT

What a task does not need is passed over: no inputs, no barrier. Outputs are uploaded also when the
command failed. Terminated means that the pod is being deleted: its attempt is over, so nothing is
uploaded any more, but what was printed is still sent, and what the command prints on its way out,
until `GraceOver`.

When one task of a group is tried again, the others begin anew in their pods: the command is ended,
all meet, it starts. `restarts` counts that for the group; who does not run has nothing to end. Who
hears of a restart on the way from a barrier turns back: the others wait at the next one.

`decide` is total and pure; late and repeated events change nothing.
"""

from enum import Enum
from typing import NamedTuple


class Code:
    """What a sidecar exits with; OSMO's numbers. A listener adds 2000."""

    FINE = 0
    TERMINATED = 1
    DOWNLOAD = 10
    UPLOAD = 12
    TOKEN = 20
    BARRIER = 24
    OTHER = 40


class Phase(Enum):
    DOWNLOADING = 1
    MEETING = 2
    RUNNING = 3
    STOPPING = 4
    UPLOADING = 5
    CLOSING = 6
    LEFT = 7


class Life(NamedTuple):
    """`waits`: the wrapper starts the command only when told to. `restarts`: of the group, as far
    as is known here."""

    phase: Phase
    barrier: bool
    waits: bool
    restarts: int = 0
    terminated: bool = False
    log_closed: bool = False
    code: int = Code.FINE


class Downloaded(NamedTuple):
    pass


class Met(NamedTuple):
    """Everybody of the group is at the barrier of this restart."""

    restarts: int


class Restarted(NamedTuple):
    """The group did, so often in all."""

    restarts: int


class CommandStopped(NamedTuple):
    """It ended because we asked for it, and its wrapper waits."""


class CommandEnded(NamedTuple):
    """`code` None: the wrapper was killed before it could say one."""

    code: int | None


class Uploaded(NamedTuple):
    pass


class Failed(NamedTuple):
    """Of what the phase does."""

    code: int
    message: str


class LogClosed(NamedTuple):
    pass


class LogFailed(NamedTuple):
    """Nothing more of the log will be taken."""

    code: int


class Terminated(NamedTuple):
    pass


class GraceOver(NamedTuple):
    pass


Event = (
    Downloaded
    | Met
    | Restarted
    | CommandStopped
    | CommandEnded
    | Uploaded
    | Failed
    | LogClosed
    | LogFailed
    | Terminated
    | GraceOver
)


class Download(NamedTuple):
    pass


class Meet(NamedTuple):
    restarts: int


class Go(NamedTuple):
    restarts: int


class Restart(NamedTuple):
    """End the command; when it ended, tell `CommandStopped`."""

    restarts: int


class Stop(NamedTuple):
    """The command shall never start; its container ends with this code."""

    code: int


class Upload(NamedTuple):
    pass


class Abandon(NamedTuple):
    """Whatever is being downloaded, waited for or uploaded."""


class Hurry(NamedTuple):
    """Send what is printed at once; after the grace, tell `GraceOver`."""


class CloseLog(NamedTuple):
    """Nothing more will be printed."""


class Say(NamedTuple):
    """In the task's log."""

    text: str


class Leave(NamedTuple):
    code: int


Order = Download | Meet | Go | Restart | Stop | Upload | Abandon | Hurry | CloseLog | Say | Leave
Decision = tuple[Life, tuple[Order, ...]]


def begin(*, inputs: bool, barrier: bool, waits: bool, restarts: int = 0) -> Decision:
    life = Life(Phase.DOWNLOADING, barrier, waits, restarts)
    return (life, (Download(),)) if inputs else _meet(life)


def decide(life: Life, event: Event) -> Decision:
    phase = life.phase
    if phase is Phase.LEFT:
        return life, ()
    match event:
        case Downloaded() if phase is Phase.DOWNLOADING:
            return _meet(life)
        case Met(restarts) if phase is Phase.MEETING:
            return _run(life) if restarts >= life.restarts else _meet(life)
        case Restarted(restarts) if restarts > life.restarts:
            return _restarted(life._replace(restarts=restarts))
        case CommandStopped() if phase is Phase.STOPPING:
            return _stopped(life)
        case Failed(code, message) if phase in (Phase.DOWNLOADING, Phase.MEETING):
            return _close(life._replace(code=code), Say(message), Stop(code))
        case Failed(code, message) if phase is Phase.UPLOADING:
            return _close(life._replace(code=code), Say(message))
        case CommandEnded() if phase in (Phase.DOWNLOADING, Phase.MEETING):
            return _close(life, Abandon())
        case CommandEnded(code) if phase in (Phase.RUNNING, Phase.STOPPING):
            return _command_ended(life, code)
        case Uploaded() if phase is Phase.UPLOADING:
            return _close(life)
        case LogClosed() if phase is Phase.CLOSING:
            return _leave(life)
        case LogClosed():
            return life._replace(log_closed=True), ()
        case LogFailed(code):
            return _leave(life._replace(code=code))
        case Terminated() if not life.terminated:
            return _terminated(life._replace(terminated=True))
        case GraceOver():
            return _leave(life._replace(code=life.code or Code.TERMINATED))
        case _:
            return life, ()


def _meet(life: Life) -> Decision:
    if not life.barrier:
        return _run(life)
    return life._replace(phase=Phase.MEETING), (Meet(life.restarts),)


def _run(life: Life) -> Decision:
    return life._replace(phase=Phase.RUNNING), (Go(life.restarts),) if life.waits else ()


def _restarted(life: Life) -> Decision:
    if life.phase is not Phase.RUNNING or life.terminated:
        return life, ()
    said = Say("Another task of the group is tried again: the command begins anew.")
    return life._replace(phase=Phase.STOPPING, waits=True), (said, Restart(life.restarts))


def _stopped(life: Life) -> Decision:
    if life.terminated:
        return _close(life._replace(code=Code.TERMINATED), Stop(Code.TERMINATED))
    return _meet(life)


def _command_ended(life: Life, code: int | None) -> Decision:
    said: tuple[Order, ...] = ()
    if code is None:
        said = (Say("The command was killed; what it printed last may be missing."),)
    if life.terminated:
        return _close(life._replace(code=Code.TERMINATED), *said)
    return life._replace(phase=Phase.UPLOADING), (*said, Upload())


def _terminated(life: Life) -> Decision:
    match life.phase:
        case Phase.RUNNING | Phase.STOPPING | Phase.CLOSING:
            return life, (Hurry(),)
        case _:
            return _close(life._replace(code=Code.TERMINATED), Hurry(), Abandon())


def _close(life: Life, *orders: Order) -> Decision:
    if life.log_closed:
        return _leave(life, *orders)
    return life._replace(phase=Phase.CLOSING), (*orders, CloseLog())


def _leave(life: Life, *orders: Order) -> Decision:
    return life._replace(phase=Phase.LEFT), (*orders, Leave(life.code))
