"""What a version of a dataset holds: files by path, each with the hash of its content.

A content is stored once for each dataset, under its hash. The hash is OSMO's: the MD5 of up to
8 MiB, or of the MD5s of its parts of 8 MiB, with their number behind it. That is at the same time
the ETag that S3 computes of what it was sent in one piece, or in parts of that size: so a stored
object proves its own content, and nobody has to read it again to believe it
(docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html, ETag). MD5 is no defence against whoever
makes two contents of one hash on purpose; contents are shared within a dataset alone, so he could
only fool himself.

A link is a file that lies elsewhere, under any URL: it is listed, never stored, and not checked.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xylem.domain.errors import InvalidRequest, TooLarge
from xylem.domain.values import dataclass

PART_BYTES = 8 * 1024 * 1024
MOST_PARTS = 10_000
"""Of an upload to S3 (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

LARGEST_FILE = PART_BYTES * MOST_PARTS
PATH_BYTES = 1024
"""As long as a key of S3, and less than PATH_MAX."""

URL_CHARS = 2048
MOST_FILES = 250_000
MANIFEST_BYTES = 64 * 1024 * 1024
"""The service reads it whole to verify it, in a function of 1 GB."""

ETAG = re.compile(r"[0-9a-f]{32}(-[1-9][0-9]{0,4})?", re.ASCII)
LINK = re.compile(r"(s3|gs|azure|swift|tos|https?)://[^\s/?#@]+(/[^\s?#]*)?")
LINK_ETAG = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored: its hash and its size."""

    etag: str
    size: int

    @property
    def parts(self) -> int:
        """In which it is sent; 0: in one piece."""
        return -(-self.size // PART_BYTES) if self.size > PART_BYTES else 0


@dataclass(frozen=True, slots=True)
class FileEntry:
    """`link`: where it lies instead of with us."""

    path: str
    etag: str
    size: int
    link: str | None = None

    @property
    def content(self) -> Content | None:
        return None if self.link else Content(self.etag, self.size)


@dataclass(frozen=True, slots=True)
class Totals:
    files: int
    size: int
    checksum: str


def content(etag: str, size: int) -> Content:
    """Raises `InvalidRequest` for what no file can have."""
    if ETAG.fullmatch(etag) is None:
        raise InvalidRequest(
            f"{etag[:60]!r} is no hash of a file: it is 32 hex digits, of more than 8 MiB with "
            "-PARTS behind them."
        )
    if not 0 <= size <= LARGEST_FILE:
        raise InvalidRequest(
            f"A file of {size} bytes: one has {LARGEST_FILE} at the most. Divide it."
        )
    made = Content(etag, size)
    if etag[32:] != (f"-{made.parts}" if made.parts else ""):
        raise InvalidRequest(f"{etag} is no hash of {size} bytes, which are {made.parts} parts.")
    return made


def other_size(announced: Content, size: int) -> InvalidRequest:
    return InvalidRequest(
        f"The content {announced.etag} was announced with {announced.size} bytes, and has {size}: "
        "the file was changed while it was counted, or its size is not its own. Say the one that "
        "it has.",
        code="USER",
    )


def joined(parts: Sequence[str]) -> str:
    """The hash of a content of these parts' hashes."""
    together = hashlib.md5(b"".join(map(bytes.fromhex, parts)), usedforsecurity=False)
    return f"{together.hexdigest()}-{len(parts)}"


def entry(path: str, etag: str, size: int, link: str | None = None) -> FileEntry:
    """Raises `InvalidRequest`."""
    inside(path)
    if link is None:
        content(etag, size)
    else:
        if len(link) > URL_CHARS or LINK.fullmatch(link) is None:
            raise InvalidRequest(f"{path}: {link[:100]!r} is no URL of a file to link.")
        if LINK_ETAG.fullmatch(etag) is None or size < 0:
            raise InvalidRequest(f"{path}: a link needs the ETag and size of what it leads to.")
    return FileEntry(path, etag, size, link)


def inside(path: str) -> str:
    """A plain relative path, as every system can have it. Raises `InvalidRequest`."""
    parts = path.split("/")
    if (
        not path
        or any(part in ("", ".", "..") for part in parts)
        or any(unicodedata.category(char) == "Cc" for char in path)
    ):
        raise InvalidRequest(
            f"{path[:100]!r} is no path in a dataset: write it relative, without . and .. and "
            "without control characters."
        )
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{path[:100]!r} is no path in a dataset: it is not UTF-8.") from None
    if size > PATH_BYTES:
        raise InvalidRequest(f"{path[:60]!r}... is longer than {PATH_BYTES} bytes.")
    return path


def listing(entries: Iterable[FileEntry]) -> tuple[FileEntry, ...]:
    """Sorted by path. Raises `InvalidRequest` where two cannot be in one folder, `TooLarge`."""
    found = sorted(entries, key=lambda one: one.path)
    if len(found) > MOST_FILES:
        raise TooLarge(f"{len(found)} files; a version holds {MOST_FILES} at the most. Pack them.")
    names = {one.path for one in found}
    if len(names) < len(found):
        twice = next(a.path for a, b in zip(found, found[1:], strict=False) if a.path == b.path)
        raise InvalidRequest(f"{twice} is listed twice.")
    for one in found:
        parent = one.path.rpartition("/")[0]
        while parent:
            if parent in names:
                raise InvalidRequest(f"{parent} is a file, so {one.path} cannot be below it.")
            parent = parent.rpartition("/")[0]
    return tuple(found)


def totals(entries: Sequence[FileEntry]) -> Totals:
    """Of a listing. The checksum is over sorted paths, so that equal trees are equal."""
    checksum = hashlib.md5(usedforsecurity=False)
    for one in entries:
        checksum.update(f"{one.path} {one.etag}".encode())
    return Totals(len(entries), sum(one.size for one in entries), checksum.hexdigest())


def read(body: bytes, *, most: int = MANIFEST_BYTES) -> tuple[FileEntry, ...]:
    """What a client says that a version holds, or what was written of it, which says more. Raises
    `InvalidRequest`, `TooLarge`."""
    if len(body) > most:
        raise TooLarge(f"A manifest of {len(body)} bytes; the most is {most}.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequest("The manifest is no JSON.") from None
    if not isinstance(found, list):
        raise InvalidRequest("The manifest is no list of files.")
    return listing(_entry(one, number) for number, one in enumerate(found))


def written(entries: Sequence[FileEntry], location: str) -> bytes:
    """As OSMO writes it, with where each file lies: `location` is the dataset's."""
    return json.dumps([_written(one, location) for one in entries], indent=4).encode()


def _written(one: FileEntry, location: str) -> Mapping[str, Any]:
    uri = one.link or f"{location}/hashes/{one.etag}"
    return {
        "relative_path": one.path,
        "storage_path": uri,
        "url": https(uri),
        "size": one.size,
        "etag": one.etag,
        **({"link": one.link} if one.link else {}),
    }


def https(uri: str, region: str = "us-east-1") -> str:
    """The address by which OSMO shows an object of S3; of another store its own."""
    if not uri.startswith("s3://"):
        return uri
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.{region}.amazonaws.com/{key}"


def _entry(one: Any, number: int) -> FileEntry:
    match one:
        case {"relative_path": str(path), "etag": str(etag), "size": int(size)} if not isinstance(
            size, bool
        ):
            link = one.get("link")
            if link is not None and not isinstance(link, str):
                raise InvalidRequest(f"Entry {number} of the manifest: its link is no text.")
            return entry(path, etag, size, link)
        case _:
            raise InvalidRequest(
                f"Entry {number} of the manifest is not {{relative_path, etag, size}}."
            )
