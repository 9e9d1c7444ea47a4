"""`status`: each part as it is now. Asks supervisord and a few files, and changes nothing."""

import re
from dataclasses import dataclass
from importlib.metadata import version

from clients.local.parts import PartName, parts_of
from clients.local.processes import find_orphans
from clients.local.settings import Settings
from clients.local.supervisor import Running, Supervisor

_MINISTACK = re.compile(r"^ministack==([\w.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PartStatus:
    name: str
    up: bool
    pid: int | None
    address: str
    version: str
    seconds: float
    detail: str
    """Why it is not up, where that is known."""


def status(settings: Settings) -> list[PartStatus]:
    running = Supervisor(settings).running()
    if running is not None:
        settings = settings.as_started()
    orphans = {} if running is not None else find_orphans(settings.home)
    found = []
    for part in parts_of(settings):
        told = (running or {}).get(part.name)
        is_up = told is not None and told.up
        orphan = orphans.get(part.name)
        found.append(
            PartStatus(
                name=part.name.value,
                up=is_up,
                pid=told.pid if told else orphan,
                address=part.address,
                version=_version(settings, part.name),
                seconds=told.seconds if told else 0,
                detail=_why_not(told, orphan),
            )
        )
    return found


def _why_not(told: Running | None, orphan: int | None) -> str:
    if told is not None:
        return "" if told.up else f"{told.state}: {told.why}"
    if orphan is not None:
        return f"process {orphan} is left of an earlier start, which `up` or `down` ends"
    return ""


def _version(settings: Settings, part: PartName) -> str:
    if part is not PartName.AWS:
        return version("xylem")
    pins = settings.root / "clients/local/embedded_aws/server-requirements.txt"
    found = _MINISTACK.search(pins.read_text())
    return f"ministack {found[1]}" if found else "?"
