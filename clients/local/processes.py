"""Which processes of this machine are ours: those that carry the state folder in their environment.

Everything that `up` starts inherits `XYLEM_LOCAL_HOME`. That holds for children of children, after
a kill -9 of whoever started them, and for a start that ended half way. A list of process ids would
be wrong after a reboot, and late by the moment between a fork and its note.

A role is told from the command line. What has no role of its own is somebody's child: a task of the
desk cluster, which outlives the parts on purpose, or a tool. `up` clears away roles alone, `down`
all.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from clients.local.parts import HOME_VARIABLE

SUPERVISOR = "supervisord"
CDK = "cdk"

_ROLES = (
    (SUPERVISOR, re.compile(r"-m supervisor\.supervisord ")),
    ("embedded-aws", re.compile(r"-m clients\.local\.embedded_aws serve ")),
    ("desk-cluster", re.compile(r"-m operators\.desk_cluster --port ")),
    ("operator", re.compile(r"-m operators$")),
    (CDK, re.compile(r"/aws-cdk/bin/cdk|-m infra_cdk\.app")),
)


def role_of(command: Sequence[str]) -> str | None:
    line = " ".join(command)
    return next((role for role, pattern in _ROLES if pattern.search(line)), None)


def find_ours(home: Path) -> list[psutil.Process]:
    """Every process of this state folder but the one that asks, and those that ask for it."""
    asking = {process.pid for process in (psutil.Process(), *psutil.Process().parents())}
    ours = []
    for process in psutil.process_iter():
        try:
            if process.pid not in asking and process.environ().get(HOME_VARIABLE) == str(home):
                ours.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
    return ours


def find_leftovers(home: Path, *, supervised: bool) -> list[psutil.Process]:
    """What an earlier start left: parts that no supervisord knows of, and a CDK in any case, for
    whoever waited for it is gone when we are asked."""
    return [process for process, role in _roles(home) if is_leftover(role, supervised=supervised)]


def find_orphans(home: Path) -> dict[str, int]:
    """Role and process id of what runs without a supervisord."""
    return {role: process.pid for process, role in _roles(home) if role is not None}


def _roles(home: Path) -> Iterator[tuple[psutil.Process, str | None]]:
    for process in find_ours(home):
        try:
            yield process, role_of(process.cmdline())
        except psutil.Error:
            continue  # it is gone


def is_leftover(role: str | None, *, supervised: bool) -> bool:
    return role == CDK or (role is not None and not supervised)


def end(processes: Sequence[psutil.Process], *, patience: float = 5) -> None:
    """Ask them to end, then make them."""
    for process in processes:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(processes, timeout=patience)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=patience)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        return  # it has ended by itself


def holder_of(port: int) -> str:
    """Who listens there, for a person to read."""
    for connection in psutil.net_connections("tcp4"):
        if (
            connection.pid
            and connection.laddr
            and connection.status == psutil.CONN_LISTEN
            and connection.laddr.port == port
        ):
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                break
    return "another program"
