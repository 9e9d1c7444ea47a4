"""`xylem dataset …`, worded as OSMO's client is. Transfers are in `dataset_transfer`."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clients.cli import dataset_transfer, dataset_view
from clients.cli.dataset_input import settings, trees
from clients.cli.dataset_options import (
    AddAndRemove,
    All,
    BareName,
    Delete,
    Files,
    FromFile,
    Name,
    Set,
    SetAndDelete,
)
from clients.cli.options import (
    AllUsers,
    Count,
    Force,
    FormatType,
    LongFormatType,
    Order,
    Users,
    as_sent,
    command_group,
    several,
)
from clients.cli.session import session_of
from clients.sdk.client import Client
from clients.sdk.dataset_files import chosen, content_of, files_at
from clients.sdk.datasets import Place, parsed
from clients.sdk.errors import BadInput, ClientError
from xylem.domain import manifest
from xylem.domain.dataset import Reference
from xylem.domain.errors import XylemError

app = command_group("Datasets: files in versions, which workflows read and write.")
app.command(cls=Files)(dataset_transfer.upload)
app.command()(dataset_transfer.download)
app.command(cls=Files)(dataset_transfer.update)


class Style(StrEnum):
    TEXT = "text"
    TREE = "tree"
    JSON = "json"


@app.callback()
def _dataset(context: typer.Context, format_type: LongFormatType = None) -> None:
    pass


@app.command()
def info(
    context: typer.Context,
    name: Name,
    every: All = False,
    count: Annotated[
        int, typer.Option("--count", "-c", min=0, help="Of versions at most; 0: all.")
    ] = 100,
    order: Order = "asc",
    format_type: FormatType = None,
) -> None:
    """Show a dataset with its versions, or a collection with what it holds."""
    session = session_of(context)
    with session.connect() as client:
        at = client.datasets.place(name)
        found = client.datasets.info(at, every=every, count=count, order=as_sent(order))
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(dataset_view.info(found))


@app.command("list", cls=several("--user", "-u", "--bucket", "-b"))
def list_datasets(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", "-n", help="Part of the name.")] = "",
    user: Users = None,
    bucket: Annotated[list[str] | None, typer.Option("--bucket", "-b", help="Only these.")] = None,
    all_users: AllUsers = False,
    count: Count = 20,
    order: Order = "asc",
    format_type: FormatType = None,
) -> None:
    """List datasets and collections: yours, unless told otherwise."""
    session = session_of(context)
    with session.connect() as client:
        found = client.datasets.listed(
            name=name,
            users=user or (),
            buckets=bucket or (),
            all_users=all_users,
            count=count,
            order=as_sent(order),
        )
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    if not found.datasets:
        session.say("There are none: xylem dataset upload NAME PATH, or list with --all-users.")
        return
    session.out.print(dataset_view.listed(found.datasets))


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    every: All = False,
    force: Force = False,
    format_type: FormatType = None,
) -> None:
    """Delete a version (the latest, unless told), or a collection. It can be recovered for a week;
    after the last version of a dataset you are asked whether to free its storage at once, which
    --force does."""
    session = session_of(context)
    with session.connect() as client:
        at = client.datasets.place(name)
        found = client.datasets.info(at, every=True)
        what = f"all versions of {at}" if every else f"{at}"
        if not session.yes(f"Delete {what}?", force=force, what="nothing was deleted"):
            return
        gone = client.datasets.delete(at, every=every)
        freed = 0
        question = f"No version of {at.name} is left. Free its storage now?"
        ended = not found.is_collection and _nothing_left(client, at)
        if ended and (force or session.ask(question)):
            freed = client.datasets.drop(at).cleaned_size
    if session.json:
        session.write_json({"versions": gone.versions, "cleaned_size": freed})
        return
    if found.is_collection:
        session.say(f"Deleted collection {found.name}.")
        return
    session.say(f"Deleted {found.name}: version {', '.join(gone.versions)}.")
    if freed:
        session.say(f"{dataset_view.size(freed)} will be free within two hours.")


@app.command()
def recover(
    context: typer.Context, name: Name, every: All = False, format_type: FormatType = None
) -> None:
    """Take back a deletion, within a week."""
    session = session_of(context)
    with session.connect() as client:
        at = client.datasets.place(name)
        back = client.datasets.recover(at, every=every)
    if session.json:
        session.write_json(back.model_dump(mode="json"))
        return
    if not back.versions:
        session.say(f"Nothing of {at.name} was deleted.")
    for one in back.versions:
        session.say(f"Version {one.version} of {at.name} is {one.status} again.")


@app.command(cls=SetAndDelete)
def tag(
    context: typer.Context,
    name: Name,
    put: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Tags to set or move.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--delete", "-d", help="Tags to delete.")
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Set, move and delete tags of a version."""
    session = session_of(context)
    if not put and not remove:
        raise BadInput("say which tags: --set TAG, --delete TAG")
    with session.connect() as client:
        at = client.datasets.place(name)
        found = client.datasets.tag(at, put=put or (), delete=remove or ()).tag_response
    if session.json:
        session.write_json(found and found.model_dump(mode="json"))
        return
    if found:
        session.say(f"Version {found.version_id} of {at.name}: {', '.join(found.tags) or 'no tag'}")


@app.command(cls=SetAndDelete)
def label(
    context: typer.Context,
    name: BareName,
    put: Set = None,
    remove: Delete = None,
    file: FromFile = False,
    format_type: FormatType = None,
) -> None:
    """Set and delete labels of a dataset or collection."""
    session = session_of(context)
    if parsed(name).tag:
        raise BadInput(f"labels are of the whole dataset: write {parsed(name).name} alone")
    given = trees(put or (), session=session) if file else settings(put or ())
    with session.connect() as client:
        at = client.datasets.place(name)
        found = client.datasets.label(at, put=given, delete=remove or ()).label_response
    session.write_json(found.metadata if found else {})


@app.command(cls=SetAndDelete)
def metadata(
    context: typer.Context,
    name: Name,
    put: Set = None,
    remove: Delete = None,
    file: FromFile = False,
    format_type: FormatType = None,
) -> None:
    """Set and delete metadata of one version."""
    session = session_of(context)
    if not parsed(name).tag:
        raise BadInput(f"metadata is of one version: write {name}:TAG or {name}:VERSION")
    given = trees(put or (), session=session) if file else settings(put or ())
    with session.connect() as client:
        at = client.datasets.place(name)
        found = client.datasets.metadata(at, put=given, delete=remove or ()).metadata_response
    session.write_json(found.metadata if found else {})


@app.command()
def rename(context: typer.Context, name: BareName, new_name: str) -> None:
    """Give a dataset or collection another name, in its bucket."""
    session = session_of(context)
    new = parsed(new_name)
    with session.connect() as client:
        at = client.datasets.place(name)
        if new.tag or (new.bucket and new.bucket != at.bucket):
            raise BadInput(f"{new_name}: a dataset stays in its bucket; give the new name alone")
        client.datasets.rename(at, new.name)
    session.say(f"Renamed {at.name} to {new.name}.")


@app.command()
def query(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="With the query; - is standard input.")],
    bucket: Annotated[
        str | None, typer.Option("--bucket", "-b", help="Default: the default bucket.")
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Find datasets by name, labels and dates, and versions by metadata (docs/datasets.md)."""
    session = session_of(context)
    command = session.read(file)
    with session.connect() as client:
        found = client.datasets.query(bucket or client.datasets.default_bucket(), command)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(dataset_view.answers(found.datasets, versions=found.type == "VERSION"))


@app.command()
def collect(
    context: typer.Context,
    name: BareName,
    datasets: Annotated[
        list[str], typer.Argument(help="Of the same bucket: NAME[:TAG or VERSION], or collections.")
    ],
) -> None:
    """Make a collection of datasets, each in the version that it has now."""
    session = session_of(context)
    with session.connect() as client:
        at = client.datasets.place(name)
        client.datasets.collect(at, _members(at, datasets))
    session.say(f"Made collection {at.name} of {len(datasets)}.")


@app.command(cls=AddAndRemove)
def recollect(
    context: typer.Context,
    name: BareName,
    add: Annotated[list[str] | None, typer.Option("--add", "-a", help="To add.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", help="To remove, first.")
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Change what a collection holds; one that holds nothing any more is gone."""
    session = session_of(context)
    if not add and not remove:
        raise BadInput("say what: --add NAME, --remove NAME")
    with session.connect() as client:
        at = client.datasets.place(name)
        found = client.datasets.recollect(
            at, add=_members(at, add or ()), remove=_members(at, remove or ())
        )
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    left = len(found.versions)
    session.say(f"{at.name} holds {left}." if left else f"{at.name} held nothing, and is gone.")


@app.command()
def inspect(
    context: typer.Context,
    name: Name,
    style: Annotated[
        Style | None, typer.Option("--format-type", "-t", help="text, tree or json.")
    ] = None,
    regex: Annotated[
        str | None, typer.Option("--regex", "-x", help="Only paths that begin so.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-c", min=1, help="Files at most.")] = 1000,
) -> None:
    """List the files of a version, or of all that a collection holds."""
    session = session_of(context)
    style = style or (Style.JSON if session.json else Style.TEXT)
    with session.connect() as client:
        for at, version in client.datasets.members(client.datasets.place(name)):
            listed = client.datasets.listing(at, version)
            files = chosen(regex, listed, lambda one: one.path)[:count]
            match style:
                case Style.JSON:
                    session.write_json(
                        [
                            {
                                "relative_path": one.path,
                                "size": one.size,
                                "etag": one.etag,
                                **({"link": one.link} if one.link else {}),
                            }
                            for one in files
                        ]
                    )
                case Style.TREE:
                    session.out.print(dataset_view.tree(f"{at.name}:{version}", files))
                case Style.TEXT:
                    for one in files:
                        session.say(f"{one.size:>14}  {one.path}")


@app.command()
def checksum(
    context: typer.Context, paths: Annotated[list[str], typer.Argument(help="As for an upload.")]
) -> None:
    """The checksum that a version of these files would have."""
    session = session_of(context)
    found = files_at(paths, regex=None, say=session.hint)
    try:
        listed = manifest.listing(
            manifest.entry(one.path, content.etag, content.size)
            for one in found
            for content in (content_of(one.file),)
        )
    except XylemError as error:
        raise BadInput(str(error)) from None
    session.say(manifest.totals(listed).checksum)


@app.command()
def migrate(context: typer.Context, name: Name) -> None:
    """For scripts of OSMO's: there is no older layout here, so nothing is done."""
    session = session_of(context)
    with session.connect() as client:
        at = client.datasets.place(name)
        client.datasets.info(at, count=1)
    session.say(f"{at} needs no migration.")


class Access(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    DELETE = "DELETE"


@app.command()
def check(
    context: typer.Context,
    name: Name,
    access: Annotated[
        Access, typer.Option("--access-type", "-a", case_sensitive=False)
    ] = Access.READ,
) -> None:
    """Say as JSON whether you could read, write or delete it."""
    session = session_of(context)
    with session.connect() as client:
        try:
            at = client.datasets.place(name)
            known = client.datasets.buckets().buckets.get(at.bucket)
            if known is None:
                raise BadInput(f"there is no bucket {at.bucket}")
            if access is not Access.WRITE:
                client.datasets.info(at, count=1)
            if access is not Access.READ and known.mode != "read-write":
                raise BadInput(f"bucket {at.bucket} is {known.mode}")
        except ClientError as error:
            session.write_json({"status": "fail", "error": str(error)})
            return
    session.write_json({"status": "pass"})


def _nothing_left(client: Client, at: Place) -> bool:
    try:
        found = client.datasets.info(Place(at.bucket, at.name, ""), every=True, count=0)
    except ClientError:
        return False
    return all(one.status not in ("READY", "PENDING") for one in found.versions)


def _members(at: Place, texts: Sequence[str]) -> list[Reference]:
    found = [parsed(text) for text in texts]
    for one in found:
        if one.bucket and one.bucket != at.bucket:
            raise BadInput(f"{one}: a collection holds datasets of its own bucket, {at.bucket}")
    return found
