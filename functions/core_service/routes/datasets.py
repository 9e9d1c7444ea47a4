"""Datasets and collections: OSMO 6.0's routes below `/api/bucket`, and what they lack beside them.

Beside them, because clients of ours hold no keys of a store: `uploads`, `listing`, `downloads` and
`manifest` answer with URLs that are signed for a while; and `recover`.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.core_service import dataset_views as views
from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text, whole
from functions.core_service.views import View
from xylem.domain.dataset import DatasetType, known_name, tag_name
from xylem.domain.dataset_config import bucket_of
from xylem.domain.errors import InvalidRequest
from xylem.domain.manifest import content
from xylem.ports.catalog import MOST_CONTENTS
from xylem.usecases import dataset_collections, dataset_listing, dataset_transfers, datasets
from xylem.usecases.dataset_listing import Filter, Shown
from xylem.usecases.dataset_transfers import MOST_DOWNLOADS
from xylem.usecases.datasets import Attributes

router = APIRouter(prefix="/api/bucket")

MOST_NAMES = 100
"""In one parameter."""

MOST_NUMBER = 10**12 - 1

Names = Annotated[list[Text], Field(max_length=MOST_NAMES)]
Number = Annotated[int, Field(ge=1, le=MOST_NUMBER)]
Order = Literal["ASC", "DESC"]


def _tree(value: dict[str, Any]) -> dict[str, Any]:
    """JSON of the caller's, with no half of a surrogate pair in it."""
    whole(json.dumps(value, ensure_ascii=False))
    return value


Tree = Annotated[dict[str, Any], AfterValidator(_tree)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UploadBody(Body):
    metadata: Tree = {}
    labels: Tree = {}


class UploadQuery(BaseModel):
    """Of a start, a resumption or a finish. OSMO's client says the sizes that it counted, too: they
    are counted here. `manifest`: the MD5 of the listing that was put."""

    tag: Text = ""
    description: Annotated[Text, Field(max_length=4096)] = ""
    resume: bool = False
    finish: bool = False
    version_id: Text = ""
    checksum: Text = ""
    size: int = 0
    update_dataset_size: int = 0
    manifest: Text = ""


class AttributeBody(Body):
    set_label: Tree | None = None
    set_metadata: Tree | None = None


class AttributeQuery(BaseModel):
    tag: Text = ""
    new_name: Text | None = None
    set_tag: Names = []
    delete_tag: Names = []
    delete_label: Names = []
    delete_metadata: Names = []


class ListQuery(BaseModel):
    name: Text = ""
    user: Names = []
    buckets: Names = []
    dataset_type: DatasetType | None = None
    latest_before: datetime | None = None
    latest_after: datetime | None = None
    all_users: bool = False
    order: Order = "ASC"
    count: Annotated[int, Field(ge=1)] = 20


class InfoQuery(BaseModel):
    tag: Text = ""
    all_flag: bool = False
    count: Annotated[int, Field(ge=0)] = 100
    order: Order = "ASC"


class DeleteQuery(BaseModel):
    tag: Text = ""
    all_flag: bool = False
    finish: bool = False


class NamedDataset(Body):
    """`tag`: the latest where there is none."""

    name: Text
    tag: Text = ""

    @property
    def named(self) -> tuple[str, str]:
        return known_name(self.name), self.tag


class CollectBody(Body):
    datasets: Annotated[list[NamedDataset], Field(max_length=MOST_NAMES)]


class RecollectBody(Body):
    add_datasets: Annotated[list[NamedDataset], Field(max_length=MOST_NAMES)] = []
    remove_datasets: Annotated[list[NamedDataset], Field(max_length=MOST_NAMES)] = []


class ContentBody(Body):
    etag: Text
    size: int


class ContentsBody(Body):
    contents: Annotated[list[ContentBody], Field(min_length=1, max_length=MOST_CONTENTS)]


class ListingBody(Body):
    md5: Text
    size: int


class EtagsBody(Body):
    etags: Annotated[list[Text], Field(min_length=1, max_length=MOST_DOWNLOADS)]


@router.get("")
def list_buckets(who: User, has: Has, default_only: bool = False) -> View:
    return views.buckets(has.datasets.dataset_configs.datasets(), default_only=default_only)


@router.get("/list_dataset")
def list_datasets(query: Annotated[ListQuery, Query()], who: User, has: Has) -> View:
    users = None if query.all_users else tuple(query.user) or (str(who.subject),)
    wanted = Filter(
        name=query.name,
        users=users,
        buckets=tuple(query.buckets),
        kind=query.dataset_type,
        before=_aware(query.latest_before),
        after=_aware(query.latest_after),
    )
    found = dataset_listing.listed(
        wanted, count=query.count, order=query.order, engine=has.datasets
    )
    return {"datasets": [views.entry(one) for one in found]}


@router.get("/{bucket}/query")
def query_datasets(bucket: str, command: Text, who: User, has: Has) -> View:
    from functions.core_service.dataset_query import question_of  # noqa: PLC0415 - lark, for it alone

    found = dataset_listing.query(bucket, question_of(command), engine=has.datasets)
    return views.answer(found, _region(bucket, has))


@router.get("/{bucket}/location")
def get_location(bucket: str, who: User, has: Has) -> View:
    found = bucket_of(bucket, has.datasets.dataset_configs.datasets())
    return {"path": found.path, "region": found.region}


@router.post("/{bucket}/dataset/{name}")
def upload(
    bucket: str,
    name: str,
    query: Annotated[UploadQuery, Query()],
    who: User,
    has: Has,
    body: UploadBody | None = None,
) -> View:
    """Start, resume or finish a version."""
    if query.finish:
        done = datasets.finish(
            bucket,
            name,
            _number(query.version_id, name),
            listing=query.manifest,
            checksum=query.checksum,
            tag=query.tag,
            labels=body.labels if body else {},
            engine=has.datasets,
        )
        return views.finished(done.version)
    if query.resume:
        dataset, version = datasets.resume(bucket, name, query.tag, engine=has.datasets)
    else:
        if query.tag.isdecimal():
            raise InvalidRequest(f"Tags cannot be a number: {query.tag[:100]}", code="USER")
        dataset, version = datasets.start(
            bucket,
            name,
            by=who.subject,
            description=query.description,
            metadata=body.metadata if body else {},
            tag="" if query.tag == "latest" else query.tag,
            engine=has.datasets,
        )
    return views.started(dataset, version, _region(bucket, has))


@router.get("/{bucket}/dataset/{name}")
def get_download_info(bucket: str, name: str, who: User, has: Has, tag: Text = "") -> View:
    return _download_info(bucket, name, tag, has)


@router.post("/{bucket}/dataset/{name}/migrate")
def migrate(bucket: str, name: str, who: User, has: Has, tag: Text = "") -> View:
    """There is no older layout here to be migrated from."""
    return _download_info(bucket, name, tag, has)


@router.get("/{bucket}/dataset/{name}/info")
def get_info(
    bucket: str, name: str, query: Annotated[InfoQuery, Query()], who: User, has: Has
) -> View:
    found = dataset_listing.describe(
        bucket,
        name,
        query.tag,
        every=query.all_flag,
        count=query.count,
        order=query.order,
        engine=has.datasets,
    )
    return views.info(found, _region(bucket, has))


@router.delete("/{bucket}/dataset/{name}")
def delete(
    bucket: str, name: str, query: Annotated[DeleteQuery, Query()], who: User, has: Has
) -> View:
    """`finish`: what was deleted is put beyond recovery."""
    if query.finish:
        gone, cleaned = datasets.drop(bucket, name, engine=has.datasets)
        return views.deleted(gone, cleaned_bytes=cleaned)
    gone = datasets.delete(
        bucket, name, query.tag, every=query.all_flag, by=who.subject, engine=has.datasets
    )
    return views.deleted(gone)


@router.post("/{bucket}/dataset/{name}/recover")
def recover(
    bucket: str, name: str, who: User, has: Has, tag: Text = "", all_flag: bool = False
) -> View:
    _, back = datasets.recover(bucket, name, tag, every=all_flag, engine=has.datasets)
    return {"versions": [{"version": str(one.number), "status": one.status.value} for one in back]}


@router.post("/{bucket}/dataset/{name}/attribute")
def change_attributes(
    bucket: str,
    name: str,
    query: Annotated[AttributeQuery, Query()],
    who: User,
    has: Has,
    body: AttributeBody | None = None,
) -> View:
    given = body or AttributeBody()
    wanted = Attributes(
        new_name=query.new_name.rpartition("/")[2] if query.new_name is not None else None,
        set_tags=tuple(map(tag_name, query.set_tag)),
        delete_tags=tuple(map(tag_name, query.delete_tag)),
        set_labels=given.set_label,
        delete_labels=tuple(query.delete_label),
        set_metadata=given.set_metadata,
        delete_metadata=tuple(query.delete_metadata),
    )
    dataset, version = datasets.change(bucket, name, query.tag, wanted, engine=has.datasets)
    tags = version and {
        "version_id": str(version.number),
        "tags": dataset.tags_of(version.number),
    }
    metadata = version and {"metadata": dict(version.metadata)}
    return {
        "tag_response": tags if wanted.tags else None,
        "label_response": {"metadata": dict(dataset.labels)} if wanted.labels else None,
        "metadata_response": metadata if wanted.metadata else None,
    }


@router.post("/{bucket}/dataset/{name}/collect")
def collect(bucket: str, name: str, body: CollectBody, who: User, has: Has) -> None:
    given = [one.named for one in body.datasets]
    dataset_collections.collect(bucket, name, given, by=who.subject, engine=has.datasets)


@router.post("/{bucket}/dataset/{name}/recollect")
def recollect(bucket: str, name: str, body: RecollectBody, who: User, has: Has) -> View:
    after = dataset_collections.recollect(
        bucket,
        name,
        add=[one.named for one in body.add_datasets],
        remove=[one.named for one in body.remove_datasets],
        engine=has.datasets,
    )
    return {
        "versions": [{"dataset_name": one.dataset, "version": str(one.version)} for one in after]
    }


# Ours alone --------------------------------------------------------------------------------------


@router.post("/{bucket}/dataset/{name}/uploads")
def ask_uploads(
    bucket: str, name: str, version_id: Number, body: ContentsBody, who: User, has: Has
) -> View:
    """What of these is there already, and where the rest goes."""
    given = [content(one.etag, one.size) for one in body.contents]
    found = dataset_transfers.uploads(bucket, name, version_id, given, engine=has.datasets)
    return views.wanted(found)


@router.post("/{bucket}/dataset/{name}/listing")
def ask_listing(
    bucket: str, name: str, version_id: Number, body: ListingBody, who: User, has: Has
) -> View:
    put = dataset_transfers.upload_listing(
        bucket, name, version_id, body.md5, body.size, engine=has.datasets
    )
    return {"url": put.url, "headers": dict(put.headers)}


@router.get("/{bucket}/dataset/{name}/manifest", response_class=RedirectResponse, status_code=307)
def get_manifest(
    bucket: str, name: str, who: User, has: Has, version: Text = ""
) -> RedirectResponse:
    """OSMO 6.3 has it, too, and answers with what this leads to."""
    found = dataset_transfers.readable(bucket, name, version, engine=has.datasets)
    return RedirectResponse(found.url)


@router.get(
    "/{bucket}/dataset/{name}/file-content", response_class=RedirectResponse, status_code=307
)
def get_file_content(
    bucket: str, name: str, storage_path: Text, who: User, has: Has, filename: Text = ""
) -> RedirectResponse:
    """OSMO 6.3's route for whoever looks at one file."""
    dataset = datasets.require(bucket, name, engine=has.datasets).value
    prefix = f"{views.hash_location(dataset)}/"
    if dataset.is_collection or not storage_path.startswith(prefix):
        raise InvalidRequest(f"storage_path: it has to be below {prefix}.", code="USER")
    etag = storage_path.removeprefix(prefix)
    version = dataset_transfers.ready(dataset, "", engine=has.datasets)
    return RedirectResponse(dataset_transfers.content_url(version, etag, engine=has.datasets))


@router.post("/{bucket}/dataset/{name}/downloads")
def ask_downloads(
    bucket: str, name: str, version_id: Number, body: EtagsBody, who: User, has: Has
) -> View:
    urls = dataset_transfers.downloads(
        bucket, name, str(version_id), body.etags, engine=has.datasets
    )
    return {"urls": urls}


def _download_info(bucket: str, name: str, tag: str, has: Has) -> View:
    bucket_of(bucket, has.datasets.dataset_configs.datasets())
    dataset = datasets.require(bucket, name, engine=has.datasets).value
    if dataset.is_collection:
        members = tuple(dataset_collections.pinned(dataset, engine=has.datasets))
        return views.download_info(Shown(dataset, members=members), None)
    found = datasets.require_version(dataset, tag, engine=has.datasets).value
    if found.status != "READY":
        raise dataset_transfers.not_ready(dataset, tag)
    has.datasets.catalog.use(dataset.id, found.number, has.datasets.clock())
    return views.download_info(Shown(dataset), found)


def _region(bucket: str, has: Has) -> str:
    return bucket_of(bucket, has.datasets.dataset_configs.datasets()).region


def _number(version: str, name: str) -> int:
    if not version.isdecimal() or not 0 < int(version[:19]) <= MOST_NUMBER:
        raise InvalidRequest(
            f"Say the version of {name} to finish as version_id, a number.", code="USER"
        )
    return int(version)


def _aware(at: datetime | None) -> datetime | None:
    """OSMO's clients say no zone and mean UTC."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
