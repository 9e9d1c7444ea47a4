"""A session whose world is in memory: what is printed, what is asked, who is logged in."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from clients.cli.__main__ import run
from clients.cli.session import Session
from tests.unit.clients.answers import NOON, Service


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str


def xylem(
    *arguments: str,
    answers: dict[str, Any] | None = None,
    service: Service | None = None,
    environ: dict[str, str] | None = None,
    stdin: str = "",
    terminal: bool = False,
) -> Said:
    """Run `xylem` with these arguments, logged in to a service that gives these answers."""
    out, err = StringIO(), StringIO()
    session = Session(
        out=Console(file=out, width=100, force_terminal=terminal, color_system=None),
        err=Console(file=err, width=100),
        stdin=StringIO(stdin),
        environ={"XYLEM_URL": "https://xylem.example"} if environ is None else environ,
        transport=service or Service(answers or {}),
        now=lambda: NOON,
    )
    code = run(arguments, session)
    return Said(code, out.getvalue(), err.getvalue())


def a_spec(folder: Path, text: str = "workflow:\n  name: hello\n") -> str:
    path = folder / "hello.yaml"
    path.write_text(text)
    return str(path)
