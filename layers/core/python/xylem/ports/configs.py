"""What admins and users set: configs of every kind, and credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.domain.config import NO_NOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from xylem.domain.config import ConfigKind, Note, Revision, ServiceConfig, WorkflowConfig
    from xylem.domain.credential import Credential, KnownCredential
    from xylem.domain.dataset_config import DatasetConfig
    from xylem.domain.ids import UserName
    from xylem.domain.pool import Pool
    from xylem.domain.pool_book import PoolBook
    from xylem.domain.role import Roles


class ConfigRows(Protocol):
    """Revisions of configs as they are stored. What a kind is before anybody set it has no row."""

    def current(self, kinds: Collection[ConfigKind]) -> Mapping[ConfigKind, Revision]:
        """Consistently read, in one request. Of what was never set there is none."""
        ...

    def add(self, new: Sequence[Revision], *, read: Mapping[ConfigKind, int]) -> None:
        """The newest of each kind from now on, all or none, if the newest of every kind in `read`
        is still the one of this number (0: none). With a revision 2 comes its kind's first, if
        there is none: it is among `new`. Raises `Conflict`."""
        ...

    def revision(self, kind: ConfigKind, number: int) -> Revision | None: ...

    def revisions(
        self, kind: ConfigKind, *, newest_first: bool = True, fewest: int = 20
    ) -> Iterable[Revision]:
        """By number, lazily: whoever stops reading stops paying. `fewest`: how many are likely to
        be read."""
        ...

    def note(self, revision: Revision) -> None:
        """Its tags, and who deleted it, in the place of what was said before. Raises `Conflict`
        where it is not there."""
        ...


class Pools(Protocol):
    """Pools, and what they name: templates, validations, what admins say of backends."""

    def pool(self, name: str) -> Pool:
        """With what it names looked up. Raises `UnknownPool`."""
        ...

    def all(self) -> list[Pool]:
        """By name, with what they name looked up."""
        ...

    def book(self) -> PoolBook:
        """As it was put, consistently read."""
        ...

    def change(
        self,
        into: Callable[[PoolBook], PoolBook],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> None:
        """Whatever of it `into` changes, under all of it as it was read; a new revision of each
        kind of config that changed. What `into` raises is raised. Raises `Conflict` when others
        were faster too often."""
        ...

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        """Creates or replaces it."""
        ...


class Configs(Protocol):
    @property
    def rows(self) -> ConfigRows: ...

    def workflow(self) -> WorkflowConfig: ...

    def change_workflow(
        self,
        into: Callable[[WorkflowConfig], WorkflowConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> WorkflowConfig:
        """As it is from now on, a new revision. What `into` raises is raised."""
        ...

    def service(self) -> ServiceConfig: ...

    def change_service(
        self,
        into: Callable[[ServiceConfig], ServiceConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> ServiceConfig:
        """As of workflows."""
        ...

    def datasets(self) -> DatasetConfig: ...

    def change_datasets(
        self,
        into: Callable[[DatasetConfig], DatasetConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> DatasetConfig:
        """As of workflows."""
        ...

    def roles(self) -> Roles: ...

    def change_roles(
        self,
        into: Callable[[Roles], Roles],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> None:
        """What `into` raises is raised."""
        ...


class Credentials(Protocol):
    """What users keep: their payloads sealed, so that whoever reads the rows reads no secret."""

    def all(self, user: UserName) -> list[KnownCredential]:
        """Those of one user, by name, consistently read."""
        ...

    def open(self, user: UserName, name: str) -> Credential | None:
        """With its payload. Raises `Unavailable` where the key that it was sealed with is gone."""
        ...

    def put(
        self, user: UserName, credential: Credential, *, replacing: str | None, now: datetime
    ) -> None:
        """In one step with the removal of the one that it replaces, whose name may be the same.
        Raises `Conflict` when that is no longer there, or another has the new one's name."""
        ...

    def delete(self, user: UserName, name: str) -> None:
        """Deleting what is not there is no error."""
        ...
