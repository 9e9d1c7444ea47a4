"""Datasets, as the service has them: one method for each thing that can be asked.

Bytes go another way (`dataset_upload`, `dataset_download`): straight between this machine and the
store, over URLs that are asked for here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from clients.sdk.dataset_models import (
    Attributes,
    Buckets,
    DatasetInfo,
    DatasetList,
    Deleted,
    Put,
    QueryAnswer,
    Recollected,
    Recovered,
    Started,
    Urls,
    WantedContents,
)
from clients.sdk.errors import BadInput, Unavailable
from clients.sdk.models import Answer
from xylem.domain import dataset
from xylem.domain.dataset import Reference
from xylem.domain.errors import XylemError
from xylem.domain.manifest import Content, FileEntry, entry

Order = Literal["ASC", "DESC"]
Send = Callable[..., httpx.Response]
"""`Client`'s own: a method and a path, with `parameters` and `json`."""

AnAnswer = TypeVar("AnAnswer", bound=Answer)
Tree = Mapping[str, Any]


class Place:
    """A dataset that was looked for: its bucket, its name, and what was said behind the colon."""

    def __init__(self, bucket: str, name: str, tag: str) -> None:
        self.bucket = bucket
        self.name = name
        self.tag = tag

    @property
    def path(self) -> str:
        return f"/api/bucket/{quote(self.bucket, safe='')}/dataset/{quote(self.name, safe='')}"

    def __str__(self) -> str:
        return f"{self.bucket}/{self.name}{':' if self.tag else ''}{self.tag}"


class Datasets:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._default: str | None = None

    def place(self, text: str) -> Place:
        """`[BUCKET/]NAME[:TAG or VERSION]`, in the default bucket unless it says another. Raises
        `BadInput`."""
        found = parsed(text)
        return Place(found.bucket or self.default_bucket(), found.name, found.tag)

    def buckets(self) -> Buckets:
        return self._ask(Buckets, "GET", "/api/bucket")

    def default_bucket(self) -> str:
        """Raises `BadInput` where there is none."""
        if self._default is None:
            given = self._ask(Buckets, "GET", "/api/bucket", {"default_only": True})
            self._default = given.default
        if not self._default:
            raise BadInput(
                "there is no default bucket of datasets: write BUCKET/NAME (xylem bucket list)"
            )
        return self._default

    def set_bucket(self, alias: str, path: str, **fields: str) -> None:
        """An administrator's: `mode`, `description`, `region`."""
        body = {"configs_dict": {"dataset_path": path, **fields}}
        self._send("PATCH", f"/api/configs/dataset/{quote(alias, safe='')}", json=body)

    def set_default_bucket(self, alias: str) -> None:
        body = {"configs_dict": {"default_bucket": alias}}
        self._send("PATCH", "/api/configs/dataset", json=body)

    def listed(
        self,
        *,
        name: str = "",
        users: Sequence[str] = (),
        buckets: Sequence[str] = (),
        all_users: bool = False,
        count: int = 20,
        order: Order = "ASC",
    ) -> DatasetList:
        asked = {
            "name": name or None,
            "user": users,
            "buckets": buckets,
            "all_users": all_users,
            "count": count,
            "order": order,
        }
        return self._ask(DatasetList, "GET", "/api/bucket/list_dataset", asked)

    def query(self, bucket: str, command: str) -> QueryAnswer:
        path = f"/api/bucket/{quote(bucket, safe='')}/query"
        return self._ask(QueryAnswer, "GET", path, {"command": command})

    def info(
        self, at: Place, *, every: bool = False, count: int = 100, order: Order = "ASC"
    ) -> DatasetInfo:
        asked = {"tag": at.tag or None, "all_flag": every, "count": count, "order": order}
        return self._ask(DatasetInfo, "GET", f"{at.path}/info", asked)

    def members(self, at: Place) -> list[tuple[Place, str]]:
        """The version that is meant, or each that a collection holds. Raises `BadInput`."""
        found = self.info(at, count=0)
        if found.is_collection:
            return [(Place(at.bucket, one.name, ""), one.version) for one in found.versions]
        return [(at, found.meant(at.tag))]

    def start(
        self, at: Place, *, description: str = "", metadata: Tree | None = None, tag: str = ""
    ) -> Started:
        asked = {"tag": tag or None, "description": description or None}
        return self._ask(Started, "POST", at.path, asked, {"metadata": dict(metadata or {})})

    def resume(self, at: Place, version: str) -> Started:
        return self._ask(Started, "POST", at.path, {"resume": True, "tag": version})

    def finish(
        self,
        at: Place,
        version: str,
        *,
        listing: str,
        checksum: str,
        tag: str = "",
        labels: Tree | None = None,
    ) -> Started:
        """Asked again it changes nothing."""
        asked = {
            "finish": True,
            "version_id": version,
            "manifest": listing,
            "checksum": checksum,
            "tag": tag or None,
        }
        return self._ask(Started, "POST", at.path, asked, {"labels": dict(labels or {})})

    def uploads(self, at: Place, version: str, contents: Sequence[Content]) -> WantedContents:
        body = {"contents": [{"etag": one.etag, "size": one.size} for one in contents]}
        asked = {"version_id": version}
        return self._ask(WantedContents, "POST", f"{at.path}/uploads", asked, body)

    def put_listing(self, at: Place, version: str, md5: str, size: int) -> Put:
        body = {"md5": md5, "size": size}
        return self._ask(Put, "POST", f"{at.path}/listing", {"version_id": version}, body)

    def listing(self, at: Place, version: str) -> list[FileEntry]:
        """The files of a version that is READY."""
        answer = self._send("GET", f"{at.path}/manifest", parameters={"version": version})
        return entries(answer.content)

    def downloads(self, at: Place, version: str, etags: Sequence[str]) -> dict[str, str]:
        body = {"etags": list(etags)}
        asked = {"version_id": version}
        return self._ask(Urls, "POST", f"{at.path}/downloads", asked, body).urls

    def delete(self, at: Place, *, every: bool = False) -> Deleted:
        asked = {"tag": at.tag or None, "all_flag": every}
        return self._ask(Deleted, "DELETE", at.path, asked)

    def drop(self, at: Place) -> Deleted:
        """Put what was deleted beyond recovery."""
        return self._ask(Deleted, "DELETE", at.path, {"finish": True})

    def recover(self, at: Place, *, every: bool = False) -> Recovered:
        asked = {"tag": at.tag or None, "all_flag": every}
        return self._ask(Recovered, "POST", f"{at.path}/recover", asked)

    def tag(self, at: Place, *, put: Sequence[str] = (), delete: Sequence[str] = ()) -> Attributes:
        return self._attributes(at, {"set_tag": put, "delete_tag": delete})

    def label(
        self, at: Place, *, put: Tree | None = None, delete: Sequence[str] = ()
    ) -> Attributes:
        return self._attributes(at, {"delete_label": delete}, {"set_label": dict(put or {})})

    def metadata(
        self, at: Place, *, put: Tree | None = None, delete: Sequence[str] = ()
    ) -> Attributes:
        body = {"set_metadata": dict(put or {})}
        return self._attributes(at, {"delete_metadata": delete}, body)

    def rename(self, at: Place, new_name: str) -> Attributes:
        return self._attributes(at, {"new_name": new_name})

    def collect(self, at: Place, members: Sequence[Reference]) -> None:
        self._send("POST", f"{at.path}/collect", json={"datasets": _named(members)})

    def recollect(
        self, at: Place, *, add: Sequence[Reference] = (), remove: Sequence[Reference] = ()
    ) -> Recollected:
        body = {"add_datasets": _named(add), "remove_datasets": _named(remove)}
        return self._ask(Recollected, "POST", f"{at.path}/recollect", None, body)

    def _attributes(
        self, at: Place, parameters: Mapping[str, Any], body: Tree | None = None
    ) -> Attributes:
        asked = {"tag": at.tag or None, **parameters}
        return self._ask(Attributes, "POST", f"{at.path}/attribute", asked, body)

    def _ask(
        self,
        model: type[AnAnswer],
        method: str,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        body: object = None,
    ) -> AnAnswer:
        answer = self._send(method, path, parameters=parameters, json=body)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise Unavailable(
                f"{path} did not answer with a {model.__name__}: is the service as new as this "
                f"client? {error.errors()[0]['msg']}",
                status=answer.status_code,
            ) from error


def parsed(text: str) -> Reference:
    """Raises `BadInput`."""
    try:
        return dataset.reference(text)
    except XylemError as error:
        raise BadInput(str(error)) from None


def entries(body: bytes) -> list[FileEntry]:
    """Of a listing as the service writes it. What would lead out of a folder is refused here as
    well: this machine writes it. Raises `BadInput`."""
    try:
        found = json.loads(body)
        return [
            entry(one["relative_path"], one["etag"], one["size"], one.get("link")) for one in found
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput("what came is no listing of a dataset") from None
    except XylemError as error:
        raise BadInput(f"the listing cannot be used: {error}") from None


def _named(members: Sequence[Reference]) -> list[dict[str, str]]:
    return [{"name": one.name, "tag": one.tag} for one in members]
