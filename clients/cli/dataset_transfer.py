"""`xylem dataset upload`, `update` and `download`: files of this machine to datasets, and back.

They become commands in `commands/dataset`.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from clients.cli.dataset_input import additions, sources, trees
from clients.cli.dataset_options import (
    Benchmark,
    Labels,
    Metadata,
    Name,
    Processes,
    Regex,
    StartOnly,
    Threads,
)
from clients.cli.dataset_view import size
from clients.cli.options import FormatType
from clients.cli.session import Session, session_of
from clients.sdk.client import Client
from clients.sdk.dataset_download import download as fetch
from clients.sdk.dataset_files import chosen, files_at, others, total
from clients.sdk.dataset_models import Started
from clients.sdk.dataset_store import THREADS, Moved, Progress, StoreHttp
from clients.sdk.dataset_upload import NewVersion
from clients.sdk.dataset_upload import upload as send
from clients.sdk.datasets import Datasets, Place
from clients.sdk.errors import BadInput
from clients.sdk.spec_datasets import LocalDataset


def upload(
    context: typer.Context,
    name: Name,
    paths: Annotated[
        list[str], typer.Argument(help="Files and folders; 'folder/*' without its own name.")
    ],
    description: Annotated[str, typer.Option("--desc", "-d", help="Of the version.")] = "",
    metadata: Metadata = None,
    labels: Labels = None,
    regex: Regex = None,
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Go on with NAME:VERSION, which is PENDING.")
    ] = False,
    start_only: StartOnly = False,
    processes: Processes = None,
    threads: Threads = THREADS,
    benchmark: Benchmark = None,
    format_type: FormatType = None,
) -> None:
    """Upload files as a new version. What the dataset has already is not sent again."""
    session = session_of(context)
    with session.connect() as client, _store(session, threads, processes) as store:
        datasets = client.datasets
        at = datasets.place(name)
        if resume and not at.tag.isdecimal():
            raise BadInput(f"say which version to resume: {at.bucket}/{at.name}:NUMBER --resume")
        local, linked = sources(paths, regex, session=session, store=store)
        new = NewVersion(
            local,
            linked,
            description=description,
            metadata=trees(metadata or (), session=session),
            labels=trees(labels or (), session=session),
            tag="" if resume else at.tag,
            resume=at.tag if resume else "",
        )
        if start_only:
            _start_only(session, at, new, datasets)
            return
        _send(session, at, new, datasets, store, benchmark)


def update(
    context: typer.Context,
    name: Name,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", "-a", help="SOURCE[:FOLDER], one or several; \\: is a colon."),
    ] = None,
    remove: Annotated[
        str | None, typer.Option("--remove", "-r", help="Leave out files whose path it matches.")
    ] = None,
    metadata: Metadata = None,
    labels: Labels = None,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with this version, which is PENDING.")
    ] = None,
    start_only: StartOnly = False,
    processes: Processes = None,
    threads: Threads = THREADS,
    benchmark: Benchmark = None,
    format_type: FormatType = None,
) -> None:
    """Make a new version of one that there is: without some files, with others."""
    session = session_of(context)
    if not add and not remove and not start_only:
        raise BadInput("say what to change: --add SOURCE[:FOLDER], --remove REGEX")
    with session.connect() as client, _store(session, threads, processes) as store:
        datasets = client.datasets
        at = datasets.place(name)
        found = datasets.info(at, count=0)
        if found.is_collection:
            raise BadInput(f"{at.name} is a collection: only a dataset can be updated")
        source = found.meant(at.tag)
        local, linked = additions(add or (), session=session, store=store)
        added = {one.path for one in linked}
        listed = others(remove, datasets.listing(at, source), lambda one: one.path)
        kept = [one for one in listed if one.path not in added]
        new = NewVersion(
            local,
            [*linked, *kept],
            metadata=trees(metadata or (), session=session),
            labels=trees(labels or (), session=session),
            resume=resume or "",
        )
        if start_only:
            _start_only(session, at, new, datasets)
            return
        _send(session, at, new, datasets, store, benchmark)


def download(
    context: typer.Context,
    name: Name,
    path: Annotated[Path, typer.Argument(help="A folder; files come below PATH/NAME.")],
    regex: Regex = None,
    resume: Annotated[
        bool, typer.Option("--resume", "-r", help="Fetch what is missing or was altered.")
    ] = False,
    processes: Processes = None,
    threads: Threads = THREADS,
    benchmark: Benchmark = None,
    format_type: FormatType = None,
) -> None:
    """Download a version, or what a collection holds."""
    session = session_of(context)
    if not path.is_dir():
        raise BadInput(f"{path} is no folder: make it first")
    with session.connect() as client, _store(session, threads, processes) as store:
        datasets = client.datasets
        found = datasets.members(datasets.place(name))
        folders = {at.name: path / at.name for at, _ in found}
        for folder in folders.values():
            if not resume and folder.is_dir() and any(folder.iterdir()):
                raise BadInput(f"{folder} is not empty: say --resume, or choose another folder")
        told = []
        for at, version in found:
            listed = datasets.listing(at, version)
            files = chosen(regex, listed, lambda one: one.path)
            if not files:
                session.hint(f"No file of {at.name}:{version} was asked for.")
                continue
            began = time.monotonic()
            with _progress(session, f"{at.name}:{version}", sum(f.size for f in files)) as bar:
                moved = fetch(
                    at,
                    version,
                    files,
                    folders[at.name],
                    datasets=datasets,
                    store=store,
                    progress=bar,
                )
            _benchmark(benchmark, at, version, moved, time.monotonic() - began)
            told.append({"name": at.name, "version": version, **_told(moved)})
            if not session.json:
                session.say(
                    f"{at.name}:{version}: {moved.files} files, {size(moved.size)}, of which "
                    f"{size(moved.sent)} came, in {folders[at.name]}"
                )
    if session.json:
        session.write_json(told)


def upload_for(
    session: Session, client: Client, local: LocalDataset, folder: Path, *, workflow: str
) -> str:
    """A new version, of what a workflow's spec names on this machine."""
    datasets = client.datasets
    at = datasets.place(local.name)
    said = {"workflow_name": workflow, "localpath_dataset": True, "localpath": local.localpath}
    with _store(session, THREADS, None) as store:
        files = files_at([str(folder / local.localpath)], regex=None, say=session.hint)
        new = NewVersion(files, metadata={"default": said})
        with _progress(session, at.name, total(files)) as bar:
            done = send(at, new, datasets=datasets, store=store, progress=bar)
    session.hint(f"Uploaded {local.localpath} as {at.bucket}/{at.name}:{done.version}.")
    return done.version


def _send(
    session: Session,
    at: Place,
    new: NewVersion,
    datasets: Datasets,
    store: StoreHttp,
    benchmark: Path | None,
) -> None:
    began = time.monotonic()
    begun: list[str] = []

    def started(found: Started) -> None:
        begun.append(found.version_id)
        session.hint(f"Uploading version {found.version_id} of {at.bucket}/{at.name}.")

    with _progress(session, at.name, total(new.files)) as bar:
        try:
            done = send(at, new, datasets=datasets, store=store, progress=bar, started=started)
        except BaseException:
            if begun:
                session.hint(
                    f"Version {begun[0]} of {at.bucket}/{at.name} is PENDING: the same command "
                    "with --resume goes on with it."
                )
            raise
    _benchmark(benchmark, at, done.version, done.moved, time.monotonic() - began)
    if session.json:
        told = {"name": at.name, "bucket": at.bucket, "version": done.version}
        session.write_json({**told, "checksum": done.checksum, **_told(done.moved)})
        return
    session.say(
        f"{at.bucket}/{at.name}:{done.version} is READY: {done.moved.files} files, "
        f"{size(done.moved.size)}, of which {size(done.moved.sent)} were sent."
    )


def _start_only(session: Session, at: Place, new: NewVersion, datasets: Datasets) -> None:
    begun = datasets.start(at, description=new.description, metadata=new.metadata, tag=new.tag)
    session.write_json(begun.model_dump(mode="json"))


def _store(session: Session, threads: int, processes: int | None) -> StoreHttp:
    return StoreHttp(transport=session.transport, threads=min(threads * (processes or 1), 200))


@contextmanager
def _progress(session: Session, what: str, size: int) -> Iterator[Progress]:
    """For who watches; a pipe gets none."""
    if not session.err.is_terminal or session.json:
        yield Progress()
        return
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, console=session.err, transient=True) as bar:
        task = bar.add_task(what, total=size)
        yield Progress(lambda moved: bar.advance(task, moved))


def _told(moved: Moved) -> dict[str, int]:
    return {"files": moved.files, "size": moved.size, "moved": moved.sent}


def _benchmark(folder: Path | None, at: Place, version: str, moved: Moved, seconds: float) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    told = {"name": at.name, "version": version, **_told(moved), "seconds": round(seconds, 3)}
    (folder / f"{at.name}-{version}.json").write_text(json.dumps(told, indent=2) + "\n")
