"""The sidecar's threads: what happens comes into one queue, `runtime.decide` says what to do.

    main      takes events from the queue, carries orders out
    watcher   sleeps in the lock that the wrapper holds: awake the moment it is gone
    shipper   sends the log; the only one that does, so one batch is in flight
    step      what takes long: downloads, the barrier, uploads; one at a time
    copier    of each checkpoint: copies it while the command runs
    follower  of a group of several tasks: asks now and then whether it began anew

Nothing else is polled while nothing happens but the size of the spool, once a second.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH103, PTH104, PTH110, PTH120, PTH123

import fcntl
import json
import os
import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread, Timer
from typing import Any, NamedTuple

from operators.shared.files import TransferFailed
from operators.shared.patience import Stopped, chance
from operators.task_runtime import data, runtime
from operators.task_runtime.api import (
    HELD_TIMEOUT_SECONDS,
    JSON,
    Api,
    Over,
    Refusal,
    Token,
    Unreachable,
)
from operators.task_runtime.checkpoints import Checkpoint
from operators.task_runtime.logs import BATCH_BYTES, Done, SayEnd, Send, Shipper, Wait
from operators.task_runtime.masking import Outgoing
from operators.task_runtime.runtime import Code
from operators.task_runtime.spool import Spool
from xylem.protocol.spool import HEADER, RECORD_BYTES

GRACE_SECONDS = 25.0
"""Of a pod's 30 (`manifests/pod.py`), so that we leave before we are killed."""

FIRST_LOOK_SECONDS = 0.01
LONGEST_LOOK_SECONDS = 1.0
"""For the wrapper to come up: its image may take minutes to pull."""

STOPPED_LOOK_SECONDS = 0.05
"""For the command to end that is to begin anew."""

SPOOL_FULL = 74
"""The wrapper's code when its disk stayed full: as if it was killed, its last record is torn."""

GZIP = 31
"""zlib's `wbits` for a gzip header and trailer."""

BATCH = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}


class Places(NamedTuple):
    """Where things are in a pod (`manifests/runtime.py`)."""

    run: str
    token: str
    config: str
    termination: str


def places(root: str = "") -> Places:
    """`root`: what stands for the pod's `/` in a test."""
    return Places(
        run=f"{root}/osmo/run/task",
        token=f"{root}/osmo/token/token",
        config=f"{root}/osmo/config/task.json",
        termination=f"{root}/dev/termination-log",
    )


class Sidecar:
    def __init__(self, places: Places, config: dict[str, Any], token: str) -> None:
        self._places = places
        self._config = config
        self._stop = Event()
        self._ended = Event()
        self._wake = Event()
        self._token = Token(token)
        os.makedirs(places.run, exist_ok=True)
        self._spool = Spool(places.run)
        self._shipper = Shipper()
        self._outgoing = _outgoing(config)
        self._happened: SimpleQueue[runtime.Event] = SimpleQueue()
        self._checkpoints = [
            Checkpoint(
                one,
                data=os.path.dirname(config["output"]),
                stores=config.get("stores", {}),
                say=self._spool.say,
            )
            for one in config.get("checkpoints", [])
        ]

    def live(self) -> int:
        """What to exit with."""
        signal.signal(signal.SIGTERM, self._terminated)
        signal.signal(signal.SIGINT, self._terminated)
        self._in_thread(self._watch)
        self._in_thread(self._ship)
        for checkpoint in self._checkpoints:
            self._in_thread(checkpoint.keep)
        gang = self._config.get("gang")
        if gang:
            self._in_thread(lambda: self._follow_group(gang["look_every"]))
        life, orders = runtime.begin(
            inputs=bool(self._config["inputs"]),
            barrier=self._config["barrier"],
            waits=self._config["wait"],
            restarts=gang["restarts"] if gang else 0,
        )
        while True:
            for order in orders:
                if isinstance(order, runtime.Leave):
                    return order.code
                self._carry_out(order)
            event = self._happened.get()
            if isinstance(event, runtime.CommandEnded | runtime.Terminated):
                self._ended.set()
                for checkpoint in self._checkpoints:
                    checkpoint.ended.set()
            if isinstance(event, runtime.CommandEnded) and event.code in (None, SPOOL_FULL):
                self._spool.mend(self._shipper.offset)
            life, orders = runtime.decide(life, event)

    def _carry_out(self, order: runtime.Order) -> None:
        match order:
            case runtime.Download():
                self._in_thread(self._download)
            case runtime.Meet(restarts):
                self._in_thread(lambda: self._meet(restarts))
            case runtime.Upload():
                self._in_thread(self._upload)
            case runtime.Go(restarts):
                self._put("go", str(restarts).encode())
            case runtime.Restart(restarts):
                self._put("restart", str(restarts).encode())
                self._in_thread(lambda: self._await_stop(restarts))
            case runtime.Stop(code):
                self._put("stop", str(code).encode())
            case runtime.Abandon():
                self._stop.set()
            case runtime.Hurry():
                self._shipper.hurry()
                self._wake.set()
                timer = Timer(GRACE_SECONDS, self._happened.put, [runtime.GraceOver()])
                timer.daemon = True
                timer.start()
            case runtime.CloseLog():
                self._shipper.ended(self._spool.size())
                self._wake.set()
            case runtime.Say(text):
                self._spool.say(text)
            case runtime.Leave():
                pass

    @property
    def _stores(self) -> dict[str, dict[str, str]]:
        """Keys, by the URL below which they open."""
        found: dict[str, dict[str, str]] = self._config.get("stores", {})
        return found

    def _terminated(self, *_: object) -> None:
        self._happened.put(runtime.Terminated())

    def _in_thread(self, work: Callable[[], None]) -> None:
        Thread(target=work, daemon=True).start()

    def _api(self) -> Api:
        return Api(self._config["api_url"], self._token, self._stop)

    def _watch(self) -> None:
        """`alive` appears locked, so once it is there its lock is all there is to know."""
        look = FIRST_LOOK_SECONDS
        while True:
            try:
                file = os.open(f"{self._places.run}/alive", os.O_RDONLY | os.O_CLOEXEC)
                break
            except FileNotFoundError:
                time.sleep(look)
                look = min(LONGEST_LOOK_SECONDS, look * 1.5)
        fcntl.flock(file, fcntl.LOCK_SH)
        self._happened.put(runtime.CommandEnded(_exit_code(f"{self._places.run}/exit")))

    # Steps: each ends in one event.

    def _download(self) -> None:
        def work(api: Api) -> runtime.Event:
            inputs, folder = self._config["inputs"], self._config["input"]
            of_tasks = [one for one in inputs if "url" not in one]
            data.download(of_tasks, folder, api=api, say=self._spool.say, stop=self._stop)
            for one in inputs:
                if "url" in one:
                    from operators.task_runtime import stores  # noqa: PLC0415 - 20 ms

                    stores.download(one, folder, self._stores, say=self._spool.say, stop=self._stop)
            return runtime.Downloaded()

        self._step(work, Code.DOWNLOAD, "Downloading inputs failed")

    def _meet(self, restarts: int) -> None:
        def work(api: Api) -> runtime.Event:
            known, is_open = restarts, False
            while not is_open:
                body = {"restarts": known}
                answer = api.insist("/runtime/barrier", body, HELD_TIMEOUT_SECONDS)
                is_open = answer["open"]
                if answer.get("restarts", 0) > known:
                    known = answer["restarts"]
                    self._happened.put(runtime.Restarted(known))
            return runtime.Met(known)

        self._step(work, Code.BARRIER, "Meeting the group at its barrier failed")

    def _await_stop(self, restarts: int) -> None:
        """The end of the pod ends the wait and is no stop: the command may still print."""
        while not self._ended.wait(STOPPED_LOOK_SECONDS):
            if _number_in(f"{self._places.run}/stopped") >= restarts:
                self._happened.put(runtime.CommandStopped())
                return

    def _follow_group(self, every: float) -> None:
        """Hints: an answer that is lost comes again, and who is refused is over anyway."""
        api = self._api()
        wait = every * chance()  # a gang starts together, and shall not ask together
        while not self._ended.wait(wait):
            wait = every
            try:
                reply = api.send("/runtime/group", b"{}", JSON)
            except Unreachable:
                continue
            except Over:
                return
            if reply.status == 200:
                self._happened.put(runtime.Restarted(reply.body["restarts"]))

    def _upload(self) -> None:
        """What cannot be brought to one place is no reason to lose what goes to another."""

        def work(api: Api) -> runtime.Event:
            failures: list[Exception] = []
            for copy in self._copies(api):
                try:
                    copy()
                except (Refusal, TransferFailed, OSError) as error:
                    failures.append(error)
            if failures:
                raise failures[0]
            return runtime.Uploaded()

        self._step(work, Code.UPLOAD, "Uploading outputs failed")

    def _copies(self, api: Api) -> Iterator[Callable[[], None]]:
        """For the tasks downstream, for each URL, and of each checkpoint."""
        output = self._config["output"]
        yield partial(data.upload, output, api=api, say=self._spool.say, stop=self._stop)
        if self._config.get("datasets"):
            yield partial(self._upload_datasets, api)
        kpis = [_below(kpi["path"], output) for kpi in self._config.get("kpis", [])]
        for kpi in kpis:
            if not os.path.exists(f"{output}/{kpi}"):
                self._spool.say(f"KPI {kpi}: there is no such file in the output.")
        for one in self._config.get("outputs", []):
            yield partial(self._upload_to, one, kpis)
        for checkpoint in self._checkpoints:
            yield partial(checkpoint.copy_last, self._stop)

    def _upload_datasets(self, api: Api) -> None:
        from operators.task_runtime import datasets  # noqa: PLC0415 - for who has datasets alone

        datasets.upload(
            self._config["datasets"],
            self._config["output"],
            api=api,
            say=self._spool.say,
            stop=self._stop,
        )

    def _upload_to(self, one: dict[str, str], always: list[str]) -> None:
        from operators.task_runtime import stores  # noqa: PLC0415 - as above

        stores.upload(
            one["url"],
            one["regex"],
            self._config["output"],
            self._stores,
            what="outputs",
            say=self._spool.say,
            stop=self._stop,
            always=always,
        )

    def _step(self, work: Callable[[Api], runtime.Event], code: int, failed: str) -> None:
        event: runtime.Event
        try:
            event = work(self._api())
        except Stopped:
            return
        except Over as error:
            event = runtime.Failed(Code.TOKEN, f"{failed}: {error}")
        except (Refusal, TransferFailed, OSError) as error:
            event = runtime.Failed(code, f"{failed}: {error}")
        except Exception as error:  # a thread that dies silently would leave the pod waiting
            event = runtime.Failed(Code.OTHER, f"{failed}: {type(error).__name__}: {error}")
        self._happened.put(event)

    # The log.

    def _ship(self) -> None:
        try:
            self._ship_all()
            self._happened.put(runtime.LogClosed())
        except Over as error:
            self._log_failed(Code.TOKEN, error)
        except Exception as error:  # as in a step
            self._log_failed(Code.OTHER, error)

    def _log_failed(self, code: int, error: Exception) -> None:
        print(f"The log cannot be sent: {error}", file=sys.stderr, flush=True)
        self._happened.put(runtime.LogFailed(code))

    def _ship_all(self) -> None:
        api = self._api()
        while True:
            match self._shipper.next(self._spool.size(), time.monotonic()):
                case Done():
                    return
                case Wait(seconds):
                    self._wake.wait(seconds)
                    self._wake.clear()
                case Send(offset, limit):
                    self._send(api, offset, self._spool.read(offset, limit))
                case SayEnd(length):
                    end = json.dumps({"length": length}).encode()
                    self._say(api, "/runtime/logs/end", end, JSON)

    def _send(self, api: Api, offset: int, raw: bytes) -> None:
        if not raw:
            self._shipper.nothing_whole(time.monotonic())
        elif self._outgoing is None:
            self._say(api, f"/runtime/logs?offset={offset}", _gzip(raw), BATCH)
        else:
            self._outgoing.also(self._token.value)
            last = self._shipper.is_last(offset + len(raw))
            masked = self._outgoing.take(offset, raw, last=last, now=time.monotonic())
            if masked is None:
                self._shipper.undecided(time.monotonic())
            else:
                path = f"/runtime/logs?offset={offset}&length={masked.length}"
                self._say(api, path, _gzip(masked.body), BATCH)

    def _say(self, api: Api, path: str, body: bytes, headers: dict[str, str]) -> None:
        try:
            reply = api.send(path, body, headers)
        except Unreachable:
            self._shipper.failed(time.monotonic())
            return
        if reply.status == 410:
            reply = reply._replace(status=200, body={"next": self._shipper.offset, "closed": True})
        if reply.status == 409:
            self._shipper.failed(time.monotonic())
            return
        if reply.status != 200:
            raise Refusal(reply.status, str(reply.body.get("message", reply.status)))
        self._shipper.stored(
            reply.body["next"],
            closed=reply.body.get("closed", False),
            size=self._spool.size(),
            now=time.monotonic(),
            followed=reply.body.get("followed", False),
        )

    def _put(self, name: str, content: bytes) -> None:
        """In one step: the wrapper looks at it the moment it appears."""
        target = f"{self._places.run}/{name}"
        with open(f"{target}.new", "wb") as file:
            file.write(content)
        os.rename(f"{target}.new", target)


def _outgoing(config: dict[str, Any]) -> Outgoing | None:
    """A service that names no secrets, not even none, is of an earlier release: its Logger takes
    what it is sent for as long as the spool, so it is sent the spool, and masks what it can."""
    if "mask" not in config:
        return None
    return Outgoing(config["mask"], full=BATCH_BYTES - HEADER.size - RECORD_BYTES)


def _exit_code(path: str) -> int | None:
    try:
        with open(path, "rb") as file:
            return int(json.loads(file.read())["code"])
    except (OSError, ValueError, KeyError):
        return None


def _number_in(path: str) -> int:
    """-1: there is none."""
    try:
        with open(path, "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return -1


def _below(path: str, folder: str) -> str:
    """Of a file, as the folder's own files are named."""
    return path.removeprefix(f"{folder}/").lstrip("/")


def _gzip(raw: bytes) -> bytes:
    packer = zlib.compressobj(wbits=GZIP)
    return packer.compress(raw) + packer.flush()


def run(places: Places) -> int:
    try:
        with open(places.config, "rb") as file:
            config = json.loads(file.read())
        with open(places.token) as file:
            token = file.read().strip()
        code = Sidecar(places, config, token).live()
    except (OSError, ValueError, KeyError) as error:
        print(f"osmo-ctrl: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        code = Code.OTHER
    if code:
        _leave_word(places.termination, code)
    return code


def _leave_word(path: str, code: int) -> None:
    """Where the kubelet looks for a container's last words."""
    try:
        with open(path, "w") as file:
            file.write(json.dumps({"code": code}))
    except OSError:
        return


def main() -> None:
    os.umask(0)  # the task may be another user, and shall use what we download
    code = run(places(*sys.argv[1:]))
    sys.stderr.flush()
    os._exit(code)  # without the farewell of an interpreter whose threads still sleep in locks


if __name__ == "__main__":
    main()
