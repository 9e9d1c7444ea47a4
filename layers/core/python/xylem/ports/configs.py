"""What admins and users set: pools, the config of workflows, credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from xylem.domain.config import WorkflowConfig
    from xylem.domain.credential import Credential, KnownCredential
    from xylem.domain.ids import UserName
    from xylem.domain.pool import Pool
    from xylem.domain.pool_book import PoolBook


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
        self, into: Callable[[PoolBook], PoolBook], *, author: UserName, now: datetime
    ) -> None:
        """Whatever of it `into` changes, under all of it as it was read; a new revision of each
        kind of config that changed. What `into` raises is raised. Raises `Conflict` when others
        were faster too often."""
        ...

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        """Creates or replaces it."""
        ...


class Configs(Protocol):
    def workflow(self) -> WorkflowConfig: ...

    def patch_workflow(
        self, changes: dict[str, Any], *, author: UserName, now: datetime
    ) -> WorkflowConfig:
        """`changes`: fields of it, with checked values. A new revision."""
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
