"""A tree of files brought over one stream of bytes, as little of it as is new: `xylem workflow
rsync`. The command line is one end, a program in the Task Runtime's sidecar the other, and either
sends.

    sender      an entry for each file, folder and link; the end of them
    receiver    what it wants: a file, from a byte on, or unless it is what is here; the end of it
    sender      each of them, in that order: bytes, and their SHA-256
    receiver    what it wants again, because it did not become what it was said to be; or nothing
    receiver    what could not be laid

A file of the same size and time is not looked into. One of the same size alone is sent unless its
SHA-256 is the one that is here. One that was cut short is gone on with where it was, and verified
as a whole: the sender reads what is there already, too. The phases take turns, so that neither end
needs a thread, and nothing waits for an answer per file.

    message    kind (1 byte: J or D), length (4), that many bytes: of JSON, or of a file
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, NamedTuple, Protocol

from operators.shared.trees import Entry, Partials, PathRefused, Tree, parts_of, shown

ENTRIES = 200_000
"""Of one transfer: each end remembers all."""

JSON_BYTES = 64 * 1024
DATA_BYTES = 64 * 1024
TRIES = 3
PROBLEMS = 100
"""Of which the other end is told."""

_HEAD = Struct(">cI")
_JSON, _DATA = b"J", b"D"
_KINDS = ("file", "folder", "link")


class SyncBroken(Exception):
    """The other end is gone, or says what is not understood. What arrived is gone on with."""


class Refused(Exception):
    """By the other end, in its words."""


class Readable(Protocol):
    def read(self, n: int, /) -> bytes: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> object: ...


class Progress(NamedTuple):
    """`files`, `size`: all that there is; `done`: files that are as they should be; `moved`: bytes
    that went over the stream."""

    files: int = 0
    size: int = 0
    done: int = 0
    moved: int = 0


Note = Callable[[Progress], None]


class Outcome(NamedTuple):
    progress: Progress
    problems: list[str]
    """What could not be read, or laid, and why: all else is there."""


class Wire:
    """Both directions. Raises `SyncBroken`."""

    def __init__(self, source: Readable, sink: Writable) -> None:
        self._source = source
        self._sink = sink

    def say(self, message: dict[str, Any]) -> None:
        self._put(_JSON, json.dumps(message, separators=(",", ":")).encode())

    def data(self, piece: bytes) -> None:
        self._put(_DATA, piece)

    def flush(self) -> None:
        try:
            self._sink.flush()
        except (OSError, ValueError) as error:
            raise SyncBroken(str(error)) from error

    def hear(self) -> dict[str, Any]:
        heard = self.hear_any()
        if isinstance(heard, bytes):
            raise SyncBroken("bytes of a file where none were asked for")
        return heard

    def hear_any(self) -> dict[str, Any] | bytes:
        kind, length = _HEAD.unpack(self._exactly(_HEAD.size))
        if kind not in (_JSON, _DATA) or length > JSON_BYTES:
            raise SyncBroken("the other end speaks another language")
        raw = self._exactly(length)
        if kind == _DATA:
            return raw
        try:
            message = json.loads(raw)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise SyncBroken("the other end speaks another language")
        if "refused" in message:
            raise Refused(str(message["refused"])[:1_000])
        return message

    def _put(self, kind: bytes, payload: bytes) -> None:
        try:
            self._sink.write(_HEAD.pack(kind, len(payload)) + payload)
        except (OSError, ValueError) as error:
            raise SyncBroken(str(error)) from error

    def _exactly(self, count: int) -> bytes:
        pieces = []
        while count:
            try:
                piece = self._source.read(count)
            except (OSError, ValueError) as error:
                raise SyncBroken(str(error)) from error
            if not piece:
                raise SyncBroken("the other end is gone")
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)


# The sender --------------------------------------------------------------------------------------


def send(wire: Wire, tree: Tree, start: str, note: Note) -> Outcome:
    """What is at `start` in the tree, and below. Raises `SyncBroken`, `Refused`, `PathRefused`."""
    entries: list[Entry] = []
    for entry in tree.walk(start):
        if len(entries) == ENTRIES:
            raise PathRefused(f"more than {ENTRIES} files: use `xylem data`")
        entries.append(entry)
        wire.say(_said(entry))
    wire.say({"end": len(entries)})
    wire.flush()
    progress = _all_of(entries)
    while wanted := list(_wanted(wire, entries)):
        for index, at, have in wanted:
            progress = _send_file(wire, tree, entries, index, at, have, progress, note)
        wire.flush()
    told = wire.hear()
    laid, done = told.get("problems"), told.get("done")
    if not isinstance(laid, list) or not isinstance(done, int):
        raise SyncBroken("the other end speaks another language")
    progress = progress._replace(done=done)
    note(progress)
    return Outcome(progress, [str(each)[:1_000] for each in laid[:PROBLEMS]])


def _wanted(wire: Wire, entries: list[Entry]) -> Iterator[tuple[int, int, str]]:
    while "end" not in (message := wire.hear()):
        index, at, have = message.get("want"), message.get("from", 0), message.get("unless", "")
        if not isinstance(index, int) or not isinstance(at, int):
            raise SyncBroken("the other end speaks another language")
        if not 0 <= index < len(entries) or entries[index].kind != "file":
            raise SyncBroken("a file is wanted that there is not")
        yield index, at, str(have)


def _send_file(
    wire: Wire,
    tree: Tree,
    entries: list[Entry],
    index: int,
    at: int,
    have: str,
    progress: Progress,
    note: Note,
) -> Progress:
    entry = entries[index]
    try:
        file = tree.read(entry.path)
    except (OSError, PathRefused) as error:
        wire.say({"file": index, "gone": _words(error)})
        return progress
    with os.fdopen(file, "rb", buffering=0) as source:
        found = os.fstat(source.fileno())
        if (found.st_size, found.st_mtime_ns) != (entry.size, entry.modified):
            at = 0
        if have and _digest(source, found.st_size).hexdigest() == have:
            wire.say({"file": index, "same": True})
            return progress
        source.seek(0)
        at = min(max(at, 0), found.st_size)
        digest = _digest(source, at)
        wire.say({"file": index, "from": at})
        left = found.st_size - at
        while left and (piece := source.read(min(left, DATA_BYTES))):
            digest.update(piece)
            wire.data(piece)
            left -= len(piece)
            progress = progress._replace(moved=progress.moved + len(piece))
            note(progress)
        # By the time that it had before it was read: what changed since is seen the next time.
        wire.say({"done": index, "sha256": digest.hexdigest(), "modified": found.st_mtime_ns})
    return progress


# The receiver ------------------------------------------------------------------------------------


def receive(wire: Wire, tree: Tree, note: Note) -> Outcome:
    """Into the tree. Raises `SyncBroken`, `Refused`, `PathRefused`."""
    entries = list(_entries(wire))
    partials = tree.partials()
    finished = False
    try:
        outcome = _Receiver(wire, tree, partials, entries, note).take_all()
        finished = True
    finally:
        partials.close(finished=finished)
    wire.say({"problems": outcome.problems[:PROBLEMS], "done": outcome.progress.done})
    wire.flush()
    return outcome


def _entries(wire: Wire) -> Iterator[Entry]:
    count = 0
    while "end" not in (message := wire.hear()):
        count += 1
        if count > ENTRIES:
            raise SyncBroken("more files than a transfer may have")
        yield _heard(message)


class _Receiver:
    def __init__(
        self, wire: Wire, tree: Tree, partials: Partials, entries: list[Entry], note: Note
    ) -> None:
        self._wire = wire
        self._tree = tree
        self._partials = partials
        self._entries = entries
        self._note = note
        self._progress = _all_of(entries)
        self._problems: list[str] = []

    def take_all(self) -> Outcome:
        wanted = [index for index, entry in enumerate(self._entries) if self._begin(index, entry)]
        failed = self._round(wanted)
        for _ in range(TRIES - 1):
            if not failed:
                break
            for index in failed:
                self._wire.say({"want": index})
            failed = self._round(failed)
        if failed:
            self._wire.say({"end": 0})
            self._problems += [
                f"{shown(self._entries[index].path)} did not arrive as it was sent"
                for index in failed
            ]
        self._note(self._progress)
        return Outcome(self._progress, self._problems)

    def _begin(self, index: int, entry: Entry) -> bool:
        """Whether it is a file that is asked for. What needs no bytes is laid at once."""
        try:
            if entry.kind == "folder":
                self._tree.lay_folder(entry.path)
            elif entry.kind == "link":
                self._tree.lay_link(entry.path, entry.target)
            else:
                return self._ask(index, entry)
        except (OSError, PathRefused) as error:
            self._problem(entry, error)
        return False

    def _ask(self, index: int, entry: Entry) -> bool:
        parent, _, _ = entry.path.rpartition("/")
        self._tree.lay_folder(parent)
        here = self._tree.look(entry.path)
        if here is not None and here.kind == "folder":
            raise PathRefused("there is a folder of that name")
        if here is not None and here.kind == "file" and here.size == entry.size:
            if here.modified == entry.modified:
                self._tree.touch(entry)
                self._done()
                return False
            with os.fdopen(self._tree.read(entry.path), "rb", buffering=0) as file:
                have = _digest(file, entry.size).hexdigest()
            self._wire.say({"want": index, "unless": have})
            return True
        self._wire.say({"want": index, "from": self._partials.size(_key(entry))})
        return True

    def _round(self, wanted: list[int]) -> list[int]:
        """Those that have to be sent again."""
        self._wire.say({"end": len(wanted)})
        self._wire.flush()
        if not wanted:
            return []
        failed = [index for index in wanted if not self._file(index)]
        if not failed:
            self._wire.say({"end": 0})
        return failed

    def _file(self, index: int) -> bool:
        """Whether that is settled, well or not."""
        entry = self._entries[index]
        message = self._wire.hear()
        if message.get("file") != index:
            raise SyncBroken("another file came than was asked for")
        if "gone" in message:
            self._problems.append(f"{shown(entry.path)}: {str(message['gone'])[:300]}")
            return True
        if "same" in message:
            try:
                self._tree.touch(entry)
            except (OSError, PathRefused) as error:
                self._problem(entry, error)
                return True
            self._done()
            return True
        return self._take(entry, index, message.get("from", 0))

    def _take(self, entry: Entry, index: int, at: object) -> bool:
        key = _key(entry)
        trouble: OSError | PathRefused | None = None
        with os.fdopen(self._partials.open(key), "r+b", buffering=0) as file:
            here = os.fstat(file.fileno()).st_size
            if not isinstance(at, int) or not 0 <= at <= here:
                raise SyncBroken("a file came from where it was not asked for")
            file.truncate(at)
            digest = _digest(file, at)
            while isinstance(heard := self._wire.hear_any(), bytes):
                digest.update(heard)
                self._progress = self._progress._replace(moved=self._progress.moved + len(heard))
                self._note(self._progress)
                try:
                    if trouble is None:
                        _write(file.fileno(), heard)
                except OSError as error:  # the disk is full: what comes is still to be heard
                    trouble = error
            modified = heard.get("modified")
            if heard.get("done") != index or not isinstance(modified, int):
                raise SyncBroken("a file has no end")
            if trouble is None and heard.get("sha256") != digest.hexdigest():
                file.truncate(0)
                return False
            try:
                if trouble is None:
                    self._partials.settle(key, file.fileno(), entry._replace(modified=modified))
            except (OSError, PathRefused) as error:
                trouble = error
        if trouble is not None:
            self._problem(entry, trouble)
        else:
            self._done()
        return True

    def _done(self) -> None:
        self._progress = self._progress._replace(done=self._progress.done + 1)
        self._note(self._progress)

    def _problem(self, entry: Entry, error: Exception) -> None:
        self._problems.append(f"{shown(entry.path)}: {_words(error)}")


# Both --------------------------------------------------------------------------------------------


def _said(entry: Entry) -> dict[str, Any]:
    said: dict[str, Any] = {"path": entry.path, "kind": entry.kind}
    if entry.kind == "file":
        said |= {"size": entry.size, "modified": entry.modified, "x": entry.executable}
    elif entry.kind == "link":
        said["target"] = entry.target
    return said


def _heard(message: dict[str, Any]) -> Entry:
    """Raises `SyncBroken`: an end that names what it must not is not spoken with."""
    path, kind, target = message.get("path"), message.get("kind"), message.get("target", "")
    size, modified = message.get("size", 0), message.get("modified", 0)
    numbers = isinstance(size, int) and isinstance(modified, int) and size >= 0
    if not isinstance(path, str) or kind not in _KINDS or not isinstance(target, str):
        raise SyncBroken("the other end speaks another language")
    if not numbers or abs(modified) >= 2**63:
        raise SyncBroken("the other end speaks another language")
    try:
        if not parts_of(path):
            raise PathRefused("a path is empty")
    except (PathRefused, ValueError) as error:
        raise SyncBroken(f"the other end names what it must not: {error}") from error
    return Entry(path, kind, size, modified, bool(message.get("x")), target)


def _key(entry: Entry) -> str:
    """Of this version of it: bytes of another one are not gone on with."""
    version = f"{entry.path}\0{entry.size}\0{entry.modified}"
    return hashlib.sha256(version.encode(errors="surrogateescape")).hexdigest()[:40]


def _digest(file: Readable, count: int) -> Any:
    """Of the next so many bytes, or what there is of them."""
    digest = hashlib.sha256()
    while count and (piece := file.read(min(count, DATA_BYTES))):
        digest.update(piece)
        count -= len(piece)
    return digest


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _all_of(entries: list[Entry]) -> Progress:
    files = [entry for entry in entries if entry.kind == "file"]
    return Progress(len(files), sum(entry.size for entry in files))


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)
