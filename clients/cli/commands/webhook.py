"""`xylem webhook …`: programs that hear of each workflow of yours that ends."""

from typing import Annotated

import typer
from rich.table import Table

from clients.cli.options import Force, FormatType, LongFormatType, command_group, examples
from clients.cli.session import session_of

app = command_group("Webhooks: programs that hear of each workflow of yours that ends.")

Name = Annotated[str, typer.Argument(help="Of the webhook.")]


@app.callback()
def _webhook() -> None:
    pass


@app.command("set", epilog=examples("xylem webhook set ci https://ci.example.com/hooks/xylem"))
def set_webhook(
    context: typer.Context,
    name: Name,
    url: Annotated[str, typer.Argument(help="A public address, by https.")],
    format_type: FormatType = None,
) -> None:
    """Make a webhook and print the secret that its messages are signed with, this once."""
    session = session_of(context)
    with session.connect() as client:
        made = client.webhooks.create(name, url)
    if session.json:
        session.write_json(made.model_dump(mode="json"))
        return
    session.say(made.secret)
    session.hint(f"Workflows that you submit from now on tell {url}. It is not shown again.")


@app.command("list")
def list_webhooks(context: typer.Context, format_type: FormatType = None) -> None:
    """List webhooks, without their secrets."""
    session = session_of(context)
    with session.connect() as client:
        found = client.webhooks.listed()
    if session.json:
        session.write_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        session.say("No webhooks. Make one: xylem webhook set NAME URL")
        return
    table = Table("Name", "URL", box=None)
    for one in found:
        table.add_row(one.name, one.url)
    session.out.print(table)


@app.command(epilog=examples("xylem webhook delete ci --force"))
def delete(
    context: typer.Context,
    name: Name,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Delete a webhook: what is on its way to it is given up."""
    session = session_of(context)
    if not session.yes(f"Delete webhook {name}?", force=force, what="nothing was deleted"):
        return
    with session.connect() as client:
        gone = client.webhooks.delete(name)
    if session.json:
        session.write_json(gone.model_dump(mode="json"))
