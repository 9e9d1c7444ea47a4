"""`xylem credential …`: secrets that the service keeps for tasks, worded as OSMO's client is.

Keys of a store are kept on this machine, too, as OSMO's client does: `xylem data` needs them, and
the service never shows them again.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from clients.cli.options import FormatType, LongFormatType, SeveralValues, command_group
from clients.cli.session import Session, session_of
from clients.sdk.errors import BadInput
from xylem.domain.credential import secret_keys
from xylem.protocol.masking import LEAST_CHARS, maskable

if TYPE_CHECKING:
    from clients.transfer.keys import LocalKeys

app = command_group("Credentials: secrets of yours that tasks may use.")


class Kind(StrEnum):
    GENERIC = "GENERIC"
    REGISTRY = "REGISTRY"
    DATA = "DATA"


FIELDS = {
    Kind.REGISTRY: ("registry", "username", "auth"),
    Kind.DATA: (
        "endpoint",
        "access_key_id",
        "access_key",
        "region",
        "override_url",
        "addressing_style",
    ),
}

Name = Annotated[str, typer.Argument(help="Of the credential, as tasks call it.")]


OfPool = Annotated[
    str | None,
    typer.Option(
        "--pool", "-p", help="Of a pool, for all who run in it and have none: an admin keeps them."
    ),
]


class Payloads(SeveralValues):
    several = frozenset({"--payload", "--payload-file"})


@app.callback()
def _credential(context: typer.Context, format_type: LongFormatType = None) -> None:
    pass


@app.command("set", cls=Payloads)
def set_credential(
    context: typer.Context,
    name: Name,
    kind: Annotated[
        Kind, typer.Option("--type", case_sensitive=False, help="What it opens.")
    ] = Kind.GENERIC,
    payload: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, one or several.", show_default=False)
    ] = None,
    payload_file: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=FILE, one or several: the value is the file's text; - is standard input.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            help="Try first whether DATA keys open their store; not where the clusters alone reach "
            "it, or they may only write.",
        ),
    ] = True,
    pool: OfPool = None,
    format_type: FormatType = None,
) -> None:
    """Keep a credential: GENERIC (any keys), REGISTRY (registry, username, auth) or DATA (endpoint,
    access_key_id, access_key; region, override_url, addressing_style). Values on the command line
    are seen by who lists the processes of this machine; --payload-file is not.
    """
    session = session_of(context)
    values = dict(_pair(one, "--payload") for one in payload or ())
    for key, file in (_pair(one, "--payload-file") for one in payload_file or ()):
        if key in values:
            raise BadInput(f"{key} is given twice")
        values[key] = session.read(Path(file)).removesuffix("\n")
    if not values:
        raise BadInput("a credential needs --payload KEY=VALUE or --payload-file KEY=FILE")
    _check(kind, values)
    is_store = kind is Kind.DATA and "endpoint" in values
    if is_store:
        values["endpoint"] = values["endpoint"].rstrip("/")
    with session.connect() as client:
        if is_store and check:
            _try(values)
        client.set_credential(name, kind.value, values, pool=pool)
    if is_store and pool is None:
        _keys(session).keep(values["endpoint"], values)
    if session.json:
        session.write_json({"cred_name": name, "cred_type": kind.value})
        return
    session.say(f"Set {kind.value} credential {name}.")
    for key in sorted(secret_keys(values)):
        if not maskable(values[key]):
            session.hint(
                f"Warning: {key} has fewer than {LEAST_CHARS} characters: it is not masked where a "
                "task prints it."
            )


@app.command("list")
def list_credentials(
    context: typer.Context, pool: OfPool = None, format_type: FormatType = None
) -> None:
    """List your credentials; what is in them is never shown again."""
    session = session_of(context)
    with session.connect() as client:
        found = client.credentials(pool=pool)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    if not found.credentials:
        session.say("You have none: xylem credential set NAME --payload KEY=VALUE")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Name", "Type", "Profile"):
        table.add_column(column, overflow="fold")
    for one in found.credentials:
        table.add_row(one.cred_name, one.cred_type, one.profile or "")
    session.out.print(table)


@app.command()
def delete(
    context: typer.Context, name: Name, pool: OfPool = None, format_type: FormatType = None
) -> None:
    """Delete a credential. Tasks that were started keep what they were given."""
    session = session_of(context)
    with session.connect() as client:
        gone = client.delete_credential(name, pool=pool)
    for one in gone.credentials if pool is None else ():
        if one.cred_type == Kind.DATA and one.profile:
            _keys(session).forget(one.profile)
    if session.json:
        session.write_json(gone.model_dump(mode="json"))
        return
    session.say(f"Deleted credential {name}.")


def _try(values: dict[str, str]) -> None:
    """From this machine, so that the service never asks an address that a user names. What is not
    whole is for the service to refuse."""
    if not {"access_key_id", "access_key"} <= set(values):
        return
    from operators.shared.files import TransferFailed  # noqa: PLC0415 - with what follows, 40 ms
    from operators.shared.object_stores import Remote  # noqa: PLC0415

    endpoint = values["endpoint"]
    try:
        Remote(endpoint, {endpoint: values}).check("READ")
    except TransferFailed as error:
        raise BadInput(
            f"{error} Nothing was kept: change what is wrong, or say --no-check."
        ) from None


def _keys(session: Session) -> "LocalKeys":
    from clients.transfer.keys import LocalKeys  # noqa: PLC0415 - as above

    return LocalKeys(session.environ, session.config_folder)


def _pair(text: str, option: str) -> tuple[str, str]:
    """No value in the message: it may be the secret."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"{option} takes KEY=VALUE, and one of what was given has no KEY=")
    return key, value


def _check(kind: Kind, values: dict[str, str]) -> None:
    fields = FIELDS.get(kind)
    if fields is None:
        return
    if unknown := sorted(set(values) - set(fields)):
        raise BadInput(
            f"{', '.join(unknown)}: a {kind.value} credential has {', '.join(fields)} alone"
        )
