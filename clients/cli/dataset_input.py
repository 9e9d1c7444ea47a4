"""What people write for datasets on a command line or in a file: labels, paths to add, links."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clients.cli.session import Session
from clients.sdk.dataset_files import LocalFile, below, chosen, files_at
from clients.sdk.dataset_store import StoreHttp, TryAgain
from clients.sdk.errors import BadInput, Unreachable
from xylem.domain import manifest, nested
from xylem.domain.errors import XylemError
from xylem.domain.manifest import FileEntry

REMOTE = re.compile(r"[a-z0-9]+://")
_COLON = re.compile(r"(?<!\\):(?!//)")


def trees(files: Iterable[str], *, session: Session) -> dict[str, Any]:
    """YAML files, merged in their order. Raises `BadInput`."""
    found: Mapping[str, Any] = {}
    for file in files:
        try:
            given = yaml.safe_load(session.read(Path(file)))
        except yaml.YAMLError as error:
            raise BadInput(f"{file} is no YAML: {' '.join(str(error).split())}") from None
        if not isinstance(given, dict):
            raise BadInput(f"{file} has to be keys with values")
        found = _merged(found, given, file)
    return dict(found)


def settings(given: Iterable[str]) -> dict[str, Any]:
    """`key:type:value` with dots for what is nested and commas for several. Raises `BadInput`."""
    found: Mapping[str, Any] = {}
    for text in given:
        parts = text.split(":", 2)
        if len(parts) != 3 or parts[1] not in ("string", "numeric") or not parts[0]:
            raise BadInput(f"{text!r}: write KEY:string:VALUE or KEY:numeric:VALUE")
        key, kind, value = parts
        values = [_value(one, kind, text) for one in value.split(",")]
        tree: Any = values if len(values) > 1 else values[0]
        for word in reversed(key.split(".")):
            tree = {word: tree}
        found = _merged(found, tree, text)
    return dict(found)


def _value(text: str, kind: str, whole: str) -> str | int | float:
    if kind == "string":
        return text
    try:
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    except ValueError:
        raise BadInput(f"{whole!r}: {text!r} is no number") from None


def _merged(before: Mapping[str, Any], given: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    try:
        return nested.merged(before, given, what="keys")
    except (XylemError, TypeError) as error:
        raise BadInput(f"{source}: {error}") from None


def sources(
    paths: Sequence[str], regex: str | None, *, session: Session, store: StoreHttp
) -> tuple[list[LocalFile], list[FileEntry]]:
    """Files of this machine, and links. Raises `BadInput`."""
    local = files_at(
        [path for path in paths if not REMOTE.match(path)], regex=regex, say=session.hint
    )
    linked = [link(path, "", store=store) for path in paths if REMOTE.match(path)]
    return local, chosen(regex, linked, lambda one: one.path)


def additions(
    given: Iterable[str], *, session: Session, store: StoreHttp
) -> tuple[list[LocalFile], list[FileEntry]]:
    """`SOURCE[:FOLDER]`, each; of two files with one path the first wins. Raises `BadInput`."""
    local: dict[str, LocalFile] = {}
    linked: dict[str, FileEntry] = {}
    for text in given:
        source, folder = divided(text)
        if REMOTE.match(source):
            one = link(source, folder, store=store)
            linked.setdefault(one.path, one)
            continue
        for file in below(source, folder, say=session.hint):
            local.setdefault(file.path, file)
    return list(local.values()), list(linked.values())


def divided(text: str) -> tuple[str, str]:
    """The source, and the folder behind the last colon, if there is one; `\\:` is a colon of a
    name. Raises `BadInput`."""
    parts = _COLON.split(text)
    if len(parts) > 2:
        raise BadInput(f"{text!r} has several colons: write \\: for one in a name")
    source, folder = parts[0], parts[1] if len(parts) == 2 else ""
    folder = folder.replace("\\:", ":")
    if folder.startswith("..") or ".." in folder.split("/"):
        raise BadInput(f"{text!r}: {folder} leads out of the dataset")
    return source.replace("\\:", ":"), folder


def link(url: str, folder: str, *, store: StoreHttp) -> FileEntry:
    """To one file on the web. Raises `BadInput`, `Unreachable`."""
    if not url.startswith(("http://", "https://")):
        raise BadInput(
            f"{url}: only http:// and https:// can be linked from here, as whoever downloads needs "
            "no keys for them. Give the folder of this machine that has its files."
        )
    found = None

    def ask() -> dict[int, str]:
        nonlocal found
        try:
            found = store.head(url)
        except TryAgain as error:
            return {0: str(error)}
        return {}

    store.rounds(ask, url)
    if found is None:
        raise Unreachable(url, "it did not answer")
    length, etag = found.headers.get("Content-Length"), found.headers.get("ETag", "")
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2]
    if length is None or not length.isdecimal() or not etag:
        raise BadInput(f"{url} says no Content-Length or no ETag: download it, and add the file")
    path = f"{folder.strip('/')}/{name}" if folder.strip("/") else name
    try:
        return manifest.entry(path, etag.removeprefix("W/").strip('"'), int(length), url)
    except XylemError as error:
        raise BadInput(str(error)) from None
