"""`up`: the steps of the plan, done one after the other, each safe to do again.

Nothing is undone when a step fails. What runs keeps running for whoever looks for the reason, the
next `up` goes on from there, and `down` ends it.
"""

import fcntl
import getpass
import json
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from clients.local import stack
from clients.local.checks import check_machine, check_ports
from clients.local.errors import LocalError
from clients.local.facts import Look, look
from clients.local.keys import Tokens, make_tokens
from clients.local.parts import PartName, log_of
from clients.local.plan import Step, plan_up
from clients.local.processes import end, find_leftovers
from clients.local.settings import Settings
from clients.local.supervisor import Supervisor, start
from clients.sdk.client import Client
from clients.sdk.login import Login, config_folder, load, store, write_private

BUCKET = "default"
"""Of datasets, where nobody set any."""

POOL = "default"
LOCK = "up.lock"
_POLL = 0.05
_START_SECONDS = 60
_BACKOFF_SECONDS = 8
_ONLINE_SECONDS = 60


class Progress(Protocol):
    """Who watches."""

    def step(self, title: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Ready:
    api_url: str
    login_folder: Path
    """Where `XYLEM_CONFIG_DIR` may point to for this stack alone."""
    other_login: str | None
    """The address of a login of the user's that was left as it was."""
    seconds: float
    warnings: tuple[str, ...]
    """What this machine cannot hold to, in the desk cluster's words."""


def up(settings: Settings, environ: Mapping[str, str], progress: Progress) -> Ready:
    """Bring everything up that is not. Raises `LocalError`, `ClientError`."""
    began = time.monotonic()
    _make_home(settings.home)
    with _alone(settings):
        seen = look(settings, now=datetime.now(UTC))
        steps = plan_up(seen.facts)
        if steps:
            check_machine(settings, steps)
            write_private(settings.home / ".gitignore", "*\n")
        work = _Up(settings, seen, progress)
        for step in steps:
            with progress.step(step.value):
                work.do(step)
        other = _write_login(settings, config_folder(environ))
    return Ready(
        api_url=settings.api_url,
        login_folder=settings.login_folder,
        other_login=other,
        seconds=time.monotonic() - began,
        warnings=(
            cluster_warnings(log_of(settings, PartName.CLUSTER))
            if settings.own_kubeconfig is None
            else ()
        ),
    )


def _make_home(home: Path) -> None:
    """A folder that we may write. Raises `LocalError`."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # keys are in it
        (home / LOCK).touch()
    except OSError as error:
        raise LocalError(
            f"{home} cannot hold the stack's state: {error.strerror}.",
            "Set XYLEM_HOME to a folder that you may write.",
        ) from error


class _Up:
    def __init__(self, settings: Settings, seen: Look, progress: Progress) -> None:
        self._settings = settings
        self._seen = seen
        self._progress = progress
        self._supervisor = Supervisor(settings)

    def do(self, step: Step) -> None:
        actions: Mapping[Step, Callable[[], None]] = {
            Step.CLEAR: self._clear,
            Step.STOP: self._stop,
            Step.START: self._start,
            Step.SYNTHESISE: lambda: stack.synthesise(self._settings, self._seen.app),
            Step.AWAIT_AWS: self._await_aws,
            Step.BOOTSTRAP: lambda: stack.bootstrap(self._settings),
            Step.DEPLOY: lambda: stack.deploy(self._settings, self._seen.app),
            Step.KEYS: self._keys,
            Step.AWAIT_CLUSTER: self._await_cluster,
            Step.OPERATOR: self._operator,
            Step.POOL: self._pool,
        }
        actions[step]()

    def _clear(self) -> None:
        supervised = self._supervisor.running() is not None
        end(find_leftovers(self._settings.home, supervised=supervised))

    def _stop(self) -> None:
        self._supervisor.shut_down()
        _wait(lambda: self._supervisor.running() is None, 30, _not("supervisord does not end."))
        self._clear()

    def _start(self) -> None:
        running = self._supervisor.running()
        check_ports(self._settings, [name for name, part in (running or {}).items() if part.up])
        if running is None:
            remembered = self._settings.remembered_ports
            write_private(remembered, json.dumps(dict(self._settings.ports)))
            own = self._settings.own_kubeconfig
            write_private(self._settings.remembered_kubeconfig, "" if own is None else str(own))
            write_private(self._settings.supervisor_configuration, self._seen.configuration)
            process = start(self._settings)
            _wait(
                lambda: self._supervisor.running() is not None or process.poll() is not None,
                _START_SECONDS,
                _not("supervisord does not answer."),
            )
            if process.poll() is not None:
                said = (self._settings.logs / "supervisord.out").read_text(errors="replace")
                raise LocalError(
                    f"supervisord does not start: {_last_line(said)}", "Run `xylem local down`."
                )
        for part in self._seen.parts:
            if part.starts_alone:
                self._supervisor.start_part(part.name)

    def _await_aws(self) -> None:
        url = f"{self._settings.endpoint}/_ministack/ready"
        self._await_part(PartName.AWS, lambda: _answers(url))

    def _keys(self) -> None:
        tokens = make_tokens(self._settings, subject=_user(), now=datetime.now(UTC))
        _store(self._settings, tokens)

    def _await_cluster(self) -> None:
        self._await_part(
            PartName.CLUSTER,
            lambda: (
                self._settings.kubeconfig.is_file()
                and _answers(f"{self._settings.cluster_url}/version", {200, 401})
            ),
        )

    def _operator(self) -> None:
        self._supervisor.start_part(PartName.OPERATOR)
        self._await_part(PartName.OPERATOR, lambda: True)

    def _pool(self) -> None:
        login = load(self._settings.login_folder)
        assert login is not None  # the keys' step wrote it
        with Client(login) as client:
            known = client.pools().pools.get(POOL)
            if known is None or known.backend != self._settings.backend:
                own = self._settings.own_kubeconfig is not None
                configuration: dict[str, object] = {
                    "description": "A cluster of your own" if own else "This machine",
                    "backend": self._settings.backend,
                    "default_platform": "default",
                    "platforms": {"default": {}},
                }
                client.put_pool(POOL, configuration, description="Registered by xylem local up")
            if not client.datasets.buckets().buckets:
                client.datasets.set_bucket(BUCKET, BUCKET, description="This machine")
                client.datasets.set_default_bucket(BUCKET)

            def online() -> bool:
                self._check_part(PartName.OPERATOR)
                pool = client.pools().pools.get(POOL)
                return pool is not None and pool.status == "ONLINE"

            _wait(
                online,
                _ONLINE_SECONDS,
                lambda: LocalError(
                    f"The pool {POOL} did not come online: its operator did not get through.",
                    "Look with `xylem local logs operator`.",
                ),
            )
        stack.finish(self._settings)

    def _await_part(self, name: PartName, ready: Callable[[], bool]) -> None:
        began = time.monotonic()

        def up_and_ready() -> bool:
            tries_are_over = time.monotonic() - began > _BACKOFF_SECONDS
            return self._check_part(name, tries_are_over=tries_are_over) and ready()

        _wait(up_and_ready, _START_SECONDS, lambda: self._failure(name))

    def _check_part(self, name: PartName, *, tries_are_over: bool = False) -> bool:
        """Whether it runs. Raises `LocalError` once it is given up: by supervisord, or by us when
        it ended again at each of its starts."""
        running = self._supervisor.running()
        if running is None:
            raise LocalError(
                "supervisord ended while its parts were awaited, perhaps by `xylem local down`.",
                "Run `xylem local up` again.",
            )
        part = running.get(name)
        if part is not None and (part.given_up or (tries_are_over and part.state == "BACKOFF")):
            raise self._failure(name)
        return part is not None and part.up

    def _failure(self, name: PartName) -> LocalError:
        try:
            said = _last_line(log_of(self._settings, name).read_text(errors="replace"))
        except FileNotFoundError:
            said = "it said nothing."
        return LocalError(
            f"{name} does not come up: {said}", f"See more with `xylem local logs {name}`."
        )


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Two at once would start everything twice. The kernel's lock goes with whoever holds it."""
    with (settings.home / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(
                f"Another `xylem local up` works on {settings.home}.", "Wait until it is done."
            ) from None
        yield


def _store(settings: Settings, tokens: Tokens) -> None:
    settings.operator_token.parent.mkdir(exist_ok=True, mode=0o700)
    write_private(settings.operator_token, tokens.operator)
    store(Login(url=settings.api_url, token=tokens.user, pool=POOL), settings.login_folder)


def _write_login(settings: Settings, folder: Path) -> str | None:
    """The user's own login becomes the local one, if it may. Returns the address of one that
    stays."""
    ours = load(settings.login_folder)
    present = load(folder)
    if ours is None or present == ours:
        return None
    if not may_replace(present, ours):
        return present.url if present else None
    store(ours, folder)
    return None


def may_replace(present: Login | None, ours: Login) -> bool:
    """Only the login of a local stack: where a person's work goes otherwise is theirs to change,
    and a loopback address alone may be a tunnel."""
    if present is None:
        return True
    here, there = urlsplit(ours.url), urlsplit(present.url)
    return (here.hostname, here.path) == (there.hostname, there.path)


def _wait(ready: Callable[[], bool], seconds: float, failure: Callable[[], LocalError]) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise failure()
        time.sleep(_POLL)


def cluster_warnings(log: Path) -> tuple[str, ...]:
    """The desk cluster says in one line of JSON when it is ready and what is missing."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    ready = [line for line in lines if line.startswith('{"ready"')]
    return tuple(json.loads(ready[-1]).get("warnings", ())) if ready else ()


def _answers(url: str, expected: Set[int] = frozenset({200})) -> bool:
    """The cluster answers 401 to who brings no token: it is there."""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code in expected
    except httpx.TransportError:
        return False


def _not(problem: str) -> Callable[[], LocalError]:
    return lambda: LocalError(problem, "Run `xylem local down`, then `xylem local up`.")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing."


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "local"
