"""`xylem config …`, worded as OSMO's client is: what administrators set for all, and its history.

A change that is made in an editor is sent with the revision that was read: where another was
faster, it is refused, and nothing is lost on either side.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clients.cli import config_view
from clients.cli.editing import edited, text_of_value, value_of
from clients.cli.moments import moment
from clients.cli.options import (
    MOMENT,
    Count,
    Description,
    File,
    Force,
    FormatType,
    LongFormatType,
    as_sent,
    command_group,
    examples,
    several,
)
from clients.cli.session import session_of
from clients.sdk.configs import WHOLE, Note
from clients.sdk.errors import BadInput
from xylem.domain.config import ConfigKind

if TYPE_CHECKING:
    from clients.sdk.client import Client

app = command_group("Configs: what administrators set for all, and its history.")

_KINDS = "|".join(ConfigKind)
Kind = Annotated[
    ConfigKind, typer.Argument(case_sensitive=False, metavar=_KINDS, show_default=False)
]
KindAndRevision = Annotated[
    str, typer.Argument(help="KIND, or KIND:REVISION.", metavar="KIND[:REVISION]")
]
Name = Annotated[str | None, typer.Argument(help="Of what is of that kind.", show_default=False)]
Tags = Annotated[
    list[str] | None, typer.Option("--tags", "-t", metavar="TAG", help="Of the new revision.")
]
FitWidth = Annotated[
    bool, typer.Option("--fit-width", help="For scripts of OSMO's: tables always fit.", hidden=True)
]


@app.callback()
def _config() -> None:
    pass


@app.command("list", epilog=examples("xylem config list"))
def list_configs(
    context: typer.Context, fit_width: FitWidth = False, format_type: FormatType = None
) -> None:
    """List the kinds of configs, with the revision of each that holds."""
    session = session_of(context)
    with session.connect() as client:
        found = client.configs.history(at=session.now(), limit=len(ConfigKind))
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    shown = sorted(found.configs, key=lambda one: one.config_type)
    session.out.print(config_view.history_table(shown))


@app.command(
    epilog=examples(
        "xylem config show POOL", "xylem config show ROLE osmo-user", "xylem config show POOL:3"
    )
)
def show(
    context: typer.Context,
    config: KindAndRevision,
    names: Annotated[
        list[str] | None, typer.Argument(help="A name; keys of it, one below the other.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Of pools: with what their names come to.")
    ] = False,
    format_type: FormatType = None,
) -> None:
    """Show a config: all of a kind, one by its name, or an earlier revision."""
    session = session_of(context)
    kind, number = revision_of(config)
    keys = list(names or ())
    with session.connect() as client:
        if number is not None:
            shown: Any = client.configs.revision(kind, number).data
        elif keys and kind not in WHOLE:
            shown = client.configs.show(kind, keys.pop(0), verbose=verbose)
        else:
            shown = client.configs.show(kind, verbose=verbose)
    for key in keys:
        shown = _below(shown, key, kind)
    if session.json:
        session.write_json(shown)
        return
    session.write(text_of_value(shown))


@app.command(
    cls=several("--tags", "-t"),
    epilog=examples(
        "xylem config update POOL team-a --file team-a.yaml --description 'More GPUs'",
        "xylem config update WORKFLOW",
    ),
)
def update(
    context: typer.Context,
    config: Kind,
    name: Name = None,
    file: File = None,
    description: Description = None,
    tags: Tags = None,
    format_type: LongFormatType = None,
) -> None:
    """Put a config in the place of what is there: of a file, or of what you make of it in your
    editor. In a file of SERVICE or WORKFLOW what is not named stays as it is."""
    session = session_of(context)
    with session.connect() as client:
        seen = client.configs.newest(config)
        note = Note(description, tags, seen)
        if file is not None:
            given = _as_put(config, name, value_of(session.read(file), str(file)))
            before: Any = None
        else:
            before = _current(client, config, name)
            given = value_of(edited(session, text_of_value(before)), "what you wrote")
        if given == before:
            session.say("Nothing was changed.")
            return
        if config in WHOLE:
            if not isinstance(given, dict):
                raise BadInput(f"a config {config} has to be keys with values")
            client.configs.patch(config, None, given, note=note)
        else:
            client.configs.put(config, name, given, note=note)
    what = f"{config}{f' {name}' if name else ''}"
    if session.json:
        session.write_json({"config": config.value, "name": name, "revision": seen + 1})
        return
    session.say(f"Updated {what}: revision {seen + 1}.")


@app.command(
    cls=several("--tags", "-t"),
    epilog=examples("xylem config delete POOL team-a", "xylem config delete POOL:3 --force"),
)
def delete(
    context: typer.Context,
    config: KindAndRevision,
    name: Name = None,
    description: Description = None,
    tags: Tags = None,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Delete one config of a kind, or a revision out of its history."""
    session = session_of(context)
    kind, number = revision_of(config)
    if (number is None) == (name is None):
        raise BadInput(f"say what: {kind} NAME, or a revision as {kind}:3")
    what = f"{kind} {name}" if name is not None else f"revision {number} of {kind}"
    if not session.yes(f"Delete {what}?", force=force, what="nothing was deleted"):
        return
    with session.connect() as client:
        if number is not None:
            client.configs.forget(kind, number)
        else:
            client.configs.delete(kind, name or "", note=Note(description, tags))
    if session.json:
        session.write_json({"config": kind.value, "name": name, "revision": number})
        return
    session.say(f"Deleted {what}.")


@app.command(
    cls=several("--tags"),
    epilog=examples(
        "xylem config history", "xylem config history POOL --created-after 7d --count 5"
    ),
)
def history(
    context: typer.Context,
    config: Annotated[
        ConfigKind | None,
        typer.Argument(case_sensitive=False, metavar=f"[{_KINDS}]", show_default=False),
    ] = None,
    offset: Annotated[int, typer.Option("--offset", "-o", min=0, help="Pass over so many.")] = 0,
    count: Count = 20,
    order: Annotated[Literal["asc", "desc"], typer.Option("--order", case_sensitive=False)] = "asc",
    name: Annotated[str | None, typer.Option("--name", "-n", help="About this one.")] = None,
    revision: Annotated[int | None, typer.Option("--revision", "-r", min=1)] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tags", metavar="TAG", help="With all of them.")
    ] = None,
    at_timestamp: Annotated[
        str | None, typer.Option(help=f"What held then. {MOMENT}", show_default=False)
    ] = None,
    created_before: Annotated[str | None, typer.Option(help=MOMENT)] = None,
    created_after: Annotated[str | None, typer.Option(help=MOMENT)] = None,
    fit_width: FitWidth = False,
    format_type: FormatType = None,
) -> None:
    """Show who changed what, when and why."""
    session = session_of(context)
    with session.connect() as client:
        found = client.configs.history(
            kinds=[config] if config else (),
            name=name,
            revision=revision,
            tags=tags or (),
            at=moment(at_timestamp, session.now()),
            before=moment(created_before, session.now()),
            after=moment(created_after, session.now()),
            limit=count,
            offset=offset,
            order=as_sent(order),
        )
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(config_view.history_table(found.configs))


@app.command(
    cls=several("--tags"),
    epilog=examples("xylem config rollback POOL:3 --description 'Too few GPUs'"),
)
def rollback(
    context: typer.Context,
    revision: Annotated[str, typer.Argument(metavar="KIND:REVISION")],
    description: Description = None,
    tags: Annotated[list[str] | None, typer.Option("--tags", metavar="TAG")] = None,
    force: Force = False,
    format_type: LongFormatType = None,
) -> None:
    """Set an earlier revision again: all of its kind, as a revision of its own."""
    session = session_of(context)
    kind, number = required_revision(revision)
    question = f"Set all of {kind} to what it was at revision {number}?"
    if not session.yes(question, force=force, what="nothing was changed"):
        return
    with session.connect() as client:
        seen = client.configs.newest(kind)
        client.configs.roll_back(kind, number, note=Note(description, tags, seen))
    if session.json:
        session.write_json({"config": kind.value, "revision": seen + 1})
        return
    session.say(f"{kind} is as it was at revision {number}: revision {seen + 1}.")


@app.command(
    "set",
    cls=several("--tags"),
    epilog=examples("xylem config set ROLE team-a pool --field team-a"),
)
def set_config(
    context: typer.Context,
    config: Annotated[
        ConfigKind, typer.Argument(case_sensitive=False, metavar="ROLE", show_default=False)
    ],
    name: Annotated[str, typer.Argument(help="Of the role.")],
    type_: Annotated[str, typer.Argument(metavar="pool", help="What the role is for.")],
    field: Annotated[
        list[str] | None, typer.Option("--field", help="Names of pools; default: the role's.")
    ] = None,
    description: Description = None,
    tags: Annotated[list[str] | None, typer.Option("--tags", metavar="TAG")] = None,
    format_type: LongFormatType = None,
) -> None:
    """Make a role that may submit to pools: of what one is usually made, without a file."""
    session = session_of(context)
    if config is not ConfigKind.ROLE or type_ != "pool":
        raise BadInput("write: xylem config set ROLE NAME pool --field POOL")
    pools = [f"pool/{one}" for one in field or [name]]
    what = f"submits to {', '.join(pools)}"
    role = {
        "name": name,
        "description": f"{what[:1].upper()}{what[1:]}",
        "policies": [{"actions": ["workflow:*"], "resources": pools}],
    }
    with session.connect() as client:
        client.configs.put(ConfigKind.ROLE, name, role, note=Note(description, tags))
    if session.json:
        session.write_json(role)
        return
    session.say(f"Set role {name}: {what}.")


@app.command(
    cls=several("--set", "-s", "--delete", "-d"),
    epilog=examples("xylem config tag POOL:3 --set good", "xylem config tag POOL --delete good"),
)
def tag(
    context: typer.Context,
    config: KindAndRevision,
    put: Annotated[list[str] | None, typer.Option("--set", "-s", metavar="TAG")] = None,
    remove: Annotated[list[str] | None, typer.Option("--delete", "-d", metavar="TAG")] = None,
    format_type: LongFormatType = None,
) -> None:
    """Set and delete tags of a revision; without a number of the one that holds."""
    session = session_of(context)
    if not put and not remove:
        raise BadInput("say which tags: --set TAG, --delete TAG")
    kind, number = revision_of(config)
    with session.connect() as client:
        number = number or client.configs.newest(kind)
        client.configs.tag(kind, number, put=put or (), delete=remove or ())
        after = client.configs.history(kinds=[kind], revision=number).configs
    found = list(after[0].tags or ()) if after else []
    if session.json:
        session.write_json({"config": kind.value, "revision": number, "tags": found})
        return
    session.say(f"Revision {number} of {kind}: {', '.join(found) or 'no tag'}")


@app.command(epilog=examples("xylem config diff POOL:3", "xylem config diff POOL:3 POOL:5"))
def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="KIND:REVISION")],
    second: Annotated[
        str | None,
        typer.Argument(metavar="[KIND:REVISION]", help="Default: what holds.", show_default=False),
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Show what changed between two revisions."""
    session = session_of(context)
    kind, begin = required_revision(first)
    with session.connect() as client:
        end = client.configs.newest(kind)
        if second is not None:
            other, end = required_revision(second)
            if other is not kind:
                raise BadInput(f"{first} and {second} are of two kinds: nothing compares them")
        found = client.configs.diff(kind, begin, end)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    names = (f"{kind}:{begin}", f"{kind}:{end}")
    text = config_view.difference(found.first_data, found.second_data, names)
    if text:
        session.out.print(text, end="", soft_wrap=True)
    else:
        session.say(f"{names[0]} and {names[1]} say the same.")


def revision_of(said: str) -> tuple[ConfigKind, int | None]:
    """KIND[:REVISION]. Raises `BadInput`."""
    word, colon, number = said.partition(":")
    try:
        kind = ConfigKind(word.upper())
    except ValueError:
        raise BadInput(f"{word} is no kind of config: there are {', '.join(ConfigKind)}") from None
    number = number.removeprefix("r")
    if colon and not (number.isascii() and number.isdecimal() and int(number)):
        raise BadInput(f"{said!r}: a revision is a number from 1 on, as {kind}:3")
    return kind, int(number) if colon else None


def required_revision(said: str) -> tuple[ConfigKind, int]:
    """Raises `BadInput`."""
    kind, number = revision_of(said)
    if number is None:
        raise BadInput(f"say which revision, as {kind}:3; `xylem config history {kind}` has them")
    return kind, number


def _current(client: "Client", kind: ConfigKind, name: str | None) -> Any:
    """As it is put: an answer about all pools has a word around them that no request has."""
    return _as_put(kind, name, client.configs.show(kind, name))


def _as_put(kind: ConfigKind, name: str | None, shown: Any) -> Any:
    if (
        kind is ConfigKind.POOL
        and name is None
        and isinstance(shown, dict)
        and [*shown] == ["pools"]
    ):
        return shown["pools"]
    return shown


def _below(value: Any, key: str, kind: ConfigKind) -> Any:
    """Raises `BadInput`."""
    if isinstance(value, dict) and key in value:
        return value[key]
    known = ", ".join(value) if isinstance(value, dict) else "nothing"
    raise BadInput(f"{kind} has no {key} there: there is {known}")
