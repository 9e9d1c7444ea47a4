"""A task's data at URLs of object stores: inputs, outputs, checkpoints.

    s3://bucket/key      gs://bucket/key      azure://account/container/key
    swift://host/account/container/key        tos://host/bucket/key

obstore (object_store in Rust) speaks S3, Google's and Azure's protocol, repeats what failed and
sends large files in parts. It takes 20 ms to import and 15 MB, so this module is imported only for
a task that has URLs. Swift and TOS are spoken through their S3 endpoint alone, which the credential
names as `override_url`; so is Google's for keys of the S3 kind.

Keys are those of the longest prefix that the URL lies below (`manifests/stores.py`); without any
the library looks where its cloud puts them: environment, workload identity, the node's role.

A download is resumed where it was cut, a file that is there in its size is not fetched again. No
message has a key in it.
"""

# pathlib takes 8 ms to import.
# ruff: noqa: PTH104, PTH106, PTH113, PTH116, PTH119, PTH120, PTH123

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, S3Store

from operators.task_runtime.api import Stopped, backoff
from operators.task_runtime.data import (
    PARTS,
    Connections,
    Progress,
    Say,
    Transfer,
    TransferFailed,
    empty,
    files_below,
    in_parallel,
    is_there,
    make_folder,
    regular,
    safe,
)

if TYPE_CHECKING:
    from obstore.store import RetryConfig

Keys = Mapping[str, str]
Store = S3Store | GCSStore | AzureStore
State = tuple[int, int]
"""Size and time of a file."""

RETRIES: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(minutes=2)}
CUTS = 6
"""Of one download that the library gave up in the middle of."""

PIECE = 8 * 1024 * 1024
MOST_PARTS = 9_000
"""S3 takes 10,000 (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

GOOGLE = "https://storage.googleapis.com"
FROM_LIBRARY = (exceptions.BaseError, FileNotFoundError, ValueError)
"""What is not there it says with Python's own error."""

DENIED = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
REFUSED = re.compile(r"status code: 40[13]|40[13] (Forbidden|Unauthorized)")
NOT_THERE = re.compile(r"404 Not Found|NoSuchBucket")
"""Of a list or an upload in parts the library says these in words alone."""

HOPELESS = (
    *DENIED,
    FileNotFoundError,
    exceptions.InvalidPathError,
    exceptions.NotSupportedError,
)


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
    """One URL, opened. Every failure of it is a `TransferFailed` that names the URL."""

    def __init__(self, url: str, stores: Mapping[str, Keys]) -> None:
        self.place = place(url)
        self._keys = keys_for(url, stores)
        try:
            self._store = _opened(self.place, self._keys)
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def listed(self) -> Iterator[Found]:
        """What lies below the URL, which may be that of one object, too."""
        prefix = self.place.key
        found = False
        try:
            for page in obstore.list(self._store, prefix=prefix or None):
                for meta in page:
                    found = True
                    key = str(meta["path"])
                    path = key[len(prefix) :].lstrip("/") if prefix else key
                    path = path or os.path.basename(key)
                    yield Found(key, path, int(meta["size"]), meta["e_tag"])
            if not found and prefix:
                meta = obstore.head(self._store, prefix)
                path = os.path.basename(prefix)
                yield Found(prefix, path, int(meta["size"]), meta["e_tag"])
        except FROM_LIBRARY as error:
            raise self.failed(error) from None

    def fetch(self, found: Found, part: str, stop: Event) -> None:
        """Into the file `part`, from where it ends, until all of it is there."""
        for cut in range(CUTS):
            try:
                self._read(found, part)
                return
            except exceptions.PreconditionError:
                raise TransferFailed(
                    f"{self.place.url}: {found.path} was replaced while it was downloaded."
                ) from None
            except HOPELESS as error:
                raise self.failed(error) from None
            except exceptions.BaseError as error:
                if cut == CUTS - 1:
                    raise self.failed(error) from None
            if stop.wait(backoff(cut)):
                raise Stopped

    def _read(self, found: Found, part: str) -> None:
        """What is appended belongs to what is there: the store is told which content is meant."""
        with open(part, "ab") as file:
            offset = file.tell()
            if offset < found.size:
                wanted: Any = {"range": {"offset": offset}} if offset else {}
                if found.tag:
                    wanted["if_match"] = found.tag
                for piece in obstore.get(self._store, found.key, options=wanted):
                    file.write(piece)
                offset = file.tell()
        if offset != found.size:
            raise TransferFailed(
                f"{self.place.url}: {found.path} has {offset} bytes instead of {found.size}."
            )

    def put(self, file: str, path: str, size: int) -> None:
        """Under the URL; the library sends what is large in parts, side by side."""
        key = f"{self.place.key}/{path}" if self.place.key else path
        with open(file, "rb") as body:
            try:
                obstore.put(
                    self._store,
                    key,
                    body,
                    chunk_size=max(PIECE, size // MOST_PARTS + 1),
                )
            except FROM_LIBRARY as error:
                raise self.failed(error) from None

    def failed(self, error: Exception) -> TransferFailed:
        if isinstance(error, TransferFailed):
            return error
        url, words = self.place.url, " ".join(str(error).split()).partition(" Debug source:")[0]
        if isinstance(error, FileNotFoundError) or NOT_THERE.search(words):
            return TransferFailed(f"{url}: there is no such bucket or object.")
        if isinstance(error, DENIED) or REFUSED.search(words):
            whose = "the keys of your DATA credential" if self._keys else "no DATA credential"
            return TransferFailed(
                f"{url}: the store refuses access with {whose}: see `xylem credential set`."
            )
        for name in ("access_key", "access_key_id"):
            if self._keys.get(name):
                words = words.replace(self._keys[name], "***")
        return TransferFailed(f"{url}: {words[:300]}")


def download(
    wanted: Mapping[str, Any], root: str, stores: Mapping[str, Keys], *, say: Say, stop: Event
) -> None:
    """One input into the folder of its number. Raises `TransferFailed`, `Stopped`."""
    index, url = int(wanted["index"]), str(wanted["url"])
    folder, parts = f"{root}/{index}", f"{root}/{PARTS}"
    make_folder(folder)
    make_folder(parts)
    empty(parts)
    matches = _filter(str(wanted.get("regex", "")))
    remote = Remote(url, stores)
    progress = Progress(f"Downloading input {index} from {url}", say)
    found = {one.path: one for one in remote.listed() if matches(one.key, one.path)}

    def get(transfer: Transfer, connections: Connections) -> None:
        target = f"{folder}/{safe(transfer.path)}"
        if not is_there(target, transfer.size):
            part = f"{parts}/{id(connections)}"
            remote.fetch(found[transfer.path], part, stop)
            make_folder(os.path.dirname(target))
            os.rename(part, target)
        progress.moved(transfer.size)

    _all([Transfer(one.path, one.size, "") for one in found.values()], get, stop)
    progress.finished()
    os.rmdir(parts)


def upload(
    url: str,
    regex: str,
    root: str,
    stores: Mapping[str, Keys],
    *,
    what: str,
    say: Say,
    stop: Event,
    always: Sequence[str] = (),
    sent: dict[str, State] | None = None,
) -> None:
    """Files below the folder that match, or are `always` sent; or `root` itself, where that is a
    file. `sent` remembers them: what is as it was is not sent again. Raises `TransferFailed`,
    `Stopped`."""
    matches = _filter(regex)
    remembered = {} if sent is None else sent
    if os.path.isfile(root):
        root, name = os.path.split(root)
        files = list(regular(name, f"{root}/{name}", None))
    else:
        files = list(files_below(root, say, largest=None))
    states = {file.path: _state(f"{root}/{file.path}") for file in files}
    fresh = [
        Transfer(file.path, file.size, "")
        for file in files
        if (file.path in always or matches(file.path, file.path))
        and remembered.get(file.path) != states[file.path]
    ]
    if not fresh:
        return
    remote = Remote(url, stores)
    progress = Progress(f"Uploading {what} to {url}", say)

    def put(transfer: Transfer, connections: Connections) -> None:
        remote.put(f"{root}/{transfer.path}", transfer.path, transfer.size)
        remembered[transfer.path] = states[transfer.path]
        progress.moved(transfer.size)

    _all(fresh, put, stop)
    progress.finished()


def _state(file: str) -> State:
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns


def _all(
    transfers: Sequence[Transfer],
    work: Callable[[Transfer, Connections], None],
    stop: Event,
) -> None:
    """The library has tried each as often as makes sense."""
    if failures := in_parallel(transfers, work, set(), stop):
        raise TransferFailed(failures[0])


def _filter(regex: str) -> Callable[[str, str], bool]:
    """Searched for in the key, and in its path below the URL, so that `^` means either."""
    try:
        pattern = re.compile(regex)
    except re.error as error:
        raise TransferFailed(f"regex {regex!r}: {error}.") from None
    return lambda key, path: not regex or bool(pattern.search(key) or pattern.search(path))


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
        case _:
            return _s3(at, keys, override, keys.get("region"))


def _s3(at: Place, keys: Keys, endpoint: str | None, region: str | None) -> S3Store:
    config: dict[str, Any] = {"region": region or os.environ.get("AWS_REGION") or "us-east-1"}
    if keys:
        config["access_key_id"] = keys["access_key_id"]
        config["secret_access_key"] = keys["access_key"]
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
