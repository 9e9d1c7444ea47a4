"""What the service answers about datasets, as far as clients read it."""

from typing import Any, Literal

from clients.sdk.errors import BadInput
from clients.sdk.models import Answer, Moment


class Bucket(Answer):
    path: str
    description: str = ""
    mode: str = "read-write"


class Buckets(Answer):
    default: str
    buckets: dict[str, Bucket] = {}


class Started(Answer):
    """Of a start, a resumption or a finish."""

    version_id: str
    storage_path: str = ""


class Put(Answer):
    url: str
    headers: dict[str, str] = {}


class PartUrl(Answer):
    number: int
    url: str


class WantedContent(Answer):
    """`there`: nothing is to be sent."""

    etag: str
    there: bool
    put: Put | None = None
    parts: list[PartUrl] = []


class WantedContents(Answer):
    contents: list[WantedContent]


class Urls(Answer):
    urls: dict[str, str]


class DatasetVersion(Answer):
    """Of a member of a collection most is not said."""

    name: str
    version: str
    status: str = ""
    created_by: str = ""
    created_date: Moment | None = None
    last_used: Moment | None = None
    size: int = 0
    checksum: str = ""
    uri: str = ""
    metadata: dict[str, Any] = {}
    tags: list[str] = []
    collections: list[str] = []


class DatasetInfo(Answer):
    name: str
    id: str
    bucket: str
    created_by: str
    created_date: Moment
    hash_location: str | None = None
    hash_location_size: int | None = None
    labels: dict[str, Any] = {}
    type: Literal["DATASET", "COLLECTION"]
    versions: list[DatasetVersion]

    @property
    def is_collection(self) -> bool:
        return self.type == "COLLECTION"

    def meant(self, tag: str) -> str:
        """The number of the version that a tag or number stands for, or none: the latest. Raises
        `BadInput`."""
        for one in self.versions:
            if (tag or "latest") in one.tags or one.version == tag:
                return one.version
        raise BadInput(f"{self.name} has no version {tag or 'latest'} that is READY")


class ListedDataset(Answer):
    name: str
    id: str
    bucket: str
    create_time: Moment
    last_created: Moment | None = None
    hash_location_size: int | None = None
    version_id: str | None = None
    type: str


class DatasetList(Answer):
    datasets: list[ListedDataset]


class QueryAnswer(Answer):
    type: Literal["DATASET", "VERSION"]
    datasets: list[DatasetInfo]


class Deleted(Answer):
    versions: list[str]
    cleaned_size: int = 0


class RecoveredVersion(Answer):
    version: str
    status: str


class Recovered(Answer):
    versions: list[RecoveredVersion]


class TagResponse(Answer):
    version_id: str
    tags: list[str]


class TreeResponse(Answer):
    """OSMO calls labels so, too."""

    metadata: dict[str, Any]


class Attributes(Answer):
    tag_response: TagResponse | None = None
    label_response: TreeResponse | None = None
    metadata_response: TreeResponse | None = None


class CollectedVersion(Answer):
    """`dataset_name` is a dataset's id."""

    dataset_name: str
    version: str


class Recollected(Answer):
    versions: list[CollectedVersion]
