"""`xylem local …`: the stack of this machine. `clients.local` does it; here it is shown."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import render
from clients.cli.options import LongFormatType, command_group
from clients.cli.session import Session, session_of
from clients.local.down import down as end_stack
from clients.local.down import reset as forget_stack
from clients.local.errors import LocalError
from clients.local.logs import follow as follow_files
from clients.local.logs import last_lines, log_files, name_of
from clients.local.settings import Settings, find_settings
from clients.local.status import status as ask_status
from clients.local.up import up as bring_up
from clients.sdk.errors import BadInput

app = command_group("Xylem on this machine: embedded AWS, cluster, all.")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except LocalError as error:
        raise BadInput(f"{error.problem}\n{error.way_out}") from error


def _settings(session: Session, kubeconfig: Path | None = None, **ports: int | None) -> Settings:
    return find_settings(session.environ, ports, kubeconfig)


@app.command()
def up(
    context: typer.Context,
    port_aws: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    port_cluster: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Of a cluster that is used instead of the desk's.")
    ] = None,
    format_type: LongFormatType = None,
) -> None:
    """Bring up whatever is not; a second time takes seconds."""
    session = session_of(context)
    with _explained():
        settings = _settings(session, kubeconfig, aws=port_aws, cluster=port_cluster)
        ready = bring_up(settings, session.environ, _Steps(session))
    if session.json:
        session.write_json(
            {
                "url": ready.api_url,
                "config_dir": ready.login_folder,
                "kubeconfig": settings.kubeconfig,
                "aws": settings.endpoint,
                "seconds": ready.seconds,
                "warnings": ready.warnings,
            }
        )
        return
    for warning in ready.warnings:
        session.hint(f"Warning: {warning}")
    session.say(f"Xylem is up after {render.duration(ready.seconds)}.")
    session.say(f"  service   {ready.api_url}")
    leads = shlex.quote(str(settings.kubeconfig))
    session.say(f"  cluster   export KUBECONFIG={leads}; kubectl get pods -A")
    session.say(f"  AWS       aws --endpoint-url {settings.endpoint} ...")
    session.say("  try       xylem workflow submit examples/hello.yaml --follow")
    if ready.other_login:
        session.say(
            f"Your login leads to {ready.other_login} and was left as it is. For this stack say"
            f" `export XYLEM_CONFIG_DIR={shlex.quote(str(ready.login_folder))}`."
        )


@app.command()
def down(context: typer.Context, format_type: LongFormatType = None) -> None:
    """End every process of it; what it knows is kept for the next `up`."""
    session = session_of(context)
    with _explained():
        count = end_stack(_settings(session))
    if session.json:
        session.write_json({"ended": count})
        return
    session.say(f"Down: {count} processes ended." if count else "Nothing was up.")


@app.command()
def status(context: typer.Context, format_type: LongFormatType = None) -> None:
    """Say of each part whether it is up."""
    session = session_of(context)
    with _explained():
        found = ask_status(_settings(session))
    if session.json:
        session.write_json([asdict(part) for part in found])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("part", "", "pid", "for", "address", "version"):
        table.add_column(column, overflow="fold", no_wrap=column in {"part", "", "pid"})
    for part in found:
        table.add_row(
            part.name,
            Text("up", style="green") if part.up else Text("down", style="red"),
            str(part.pid or "-"),
            render.duration(part.seconds) if part.up else "-",
            part.address,
            part.version,
        )
    session.out.print(table)
    for part in found:
        if part.detail:
            session.say(f"{part.name}: {part.detail}; see `xylem local logs {part.name}`")


@app.command()
def reset(context: typer.Context, yes: Yes = False, format_type: LongFormatType = None) -> None:
    """Forget everything: workflows, logs, data, keys."""
    session = session_of(context)
    with _explained():
        settings = _settings(session)
        if not yes:
            if not session.stdin.isatty():
                raise BadInput(f"nobody is there to ask: --yes deletes {settings.home}")
            typer.confirm(f"Delete {settings.home} with every workflow in it?", abort=True)
        deleted = forget_stack(settings)
    if session.json:
        session.write_json({"deleted": settings.home if deleted else None})
        return
    session.say(f"Deleted {settings.home}." if deleted else f"There is no {settings.home}.")


@app.command()
def logs(
    context: typer.Context,
    part: Annotated[str | None, typer.Argument(help="A part, a function or a tool.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    lines: Annotated[int, typer.Option("-n", min=0, help="Of each log.")] = 50,
    format_type: LongFormatType = None,
) -> None:
    """Show what the parts wrote; in JSON, an object for each line of theirs."""
    session = session_of(context)
    with _explained():
        files = log_files(_settings(session), part)

    def say(log: str, line: str) -> None:
        if session.json:
            session.say(json.dumps({"log": log, "line": line}))
        else:
            session.say(f"{log}: {line}" if len(files) > 1 else line)

    for path in files:
        for line in last_lines(path, lines):
            say(name_of(path), line)
    if follow:
        for log, line in follow_files(files):
            say(log, line)


class _Steps:
    """Progress: a line for each step that is done, with the time it took."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        began = time.monotonic()
        # On the other stream: what is asked for as JSON stays JSON.
        with self._session.err.status(f"{title} …"):
            yield
        spent = render.duration(time.monotonic() - began)
        line = Text("✓ ", style="green").append(title, style="default").append(f"  {spent}", "dim")
        self._session.err.print(line)
