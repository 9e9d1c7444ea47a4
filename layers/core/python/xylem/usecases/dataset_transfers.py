"""Contents go straight between a client and the store, over URLs that are signed here.

An upload asks with the hashes and sizes of what it has, in batches. Each is held for the version
before anything is answered, so that nobody removes it from then on; what the store has is there,
and need not be sent. The rest gets a URL that is good for that content alone: S3 refuses any other
bytes by the MD5 that is signed, and refuses to replace what is there. A content of more than 8 MiB
is sent in parts, which S3 keeps until they are joined; they are joined here, once their hashes make
the one that was asked for, so nothing wrong ever lies under a hash.

Asking again says what is there by now: it is how an upload is confirmed, how it is resumed, and how
two that send the same do so once.
"""

from collections.abc import Mapping, Sequence

from xylem.domain import dataset as rules
from xylem.domain import manifest
from xylem.domain.dataset import URL_LIFE, Dataset, Version, VersionStatus
from xylem.domain.dataset_config import bucket_of, require_writable
from xylem.domain.errors import Conflict, Gone, InvalidRequest
from xylem.domain.manifest import PART_BYTES, Content
from xylem.domain.values import dataclass, field
from xylem.ports.catalog import MOST_CONTENTS, Held, SignedPut
from xylem.usecases.datasets import (
    MD5,
    Engine,
    again,
    content_key,
    ensure_manifest,
    require,
    require_version,
    staged_key,
)

MOST_PART_URLS = 200
"""In one answer, of all its contents: a URL has 2 KB at the most, an answer 6 MB."""

MOST_DOWNLOADS = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """`there`: nothing is to be sent. Else `put`, or some of its `parts` by number, from 1: ask
    again for the others when these were sent."""

    etag: str
    there: bool
    put: SignedPut | None = None
    parts: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Readable:
    """A version that may be read, and where its listing is."""

    dataset: Dataset
    version: Version
    url: str


def uploads(
    bucket: str, name: str, number: int, given: Sequence[Content], *, engine: Engine
) -> list[Wanted]:
    """Raises `InvalidRequest`, `Conflict`."""
    require_writable(bucket, engine.dataset_configs.datasets())
    if len(given) > MOST_CONTENTS:
        raise InvalidRequest(f"{len(given)} contents; ask for {MOST_CONTENTS} at once.")
    contents = {one.etag: one for one in given}
    dataset = require(bucket, name, engine=engine).value

    def hold() -> tuple[Version, dict[str, Held]]:
        version = _pending(dataset, number, engine)
        return version, engine.catalog.hold(dataset.id, number, list(contents.values()))

    version, held = again(hold, engine)
    found, left = [], MOST_PART_URLS
    confirmed: list[Content] = []
    for etag, content in contents.items():
        wanted = Wanted(etag, there=True)
        if not held[etag].there:
            wanted = _wanted(version, content, held[etag].upload, left, engine)
            if wanted.there:
                confirmed.append(content)
            left -= len(wanted.parts)
        found.append(wanted)
    if confirmed:
        engine.catalog.seen(dataset.id, confirmed)
    return found


def upload_listing(
    bucket: str, name: str, number: int, md5: str, size: int, *, engine: Engine
) -> SignedPut:
    """Where the listing of this MD5 goes. Raises `InvalidRequest`."""
    require_writable(bucket, engine.dataset_configs.datasets())
    if MD5.fullmatch(md5) is None or not 0 <= size <= manifest.MANIFEST_BYTES:
        raise InvalidRequest(
            "Say the MD5 of the listing, 32 hex digits, and its size: "
            f"{manifest.MANIFEST_BYTES} bytes at the most."
        )
    dataset = require(bucket, name, engine=engine).value
    version = _pending(dataset, number, engine)
    key = staged_key(version, md5, engine.dataset_store)
    return engine.dataset_store.put_url(key, Content(md5, size), expires=URL_LIFE)


def readable(bucket: str, name: str, tag: str, *, engine: Engine) -> Readable:
    """Raises `InvalidRequest`; `Gone` for what was deleted."""
    bucket_of(bucket, engine.dataset_configs.datasets())
    dataset = require(bucket, name, engine=engine).value
    version = ready(dataset, tag, engine=engine)
    key = ensure_manifest(version, engine=engine)
    engine.catalog.use(dataset.id, version.number, engine.clock())
    return Readable(dataset, version, engine.dataset_store.get_url(key, expires=URL_LIFE))


def downloads(
    bucket: str, name: str, tag: str, etags: Sequence[str], *, engine: Engine
) -> dict[str, str]:
    """A URL for each of these contents. What a version lists stays for the life of its URLs, also
    where it is deleted meanwhile. Raises `InvalidRequest`; `Gone` for what was deleted."""
    bucket_of(bucket, engine.dataset_configs.datasets())
    if len(etags) > MOST_DOWNLOADS:
        raise InvalidRequest(f"{len(etags)} contents; ask for {MOST_DOWNLOADS} at once.")
    dataset = require(bucket, name, engine=engine).value
    version = ready(dataset, tag, engine=engine)
    return {etag: content_url(version, etag, engine=engine) for etag in etags}


def content_url(version: Version, etag: str, *, engine: Engine) -> str:
    """Raises `InvalidRequest`."""
    if manifest.ETAG.fullmatch(etag) is None:
        raise InvalidRequest(f"{etag[:60]!r} is no hash of a content.")
    key = content_key(version.location, etag, engine.dataset_store)
    return engine.dataset_store.get_url(key, expires=URL_LIFE)


def ready(dataset: Dataset, tag: str, *, engine: Engine) -> Version:
    """Raises `InvalidRequest`; `Gone` for what was deleted."""
    rules.require_dataset(dataset, "a download of one version")
    version = require_version(dataset, tag, engine=engine).value
    match version.status:
        case VersionStatus.READY:
            return version
        case VersionStatus.PENDING_DELETE:
            raise Gone(
                f"Version {version.number} of dataset {dataset.name} was deleted by "
                f"{version.deleted_by}. Until {version.since + rules.RECOVERABLE:%Y-%m-%d %H:%M} "
                f"UTC it can be recovered: xylem dataset recover {dataset.name}:{version.number}"
            )
        case _:
            raise not_ready(dataset, tag)


def not_ready(dataset: Dataset, tag: str) -> InvalidRequest:
    """In OSMO's words."""
    return InvalidRequest(
        f"There is no READY dataset {dataset.name} with tag or id {tag or rules.LATEST} in bucket "
        f"{dataset.bucket}.",
        code="DATABASE",
    )


def _pending(dataset: Dataset, number: int, engine: Engine) -> Version:
    version = require_version(dataset, str(number), engine=engine).value
    if version.status is not VersionStatus.PENDING:
        raise InvalidRequest(
            f"Version {number} of dataset {dataset.name} is {version.status}: nothing can be "
            "uploaded to it.",
            code="USER",
        )
    return version


def _wanted(
    version: Version, content: Content, upload: str | None, left: int, engine: Engine
) -> Wanted:
    """Of a content that nobody saw in the store so far."""
    store = engine.dataset_store
    key = content_key(version.location, content.etag, store)
    found = store.find(key)
    if found == content:
        return Wanted(content.etag, there=True)
    if found is not None and found.etag == content.etag:
        raise manifest.other_size(content, found.size)
    if found is not None:
        # Put there by somebody with keys of the store; nobody was told yet that it is there.
        store.delete([key])
    if not content.parts:
        return Wanted(content.etag, False, store.put_url(key, content, expires=URL_LIFE))
    sent = store.parts(key, upload) if upload else None
    if sent is None or upload is None:
        begun = store.begin_parts(key)
        chosen = engine.catalog.sending(version.dataset, content.etag, begun, instead_of=upload)
        if chosen != begun:
            store.give_up(key, begun)
        upload, sent = chosen, store.parts(key, chosen) or {}
    missing = [
        number
        for number in range(1, content.parts + 1)
        if number not in sent or sent[number].size != _part_bytes(content, number)
    ]
    if not missing:
        return _join(key, content, upload, sent, engine)
    urls = {
        number: store.part_url(key, upload, number, expires=URL_LIFE)
        for number in missing[: max(left, 0)]
    }
    return Wanted(content.etag, False, parts=urls)


def _join(
    key: str, content: Content, upload: str, sent: Mapping[int, Content], engine: Engine
) -> Wanted:
    store = engine.dataset_store
    parts = {number: sent[number] for number in range(1, content.parts + 1)}
    if manifest.joined([one.etag for one in parts.values()]) != content.etag:
        store.give_up(key, upload)
        raise InvalidRequest(
            f"The parts that were sent do not make {content.etag}: the file was changed while it "
            "was uploaded. Upload it again."
        )
    store.join(key, upload, parts)
    if store.find(key) != content:
        raise Conflict(f"{content.etag} was not joined as asked: ask again")
    return Wanted(content.etag, there=True)


def _part_bytes(content: Content, number: int) -> int:
    return min(PART_BYTES, content.size - (number - 1) * PART_BYTES)
