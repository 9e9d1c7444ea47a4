"""`xylem apply -f DIR`: make the service equal to a folder of YAML. See docs/gitops.md."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from clients.cli.config_view import difference
from clients.cli.options import Description, FormatType, examples
from clients.cli.session import Session, session_of
from clients.declared import documents, service, writing
from clients.declared.plan import Action, Change, Plan, plan
from clients.sdk.errors import ClientError

app = typer.Typer(add_completion=False)

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-"}
_STYLES = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DELETE: "red"}
_DONE = {Action.CREATE: "created", Action.UPDATE: "updated", Action.DELETE: "deleted"}


@app.command(
    epilog=examples(
        "xylem apply -f examples/gitops --dry-run",
        "xylem apply -f examples/gitops --yes --description 'Commit 1a2b3c4'",
    )
)
def apply(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--file", "-f", help="Folder of YAML.", metavar="DIR")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, and write nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", "--force", help="Write without asking.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete what is not declared, of the kinds that are."),
    ] = False,
    renew_secrets: Annotated[
        bool, typer.Option("--renew-secrets", help="Write credentials that are there already.")
    ] = False,
    description: Description = None,
    format_type: FormatType = None,
) -> None:
    """Make configs, pools, roles, users, apps and credentials of the service equal to a folder.

    Shows first what it will write. Done again it changes nothing; killed half way, the next run
    completes it. What others change after the plan was made is not written over.
    """
    session = session_of(context)
    declared = documents.read(folder)
    with session.connect() as client:
        there, seen = service.read(declared, client)
        found = plan(declared, there, seen, prune=prune, renew_secrets=renew_secrets)
        if not session.json:
            _show(session, found)
        go = bool(found.changes) and not dry_run
        if go and not session.yes("Write this?", force=yes, what="nothing was written"):
            return
        done: list[Change] = []
        try:
            if go:
                for change in writing.written(
                    found, client, session.environ, description=description
                ):
                    done.append(change)
                    if not session.json:
                        session.say(f"{change}: {_DONE[change.action]}")
        except (ClientError, KeyboardInterrupt):
            left = len(found.changes) - len(done)
            session.hint(f"{len(done)} written, {left} not: the same command goes on with them.")
            raise
    if session.json:
        session.write_json(_told(found, done))


def _show(session: Session, found: Plan) -> None:
    for change in found.changes:
        session.out.print(Text(f"{_SIGNS[change.action]} {change}", _STYLES[change.action]))
        if change.action is Action.UPDATE:
            names = ("there", change.document.at if change.document else "")
            text = difference(change.before, change.after, names)
            session.out.print(text, end="", soft_wrap=True)
    if found.left:
        session.hint(f"Not declared, and left as they are: {', '.join(found.left)}")
    if not found.changes:
        session.say(f"All {found.same} are as declared: nothing to do.")
        return
    session.say(f"{len(found.changes)} to write; {found.same} are as declared.")


def _told(found: Plan, done: list[Change]) -> dict[str, Any]:
    return {
        "changes": [
            {
                "action": change.action.value,
                "kind": change.kind.value,
                "name": change.name,
                "before": change.before,
                "after": change.after,
                "written": change in done,
            }
            for change in found.changes
        ],
        "same": found.same,
        "left": list(found.left),
    }
