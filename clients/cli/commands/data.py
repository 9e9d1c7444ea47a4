"""`xylem data …`: files to and from object stores, worded as OSMO's client is.

It asks no route of the service: bytes go straight between this machine and the store, opened by
what is kept here (`clients/transfer/keys`).
"""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.options import LongFormatType, command_group
from clients.cli.session import Session, session_of
from clients.cli.transfer_view import summary, watching
from clients.sdk.errors import BadInput
from clients.transfer import engine
from clients.transfer.keys import LocalKeys
from clients.transfer.work import Moved, as_bad_input
from operators.shared.object_stores import Found, Remote, chosen, place

app = command_group("Data: files to and from object stores.")


class Access(StrEnum):
    READ = "READ"
    WRITE = "WRITE"
    DELETE = "DELETE"


Url = Annotated[
    str, typer.Argument(help="s3://, gs://, azure://, swift:// or tos://.", show_default=False)
]
Regex = Annotated[
    str,
    typer.Option("--regex", "-x", help="Only what it is found in, in Python's syntax."),
]
Threads = Annotated[int, typer.Option("--threads", "-T", min=1, max=256, help="Files at once.")]


@app.callback()
def _data(context: typer.Context, format_type: LongFormatType = None) -> None:
    pass


@app.command()
def upload(
    context: typer.Context,
    remote_uri: Url,
    local_path: Annotated[list[Path], typer.Argument(help="Files, and folders with their name.")],
    regex: Regex = "",
    threads: Threads = engine.THREADS,
    format_type: LongFormatType = None,
) -> None:
    """Upload files and folders; what the store has already in the same content is passed over."""
    session = session_of(context)
    begun = time.monotonic()
    with as_bad_input():
        files = engine.files_of(local_path, regex, say=session.hint)
        if not files:
            raise BadInput(f"there is no file to upload{_fitting(regex)}")
        remote = _opened(session, remote_uri)
        with watching(session.err, "Uploading") as watch:
            moved = engine.upload(remote, files, threads=threads, watch=watch)
    _tell(session, "Uploaded", moved, time.monotonic() - begun)


@app.command()
def download(
    context: typer.Context,
    remote_uri: Url,
    local_path: Annotated[Path, typer.Argument(help="The folder that they come into.")],
    regex: Regex = "",
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Go on with what was begun.")
    ] = False,
    threads: Threads = engine.THREADS,
    format_type: LongFormatType = None,
) -> None:
    """Download what lies below a URL, by its path below it."""
    session = session_of(context)
    begun = time.monotonic()
    with as_bad_input():
        remote = _opened(session, remote_uri)
        found = _found(remote, regex)
        if not found:
            raise BadInput(
                f"{remote_uri}: there is nothing" + (f" with {regex!r}" if regex else "")
            )
        with watching(session.err, "Downloading") as watch:
            moved = engine.download(
                remote, found, local_path, resume=resume, threads=threads, watch=watch
            )
    _tell(session, "Downloaded", moved, time.monotonic() - begun)


@app.command("list")
def list_objects(
    context: typer.Context,
    remote_uri: Url,
    local_path: Annotated[
        Path | None, typer.Argument(help="A new file for the list.", show_default=False)
    ] = None,
    regex: Regex = "",
    prefix: Annotated[str, typer.Option("--prefix", "-p", help="Below the URL.")] = "",
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Also what lies in folders.")
    ] = False,
    no_pager: Annotated[
        bool, typer.Option("--no-pager", help="As for OSMO; nothing is paged.", hidden=True)
    ] = False,
    format_type: LongFormatType = None,
) -> None:
    """List the keys below a URL, one in a line; folders end with a slash."""
    session = session_of(context)
    if local_path is not None and local_path.exists():
        raise BadInput(f"{local_path} is there already: name a new file")
    with as_bad_input():
        url = f"{remote_uri.rstrip('/')}/{prefix.strip('/')}" if prefix else remote_uri
        remote = _opened(session, url)
        folders, found = ([], list(remote.listed())) if recursive else remote.level()
        found = chosen(regex, found)
        kept = chosen(regex, [Found(f"{name}/", f"{name}/", 0, None) for name in folders])
    base = remote.place.key
    keys = sorted([f"{base}/{one.path}".lstrip("/") for one in kept] + [one.key for one in found])
    if local_path is not None:
        local_path.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
        session.say(f"Wrote {len(keys)} keys to {local_path}.")
    elif session.json:
        sizes = {one.key: one.size for one in found}
        session.write_json([{"key": key, "size": sizes.get(key)} for key in keys])
    else:
        for key in keys:
            session.say(key)


@app.command()
def delete(
    context: typer.Context,
    remote_uri: Url,
    regex: Regex = "",
    format_type: LongFormatType = None,
) -> None:
    """Delete what lies below a URL."""
    session = session_of(context)
    with as_bad_input():
        remote = _opened(session, remote_uri)
        if not remote.place.key and not regex:
            raise BadInput(
                f"{remote_uri} is a whole bucket: name what lies below it, or say --regex '.*'"
            )
        found = _found(remote, regex)
        remote.delete([one.key for one in found])
    if session.json:
        session.write_json({"deleted": len(found)})
        return
    session.say(f"Deleted {len(found)} object{'' if len(found) == 1 else 's'}.")


@app.command()
def check(
    context: typer.Context,
    remote_uri: Url,
    access_type: Annotated[
        Access, typer.Option("--access-type", "-a", case_sensitive=False, help="What to try.")
    ] = Access.READ,
    config_file: Annotated[
        Path | None,
        typer.Option("--config-file", "-c", help="Keys from this file alone.", show_default=False),
    ] = None,
    format_type: LongFormatType = None,
) -> None:
    """Try whether what is kept here opens a URL. WRITE and DELETE put a small object there, and
    take it away."""
    session = session_of(context)
    with as_bad_input():
        _opened(session, remote_uri, config_file).check(access_type.value)
    if session.json:
        session.write_json({"status": "pass"})
        return
    session.say(f"{access_type.value} of {remote_uri} is allowed.")


def _opened(session: Session, url: str, file: Path | None = None) -> Remote:
    place(url)
    keys = LocalKeys(session.environ, session.config_folder, file=file)
    return Remote(url, keys.of(url))


def _found(remote: Remote, regex: str) -> list[Found]:
    return chosen(regex, list(remote.listed()))


def _fitting(regex: str) -> str:
    return f" that {regex!r} is found in" if regex else ""


def _tell(session: Session, done: str, moved: Moved, seconds: float) -> None:
    if session.json:
        session.write_json(
            {
                "files": moved.files,
                "bytes": moved.bytes,
                "there_already": moved.passed_over,
                "without_checksum": moved.unverified,
            }
        )
        return
    session.say(summary(done, moved, seconds))
