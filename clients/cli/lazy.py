"""The root of the commands, which imports a command's module when that command is asked for.

The web of imports behind all commands takes a second (boto3, psutil, supervisor); behind one of
them a third of that. Shell completion runs the program at every press of a key.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from clients.cli.problems import Exit, advice, as_client_error, as_json, exit_code
from clients.cli.session import Session
from clients.sdk.errors import ClientError
from clients.sdk.login import current_login

COMMANDS = (
    "workflow",
    "task",
    "app",
    "pool",
    "resource",
    "credential",
    "data",
    "dataset",
    "bucket",
    "login",
    "whoami",
    "profile",
    "token",
    "provider",
    "key",
    "webhook",
    "user",
    "role",
    "config",
    "apply",
    "backend",
    "job",
    "local",
    "version",
)
"""Modules below `clients.cli.commands`, in the order of the help."""


class Commands(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        app = import_module(f"clients.cli.commands.{cmd_name}").app
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        """The one place where failures become words and exit codes."""
        session: Session = ctx.obj
        try:
            return super().invoke(ctx)
        except (ClientError, OSError, UnicodeEncodeError) as problem:
            error = as_client_error(problem)
            _tell(session, error)
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            session.err.print("Interrupted.")
            raise typer.Exit(Exit.INTERRUPTED) from None


def _tell(session: Session, error: ClientError) -> None:
    if session.json:
        session.write_json(as_json(error))
        return
    session.err.print("Error:", style="bold red", end=" ")
    session.err.print(str(error), markup=False, highlight=False, soft_wrap=True)
    if said := advice(error, login=_login(session), now=session.now()):
        session.err.print(said, markup=False, highlight=False, soft_wrap=True)


def _login(session: Session) -> Any:
    try:
        return current_login(session.environ)
    except ClientError:
        return None
