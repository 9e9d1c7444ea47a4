"""The root of the commands, and the one place where failures become words and exit codes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import typer

from clients.cli.later import Later, Word
from clients.cli.problems import Exit, advice, as_client_error, as_json, exit_code
from clients.cli.session import Session
from clients.sdk.errors import ClientError
from clients.sdk.login import current_login

_HELP = {
    "workflow": "Workflows: submit them and see what became of them.",
    "task": "Tasks, of all workflows: which run, where, and what they ask for.",
    "app": "Apps: specs under a name, for others to submit.",
    "pool": "Pools: where workflows can run.",
    "resource": "Resources: the nodes of clusters, and what is free on them.",
    "credential": "Credentials: secrets of yours that tasks may use.",
    "data": "Data: files to and from object stores.",
    "dataset": "Datasets: files in versions, which workflows read and write.",
    "bucket": "Buckets: where datasets are kept.",
    "login": "Log in to a service, and keep that for the commands that follow; without URL, show "
    "it.",
    "whoami": "Show as whom you are logged in, where, until when, with which roles and pools.",
    "profile": "Profile: your default pool, and how you are told of things.",
    "token": "Access tokens, of yours and of the programs that you look after.",
    "provider": "Identity providers that people log in with (with the deployer's credentials).",
    "key": "The key that signs tokens (with the deployer's credentials).",
    "webhook": "Webhooks: programs that hear of each workflow of yours that ends.",
    "user": "Users and their roles, for administrators.",
    "role": "Roles: what each allows, and who has it, for administrators.",
    "config": "Configs: what administrators set for all, and its history.",
    "apply": "Make configs, pools, roles, users, apps and credentials of the service equal to a "
    "folder.",
    "backend": "Backends: clusters that dial in.",
    "job": "Jobs of the service that failed or are overdue, for administrators.",
    "local": "Xylem on this machine: embedded AWS, cluster, all.",
    "doctor": "Check login, network, clock, versions and rights, and say what to do.",
    "version": "Say which version this client is, and which the service.",
}

COMMANDS: Mapping[str, Word] = MappingProxyType(
    {name: Word(f"clients.cli.commands.{name}:app", help) for name, help in _HELP.items()}
)
"""In the order of the help."""


class Commands(Later):
    later = COMMANDS

    def invoke(self, ctx: Any) -> Any:
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
