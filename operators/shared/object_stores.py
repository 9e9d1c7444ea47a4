"""One URL of an object store, opened: what lies below it, and bytes to and from there.

    s3://bucket/key      gs://bucket/key      azure://account/container/key
    swift://host/account/container/key        tos://host/bucket/key

obstore (object_store in Rust) speaks S3, Google's and Azure's protocol, repeats what failed and
sends large files in parts. It takes 20 ms to import and 15 MB, so this module is imported for URLs
alone. Swift and TOS are spoken through their S3 endpoint, which the credential names as
`override_url`; so is Google's for keys of the S3 kind.

Keys are those of the longest prefix that the URL lies below (`manifests/stores.py`); without any
the library looks where its cloud puts them: environment, workload identity, the node's role.

A file is uploaded with its SHA-256 and its CRC-32 beside it, in the object's metadata, and S3
compares what comes with the hash in the request's signature. What is downloaded is compared with
the CRC, which finds damage as S3's own checksums do and takes a quarter of the processor that a
hash does: hashing everything made large downloads a third as fast. What an earlier release put
there is compared with the SHA-256, what others put there with the object's ETag, where that is an
MD5; `Verified` says which it was. A download is resumed where it was cut. No message has a key in
it.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH119, PTH123

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from hashlib import md5, sha256
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zlib import crc32

import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, S3Store

from operators.shared.files import TransferFailed, matching, opened_within, remove
from operators.shared.patience import Stopped, backoff

if TYPE_CHECKING:
    from obstore.store import RetryConfig

Keys = Mapping[str, str]
Store = S3Store | GCSStore | AzureStore
Access = Literal["READ", "WRITE", "DELETE"]

RETRIES: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(minutes=2)}
CUTS = 6
"""Of one download that the library gave up in the middle of."""

CHANGES = 3
"""So often a file may change while it is sent before that is a failure."""

WHOLE = 16 * 1024 * 1024
"""What is not larger is sent by one request."""

PIECE = 8 * 1024 * 1024
CHUNK = 256 * 1024
"""Of what comes and is read: summed up and written while it is in the processor's cache. The
library would collect 10 MB first, for each of as many files as come at once."""

PARTS_AT_ONCE = 4
"""Of one file, which are in memory together."""

MOST_PARTS = 9_000
"""S3 takes 10,000 (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

PAGE = 1000
"""Keys in one answer to a list (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html),
and in one request to delete."""

CHECKSUM = "sha256"
CRC = "crc32"
"""The metadata of an object that have them. Names that all three clouds take."""

MD5 = re.compile(r'"?([0-9a-f]{32})"?')
GOOGLE = "https://storage.googleapis.com"
FROM_LIBRARY = (exceptions.BaseError, FileNotFoundError, ValueError)
"""What is not there it says with Python's own error."""

DENIED = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
REFUSED = re.compile(r"status code: 40[13]|40[13] (Forbidden|Unauthorized)")
NOT_THERE = re.compile(r"404 Not Found|NoSuchBucket")
ELSEWHERE = re.compile(
    r"incorrectly configured region|PermanentRedirect|AuthorizationHeaderMalformed"
    r"|IllegalLocationConstraint"
)
"""Of a list or an upload in parts the library says these in words alone."""

UNREACHABLE = re.compile(r"dns error|error sending request|[Cc]onnection refused|timed out")

HOPELESS = (
    *DENIED,
    FileNotFoundError,
    exceptions.InvalidPathError,
    exceptions.NotSupportedError,
)


class Verified(Enum):
    CHECKSUM = "checksum"
    SIZE = "size"
    """The store has nothing else to compare with."""


class Damaged(Exception):
    """What came is not what is there."""


class Place(NamedTuple):
    """A URL taken apart. `account` is Azure's, `host` of those who have one in the URL."""

    url: str
    scheme: str
    host: str
    bucket: str
    key: str


class Found(NamedTuple):
    """An object below a URL. `tag`: of its content, where the store has one."""

    key: str
    path: str
    size: int
    tag: str | None

    @property
    def part(self) -> str:
        """The name of its file while it comes: another one when the object is another."""
        return sha256(f"{self.key}\0{self.size}\0{self.tag}".encode()).hexdigest()


def chosen(regex: str, found: Sequence[Found]) -> list[Found]:
    """Searched for in the key, and in its path below the URL, so that `^` means either. Raises
    `TransferFailed`."""
    keys = matching(regex, [one.key for one in found])
    paths = matching(regex, [one.path for one in found])
    return [one for one, key, path in zip(found, keys, paths, strict=True) if key or path]


def place(url: str) -> Place:
    """Raises `TransferFailed`."""
    scheme, separator, rest = url.partition("://")
    before = {"s3": 0, "gs": 0, "azure": 1, "tos": 1, "swift": 2}.get(scheme)
    if not separator or before is None:
        raise TransferFailed(f"{url}: known are s3, gs, azure, swift and tos.")
    parts = rest.split("/")
    if len(parts) <= before or not all(parts[: before + 1]):
        raise TransferFailed(f"{url}: it names no bucket.")
    return Place(url, scheme, parts[0], parts[before], "/".join(parts[before + 1 :]).strip("/"))


def keys_for(url: str, stores: Mapping[str, Keys]) -> Keys:
    """Those of the longest prefix; none, where the library is to look for itself."""
    fitting = [prefix for prefix in stores if f"{url}/".startswith(f"{prefix}/")]
    return stores[max(fitting, key=len)] if fitting else {}


class Remote:
    """One URL, opened, for several threads. Every failure of it is a `TransferFailed` that names
    the URL."""

    def __init__(self, url: str, stores: Mapping[str, Keys]) -> None:
        self.place = place(url)
        self._keys = keys_for(url, stores)
        self._tags_are_md5 = False
        try:
            self._store = _opened(self.place, self._keys)
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def listed(self, below: str = "") -> Iterator[Found]:
        """What lies below the URL, which may be that of one object, too."""
        prefix = self.place.key
        found = False
        try:
            within = self.key_of(below) if below else prefix
            for page in obstore.list(self._store, prefix=within or None, chunk_size=PAGE):
                for meta in page:
                    found = True
                    key = str(meta["path"])
                    path = key[len(prefix) :].lstrip("/") if prefix else key
                    path = path or os.path.basename(key)
                    yield Found(key, path, int(meta["size"]), meta["e_tag"])
            if not found and prefix and not below:
                meta = obstore.head(self._store, prefix)
                path = os.path.basename(prefix)
                yield Found(prefix, path, int(meta["size"]), meta["e_tag"])
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def key_of(self, path: str) -> str:
        return f"{self.place.key}/{path}" if self.place.key else path

    def fetch(self, found: Found, part: str, stop: Event) -> Verified:
        """Into the file `part`, from where it ends, until all of it is there."""
        for cut in range(CUTS):
            try:
                return self._read(found, part)
            except exceptions.PreconditionError:
                remove(part)
                raise TransferFailed(
                    f"{self.place.url}: {found.path} was replaced while it was downloaded."
                ) from None
            except Damaged as error:
                remove(part)
                if cut == CUTS - 1:
                    raise TransferFailed(f"{self.place.url}: {found.path} {error}.") from None
            except HOPELESS as error:
                raise self.failed(error) from None
            except exceptions.BaseError as error:
                if cut == CUTS - 1:
                    raise self.failed(error) from None
            if stop.wait(backoff(cut)):
                raise Stopped
        raise AssertionError("the last cut raises")

    def _read(self, found: Found, part: str) -> Verified:
        """What is appended belongs to what is there: the store is told which content is meant."""
        with open(part, "a+b") as file:
            offset = file.seek(0, os.SEEK_END)
            if offset > found.size:
                raise Damaged(f"has {offset} bytes instead of {found.size}")
            wanted: Any = {"range": {"offset": offset}} if 0 < offset < found.size else {}
            if found.tag:
                wanted["if_match"] = found.tag
            if offset and offset == found.size:
                wanted["head"] = True
            answer = obstore.get(self._store, found.key, options=wanted)
            sums = _Sums(answer.attributes, found.tag)
            if offset:
                file.seek(0)
                while piece := file.read(CHUNK):
                    sums.update(piece)
            if offset < found.size:
                small = found.size - offset <= CHUNK
                for chunk in [answer.bytes()] if small else answer.stream(min_chunk_size=CHUNK):
                    file.write(chunk)
                    sums.update(chunk)
                    offset += len(chunk)
        if offset != found.size:
            raise Damaged(f"has {offset} bytes instead of {found.size}")
        return self._compared(sums)

    def _compared(self, sums: "_Sums") -> Verified:
        """An ETag is an MD5, unless the bucket is sealed with a customer's key; one that is shows
        that the others are. (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html)"""
        if sums.equal:
            self._tags_are_md5 = self._tags_are_md5 or not sums.ours
            return Verified.CHECKSUM
        if sums.equal is False and (sums.ours or self._tags_are_md5):
            raise Damaged("came damaged: it has another checksum than the store says")
        return Verified.SIZE

    def put(self, file: str, path: str, *, within: str | None = None) -> str:
        """Under the URL, with its SHA-256, which is returned; the library sends what is large in
        parts, side by side. `within`: the folder that the file has to be in, links followed."""
        for _ in range(CHANGES):
            with opened_within(file, within) as body:
                sent = self._put(body, self.key_of(path))
            if sent is not None:
                return sent
        raise TransferFailed(f"{self.place.url}: {path} changed while it was uploaded.")

    def put_bytes(self, content: bytes, path: str) -> str:
        sums = _summed(content)
        self._send(content, self.key_of(path), sums, len(content))
        return sums[CHECKSUM]

    def _put(self, body: Any, key: str) -> str | None:
        """None: the file changed between its hash and its end. What is there then has a hash that
        is not its own, and is replaced or told of."""
        before = os.fstat(body.fileno())
        if before.st_size <= WHOLE:
            content = body.read()
            sums = _summed(content)
            self._send(content, key, sums, len(content))
            return sums[CHECKSUM]
        whole, crc = sha256(), 0
        while piece := body.read(CHUNK):
            whole.update(piece)
            crc = crc32(piece, crc)
        body.seek(0)
        sums = {CHECKSUM: whole.hexdigest(), CRC: f"{crc:08x}"}
        self._send(body, key, sums, before.st_size)
        after = os.fstat(body.fileno())
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        return sums[CHECKSUM] if same else None

    def _send(self, body: Any, key: str, sums: dict[str, str], size: int) -> None:
        try:
            obstore.put(
                self._store,
                key,
                body,
                attributes=dict(sums),
                use_multipart=size > WHOLE,
                chunk_size=max(PIECE, size // MOST_PARTS + 1),
                max_concurrency=PARTS_AT_ONCE,
            )
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def size_of(self, key: str) -> int | None:
        """None: there is no such object."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def checksum(self, key: str) -> str | None:
        """The SHA-256 that lies beside the object, None where none does."""
        try:
            answer = obstore.get(self._store, key, options={"head": True})
        except FROM_LIBRARY as error:
            raise self.failed(error) from None
        return answer.attributes.get(CHECKSUM)

    def level(self) -> tuple[list[str], list[Found]]:
        """Of what lies below the URL the first step of each path: folders, and objects."""
        prefix = self.place.key
        try:
            found = obstore.list_with_delimiter(self._store, prefix or None)
        except FROM_LIBRARY as error:
            raise self.failed(error) from None
        objects = [
            Found(str(one["path"]), os.path.basename(one["path"]), int(one["size"]), one["e_tag"])
            for one in found["objects"]
        ]
        return [os.path.basename(folder) for folder in found["common_prefixes"]], objects

    def delete(self, keys: Sequence[str]) -> None:
        """Of what is not there any more nothing is said."""
        for start in range(0, len(keys), PAGE):
            try:
                obstore.delete(self._store, list(keys[start : start + PAGE]))
            except FileNotFoundError:
                continue
            except FROM_LIBRARY as error:
                raise self.failed(error) from None

    def check(self, access: Access) -> None:
        """Try it: list for READ; an empty object of a new name is put, and deleted, for the others.
        An S3 that allows WRITE but not DELETE keeps that object."""
        try:
            if access == "READ":
                for _ in obstore.list(self._store, prefix=self.place.key or None, chunk_size=1):
                    break
                return
            probe = self.key_of(f".xylem-check-{os.urandom(8).hex()}")
            obstore.put(self._store, probe, b"", use_multipart=False)
            try:
                obstore.delete(self._store, probe)
            except FROM_LIBRARY:
                if access == "DELETE":
                    raise
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def failed(self, error: Exception) -> TransferFailed:
        if isinstance(error, TransferFailed):
            return error
        url, words = self.place.url, " ".join(str(error).split()).partition(" Debug source:")[0]
        whose = "the keys of your DATA credential" if self._keys else "no DATA credential"
        if isinstance(error, FileNotFoundError) or NOT_THERE.search(words):
            return TransferFailed(f"{url}: there is no such bucket or object.")
        if ELSEWHERE.search(words):
            return TransferFailed(
                f"{url}: the bucket is in another region: say which in the credential (region=...)."
            )
        if isinstance(error, DENIED) or REFUSED.search(words):
            return TransferFailed(
                f"{url}: the store refuses access with {whose}: see `xylem credential set`."
            )
        for name in ("access_key", "access_key_id"):
            if self._keys.get(name):
                words = words.replace(self._keys[name], "***")
        if UNREACHABLE.search(words):
            at = self._keys.get("override_url")
            where = f"{at} (override_url)" if at else "its store"
            return TransferFailed(f"{url}: {where} does not answer: is its address right?")
        return TransferFailed(f"{url}: {words[:300]}")


def _summed(content: bytes) -> dict[str, str]:
    return {CHECKSUM: sha256(content).hexdigest(), CRC: f"{crc32(content):08x}"}


class _Crc:
    """As `hashlib` has it for its own."""

    def __init__(self) -> None:
        self._crc = 0

    def update(self, piece: Any) -> None:
        self._crc = crc32(piece, self._crc)

    def hexdigest(self) -> str:
        return f"{self._crc:08x}"


class _Sums:
    """Of what comes, and what it is compared with."""

    def __init__(self, attributes: Mapping[Any, Any], tag: str | None) -> None:
        shaped = MD5.fullmatch(tag or "")
        ours = attributes.get(CRC) or attributes.get(CHECKSUM)
        self.ours = ours is not None
        self._expected = ours or (shaped[1] if shaped else None)
        self._sum: Any = md5(usedforsecurity=False)
        if ours is not None:
            self._sum = _Crc() if CRC in attributes else sha256()

    def update(self, piece: Any) -> None:
        if self._expected:
            self._sum.update(piece)

    @property
    def equal(self) -> bool | None:
        """None: there is nothing to compare with."""
        return None if self._expected is None else self._sum.hexdigest() == self._expected


def _opened(at: Place, keys: Keys) -> Store:
    """Raises what the library raises; `TransferFailed` for what it cannot speak."""
    override = keys.get("override_url")
    match at.scheme:
        case "gs" if not keys:
            return GCSStore(at.bucket, retry_config=RETRIES)
        case "gs" if keys["access_key"].lstrip().startswith("{"):
            return GCSStore(
                at.bucket,
                service_account_key=keys["access_key"],
                retry_config=RETRIES,
            )
        case "azure":
            return _azure(at, keys)
        case "gs":
            return _s3(at, keys, override or GOOGLE, keys.get("region", "auto"))
        case "swift" | "tos" if not override:
            raise TransferFailed(
                f"{at.url}: {at.scheme} is spoken through its S3 endpoint alone: name that as "
                "override_url of a DATA credential for this address."
            )
        case "swift" | "tos":
            return _s3(at, keys, override, keys.get("region"))
        case _:  # s3
            return _s3(at, keys, override or _endpoint(), keys.get("region"))


def _endpoint() -> str | None:
    """What AWS's own tools would ask; the library would, too, but not in which style."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def _s3(at: Place, keys: Keys, endpoint: str | None, region: str | None) -> S3Store:
    config: dict[str, Any] = {"region": region or os.environ.get("AWS_REGION") or "us-east-1"}
    if "access_key_id" in keys:
        config["access_key_id"] = keys["access_key_id"]
        config["secret_access_key"] = keys["access_key"]
    if "session_token" in keys:
        config["session_token"] = keys["session_token"]
    style = keys.get("addressing_style", "auto")
    if endpoint:
        endpoint = endpoint.rstrip("/")
        virtual = style == "virtual"
        if virtual:  # the library takes a virtual host's endpoint with the bucket in it
            protocol, _, host = endpoint.partition("://")
            endpoint = f"{protocol}://{at.bucket}.{host}"
        config["endpoint"] = endpoint
    else:
        virtual = style != "path" and "." not in at.bucket
    options: Any = {"allow_http": True} if endpoint and endpoint.startswith("http://") else None
    return S3Store(
        at.bucket,
        virtual_hosted_style_request=virtual,
        client_options=options,
        retry_config=RETRIES,
        **config,
    )


def _azure(at: Place, keys: Keys) -> AzureStore:
    """Keys as OSMO has them: `access_key` is a connection string, or the account's key alone."""
    config: dict[str, Any] = {"account_name": at.host}
    if keys:
        found = re.search(r"AccountKey=([^;]+)", keys["access_key"])
        config["account_key"] = found[1] if found else keys["access_key"]
    if override := keys.get("override_url"):
        config["endpoint"] = override
    return AzureStore(at.bucket, retry_config=RETRIES, **config)
