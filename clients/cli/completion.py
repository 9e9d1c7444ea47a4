"""Names that a shell completes: of workflows, tasks and pools, as the service knows them.

Whoever presses a key waits for the answer. So the service is asked once, with the patience of one
second, and what it said is kept for the next presses. A service that does not answer is no error
here: nothing is completed, or what was known a while ago.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import typer

from clients.cli.session import Session, session_of
from clients.sdk.client import Client
from clients.sdk.errors import ClientError
from clients.sdk.login import Login, current_login, write_private
from clients.sdk.retry import Retries

PATIENCE = httpx.Timeout(1.0)
"""A second is what a person takes for an answer to a key:
https://www.nngroup.com/articles/response-times-3-important-limits"""

KEPT_SECONDS = 15
"""Of names, before they are asked for anew: new workflows are looked for soon."""

MOST = 200
"""Names of which a person chooses one."""


def workflow_names(context: typer.Context, incomplete: str) -> list[str]:
    """Yours, the newest first."""

    def ask(client: Client) -> Iterable[str]:
        return (one.name for one in client.list_workflows(limit=MOST).workflows)

    return _beginning(incomplete, _names(context, "workflows", ask))


def pool_names(context: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _names(context, "pools", lambda client: client.pools().pools))


def task_names(context: typer.Context, incomplete: str) -> list[str]:
    """Of the workflow that stands before it on the line."""
    # Behind an option without its value nothing is read, and what stood before it is left over.
    workflow = context.params.get("workflow") or next(iter(context.args), None)
    if not isinstance(workflow, str):
        return []

    def ask(client: Client) -> Iterable[str]:
        found = client.query(workflow)
        return dict.fromkeys(task.name for group in found.groups for task in group.tasks)

    return _beginning(incomplete, _names(context, f"tasks of {workflow}", ask))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)][:MOST]


def _names(context: typer.Context, what: str, ask: Callable[[Client], Iterable[str]]) -> list[str]:
    session = session_of(context)
    try:
        login = current_login(session.environ)
        if login is None:
            return []
        kept = _kept(session, login, what)
        now = session.now().timestamp()
        if kept is not None and 0 <= now - kept["at"] < KEPT_SECONDS:
            return list(kept["names"])
        try:
            names = _asked(session, login, ask)
        except ClientError:
            return list(kept["names"]) if kept else []
        _keep(session, login, what, {"at": now, "names": names})
    except (ClientError, OSError):  # a broken login, a folder that is not ours
        return []
    return names


def _asked(session: Session, login: Login, ask: Callable[[Client], Iterable[str]]) -> list[str]:
    once = Retries(attempts=1)
    with Client(login, transport=session.transport, retries=once, timeout=PATIENCE) as client:
        return list(ask(client))


def _kept(session: Session, login: Login, what: str) -> dict[str, Any] | None:
    try:
        found = json.loads((session.cache_folder / _file(login, what)).read_bytes())
    except (OSError, ValueError):
        return None
    match found:
        case {"at": int() | float(), "names": [*names]} if all(isinstance(n, str) for n in names):
            return {"at": found["at"], "names": names}
        case _:
            return None


def _keep(session: Session, login: Login, what: str, found: dict[str, Any]) -> None:
    session.cache_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(session.cache_folder / _file(login, what), json.dumps(found))


def _file(login: Login, what: str) -> str:
    """Of one login alone: another sees other workflows."""
    of = "\0".join((login.url, login.user or "", login.token or "", what))
    return f"names-{hashlib.sha256(of.encode()).hexdigest()[:32]}.json"
