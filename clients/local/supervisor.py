"""supervisord: its configuration (a text), and the questions that we ask it.

It is asked over a Unix socket in the state folder, which needs no port and no password. When it was
killed, its socket and pid file are left; both mean nothing until somebody answers.
"""

import os
import subprocess
import xmlrpc.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from clients.local.errors import LocalError
from clients.local.parts import HOME_VARIABLE, Part, PartName, log_of
from clients.local.settings import Settings

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LOGNAME", "TZ")
"""What programs need of the environment of whoever says `up`; the rest would leak into tasks."""


@dataclass(frozen=True, slots=True)
class Running:
    """What supervisord says of a part."""

    name: str
    state: str
    """RUNNING, STARTING, BACKOFF, FATAL, STOPPED, EXITED …"""
    pid: int | None
    seconds: float
    why: str
    """Of a part that is not running, in supervisord's words."""

    @property
    def up(self) -> bool:
        return self.state == "RUNNING"

    @property
    def given_up(self) -> bool:
        """It will not come up by itself; BACKOFF alone may be a start that is tried again."""
        return self.state in {"FATAL", "EXITED", "UNKNOWN"}


def configuration(settings: Settings, parts: Iterable[Part], made_of: Mapping[str, str]) -> str:
    """The configuration file. `made_of`: the fingerprint of each part's sources, so that the text
    changes, and with it what runs, when they do."""
    sections = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        f"logfile={settings.logs / 'supervisord.log'}",
        f"pidfile={settings.home / 'supervisord.pid'}",
        "[unix_http_server]",
        f"file={settings.supervisor_socket}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    if os.geteuid() == 0:
        sections.insert(1, "user=root")  # to run as root is meant, not overlooked
    for part in parts:
        environment = {**part.environment, "XYLEM_SOURCES": made_of[part.name]}
        pairs = ",".join(f"{name}={_quoted(value)}" for name, value in environment.items())
        sections += [
            f"[program:{part.name}]",
            f"command={' '.join(_quoted(word) for word in part.command)}",
            f"directory={settings.root}",
            f"environment={pairs}",
            f"autostart={str(part.starts_alone).lower()}",
            "autorestart=true",
            "startretries=20",
            "stopwaitsecs=15",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={log_of(settings, part.name)}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=2",
        ]
    return "\n".join(sections) + "\n"


def _quoted(word: str) -> str:
    return f'"{word}"'  # `find_settings` refuses folders with a quote


def start(settings: Settings) -> subprocess.Popen[bytes]:
    """supervisord, in a session of its own: it outlives the terminal."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    with (settings.logs / "supervisord.out").open("wb") as output:
        return subprocess.Popen(
            [
                *(str(settings.python), "-m", "supervisor.supervisord"),
                *("-c", str(settings.supervisor_configuration)),
            ],
            cwd=settings.root,
            env=scrubbed_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def scrubbed_environment(settings: Settings) -> dict[str, str]:
    """For whatever we start: little of the caller's, and the mark by which `down` knows it."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, HOME_VARIABLE: str(settings.home)}


class Supervisor:
    """The one that runs for this state folder, if one does."""

    def __init__(self, settings: Settings) -> None:
        self._address = f"unix://{settings.supervisor_socket}"

    @property
    def _server(self) -> Any:
        """Made for each question: a connection that failed once keeps its dead socket."""
        # The XML-RPC protocol wants an HTTP address, which the transport then ignores.
        return xmlrpc.client.ServerProxy(
            "http://localhost", transport=SupervisorTransport(None, None, self._address)
        )

    def running(self) -> Mapping[str, Running] | None:
        """By part; None: no supervisord answers."""
        try:
            told = self._server.supervisor.getAllProcessInfo()
        except (OSError, HTTPException, xmlrpc.client.Error):
            return None
        return {each["name"]: _running(each) for each in told}

    def start_part(self, name: PartName) -> None:
        """Nothing happens to one that runs. Raises `LocalError`."""
        try:
            self._server.supervisor.startProcess(name.value, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" in fault.faultString:
                return
            raise LocalError(
                f"supervisord cannot start the {name}: {fault.faultString}.", "Run `make install`."
            ) from fault
        except (OSError, HTTPException) as error:
            raise LocalError(
                "supervisord ended before it had started its parts.", "Run `xylem local up` again."
            ) from error

    def stop_part(self, name: PartName) -> None:
        """Waits until it has ended; nothing happens to one that does not run. Raises
        `LocalError`."""
        try:
            self._server.supervisor.stopProcess(name.value, True)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise LocalError(
                    f"supervisord cannot stop the {name}: {fault.faultString}.",
                    "Run `xylem local down`, then `xylem local up`.",
                ) from fault
        except (OSError, HTTPException) as error:
            raise LocalError("supervisord does not answer.", "Run `xylem local up`.") from error

    def shut_down(self) -> None:
        try:
            self._server.supervisor.shutdown()
        except (OSError, HTTPException, xmlrpc.client.Error):
            return  # it was on its way already


def _running(told: Mapping[str, Any]) -> Running:
    return Running(
        name=told["name"],
        state=told["statename"],
        pid=told["pid"] or None,
        seconds=max(0, told["now"] - told["start"]) if told["pid"] else 0,
        why=told["spawnerr"] or told["description"],
    )
