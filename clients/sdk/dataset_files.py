"""Files of this machine that become files of a dataset: which, under which path, with which hash.

A folder is taken with its name, `folder/*` without it. A link to a file is the file; a link to a
folder is not followed, and said; one that leads nowhere, or a file that cannot be read, ends it all
before anything is sent: a version never lacks a file silently.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clients.sdk.errors import BadInput
from xylem.domain.errors import XylemError
from xylem.domain.manifest import PART_BYTES, Content, inside, joined
from xylem.matching import BadPattern, matching

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """`path` in the dataset, `file` on this machine."""

    path: str
    file: Path
    size: int


T = TypeVar("T")


def chosen(regex: str | None, items: Sequence[T], path: Callable[[T], str]) -> list[T]:
    """Those whose path it matches from the start, as OSMO's clients match. Raises `BadInput`."""
    return [one for one, fits in zip(items, _fits(regex, items, path), strict=True) if fits]


def others(regex: str | None, items: Sequence[T], path: Callable[[T], str]) -> list[T]:
    """Without an expression: all. Raises `BadInput`."""
    if not regex:
        return list(items)
    return [one for one, fits in zip(items, _fits(regex, items, path), strict=True) if not fits]


def _fits(regex: str | None, items: Sequence[T], path: Callable[[T], str]) -> list[bool]:
    try:
        return matching(regex or "", [path(one) for one in items], at_start=True)
    except BadPattern as error:
        raise BadInput(str(error)) from None


def files_at(paths: Sequence[str], *, regex: str | None, say: Say) -> list[LocalFile]:
    """Of two with one path the first argument wins. Raises `BadInput`."""
    found: dict[str, LocalFile] = {}
    for path in paths:
        for one in _files(path, say):
            found.setdefault(one.path, one)
    return chosen(regex, list(found.values()), lambda one: one.path)


def below(text: str, destination: str, *, say: Say) -> list[LocalFile]:
    """The files at a path, under another folder. Raises `BadInput`."""
    prefix = destination.strip("/")
    return [
        LocalFile(_path(f"{prefix}/{one.path}" if prefix else one.path), one.file, one.size)
        for one in _files(text, say)
    ]


def content_of(file: Path) -> Content:
    """Its hash and size, as the store will compute them. Raises `BadInput`."""
    parts, size = [], 0
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(PART_BYTES):
                parts.append(hashlib.md5(chunk, usedforsecurity=False).hexdigest())
                size += len(chunk)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from None
    match parts:
        case []:
            return Content(hashlib.md5(b"", usedforsecurity=False).hexdigest(), 0)
        case [one]:
            return Content(one, size)
        case several:
            return Content(joined(several), size)


def _files(text: str, say: Say) -> Iterator[LocalFile]:
    contents_only = text.endswith("/*")
    root = Path(text.removesuffix("/*") or "/") if contents_only else Path(text)
    if not root.exists():
        raise BadInput(f"Path does not exist: {text}.")
    if not root.is_dir():
        if contents_only:
            raise BadInput(f"{root} is no folder, so {text} names nothing")
        yield _file(root, root.name)
        return
    prefix = "" if contents_only else f"{root.resolve().name}/"
    for folder, folders, names in os.walk(root, onerror=_unreadable):
        folders.sort()
        for name in folders:
            if (Path(folder) / name).is_symlink():
                say(f"{Path(folder) / name} is a link to a folder, which is not followed")
        for name in names:
            file = Path(folder) / name
            yield _file(file, prefix + file.relative_to(root).as_posix())


def _file(file: Path, path: str) -> LocalFile:
    try:
        found = file.stat()
        readable = os.access(file, os.R_OK)
    except OSError as error:
        what = "is a link that leads nowhere" if file.is_symlink() else f"cannot be read: {error}"
        raise BadInput(f"{file} {what}") from None
    if not stat.S_ISREG(found.st_mode):
        raise BadInput(f"{file} is no file that could be copied: leave it out with --regex")
    if not readable:
        raise BadInput(f"{file} cannot be read: you have no right to")
    return LocalFile(_path(path), file, found.st_size)


def _path(path: str) -> str:
    try:
        return inside(path)
    except XylemError as error:
        raise BadInput(str(error)) from None


def _unreadable(error: OSError) -> None:
    raise BadInput(f"{error.filename} cannot be read: {error.strerror}")


def total(files: Iterable[LocalFile]) -> int:
    return sum(one.size for one in files)
