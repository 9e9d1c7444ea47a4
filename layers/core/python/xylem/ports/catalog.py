"""What is known of datasets, and the store that their objects lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.config import NO_NOTE
from xylem.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from xylem.domain.config import Note
    from xylem.domain.dataset import Dataset, DatasetId, Member, Version
    from xylem.domain.dataset_config import DatasetConfig
    from xylem.domain.ids import UserName
    from xylem.domain.manifest import Content
    from xylem.ports.stored import Stored

MOST_CONTENTS = 90
"""In one request: each is a row, and a transaction takes 100 actions."""


@dataclass(frozen=True, slots=True)
class Held:
    """A content of a dataset. `by`: the versions that need it, of which it is kept for any.
    `there`: the store was seen to have it. `upload`: of one that is sent in parts."""

    etag: str
    size: int
    by: frozenset[int]
    there: bool = False
    upload: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogCommit:
    """Rows as they were read and as they are to be, all or none; without a before a row comes,
    without an after it goes. `pinned`: versions that must be READY still. When somebody has to look
    at a version again follows from its status (`domain.dataset.due_at`)."""

    datasets: tuple[tuple[Stored[Dataset] | None, Dataset | None], ...] = ()
    versions: tuple[tuple[Stored[Version], Version | None], ...] = ()
    pinned: tuple[Member, ...] = ()
    numbers: int | None = None
    """Of the first dataset, which goes: the last that was drawn, and must be so still."""


@dataclass(frozen=True, slots=True)
class Due:
    """A version that somebody has to look at."""

    dataset: DatasetId
    version: int
    at: datetime


class Catalog(Protocol):
    """Reads are consistent."""

    def dataset(self, bucket: str, name: str) -> Stored[Dataset] | None: ...

    def datasets(self, bucket: str) -> Iterator[Stored[Dataset]]:
        """All of a bucket, by name."""
        ...

    def place(self, dataset: DatasetId) -> tuple[str, str] | None:
        """Its bucket and name."""
        ...

    def last_number(self, bucket: str, name: str) -> int:
        """That was drawn."""
        ...

    def draw(self, dataset: Dataset) -> int:
        """The number of a new version. Raises `Conflict` where the dataset is no longer there."""
        ...

    def begin(self, dataset: Dataset, version: Version) -> None:
        """A new version. Raises `Conflict` where the dataset is no longer there."""
        ...

    def version(self, dataset: DatasetId, number: int) -> Stored[Version] | None: ...

    def versions(self, dataset: DatasetId) -> list[Stored[Version]]:
        """All of a dataset, by number."""
        ...

    def commit(self, commit: CatalogCommit) -> None:
        """Raises `Conflict` where anything is no longer as it was read, or a name is taken."""
        ...

    def use(self, dataset: DatasetId, number: int, now: datetime) -> None:
        """Somebody used it. Nothing where it is gone."""
        ...

    def last_used(self, dataset: DatasetId) -> Mapping[int, datetime]: ...

    def hold(self, dataset: DatasetId, number: int, contents: Sequence[Content]) -> dict[str, Held]:
        """In one step, if the version is PENDING: nobody lets go of them while it needs them. By
        hash. Raises `Conflict` where it is not PENDING, or one of them is being removed;
        `InvalidRequest` where the store was seen to have one of them in another size."""
        ...

    def sending(self, dataset: DatasetId, etag: str, upload: str, *, instead_of: str | None) -> str:
        """The upload that sends this content: this one, or that of who was faster."""
        ...

    def seen(self, dataset: DatasetId, contents: Iterable[Content]) -> None:
        """The store has them, in these sizes, whatever was announced of them."""
        ...

    def held(self, dataset: DatasetId) -> Iterator[Held]:
        """All contents of a dataset, those that are being removed included, which nobody holds."""
        ...

    def release(self, dataset: DatasetId, number: int, etags: Sequence[str]) -> list[str]:
        """The version needs them no more. Those that nobody needs: from now on nobody can hold
        them until they are forgotten."""
        ...

    def forget(self, dataset: DatasetId, etags: Sequence[str]) -> None:
        """The store has them no more."""
        ...

    def due(self, now: datetime, *, limit: int) -> list[Due]:
        """Versions that somebody has to look at by now."""
        ...

    def put_off(self, due: Due, until: datetime | None) -> None:
        """None: for ever."""
        ...


class DatasetConfigs(Protocol):
    def datasets(self) -> DatasetConfig: ...

    def change_datasets(
        self,
        into: Callable[[DatasetConfig], DatasetConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> DatasetConfig:
        """A new revision. What `into` raises is raised."""
        ...


@dataclass(frozen=True, slots=True)
class SignedPut:
    """`headers` are part of the signature: the request has them, exactly."""

    url: str
    headers: Mapping[str, str]


class DatasetStore(Protocol):
    """One bucket of an object store, whose ETags are as `domain.manifest` says."""

    @property
    def uri(self) -> str:
        """`s3://bucket`."""
        ...

    def find(self, key: str) -> Content | None:
        """What lies there, by what the store itself knows of it."""
        ...

    def read(self, key: str, *, most: int) -> bytes | None:
        """Raises `TooLarge` above `most` bytes."""
        ...

    def write(self, key: str, body: bytes) -> None: ...

    def get_url(self, key: str, *, expires: timedelta) -> str: ...

    def put_url(self, key: str, content: Content, *, expires: timedelta) -> SignedPut:
        """For that content alone, and only while nothing is there."""
        ...

    def begin_parts(self, key: str) -> str: ...

    def parts(self, key: str, upload: str) -> dict[int, Content] | None:
        """Those that were sent, by number from 1. None: the upload is over."""
        ...

    def part_url(self, key: str, upload: str, number: int, *, expires: timedelta) -> str: ...

    def join(self, key: str, upload: str, parts: Mapping[int, Content]) -> None:
        """Somebody else may have done so: joining what is over is no error."""
        ...

    def give_up(self, key: str, upload: str) -> None:
        """Giving up what is over is no error."""
        ...

    def keys(self, prefix: str, *, limit: int = 1000) -> list[str]: ...

    def delete(self, keys: Sequence[str]) -> None:
        """Deleting what is not there is no error."""
        ...
