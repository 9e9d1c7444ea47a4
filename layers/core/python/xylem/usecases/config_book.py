"""Configs of every kind over the rows of their revisions.

Pools and what they name are one book of several kinds. A change of it is written under the
revisions of all of them, whichever it changes: so a template is not deleted while a pool comes to
name it. They are read by one request, which is no snapshot: a pool may be newer than its template
for the blink between two commits, which is what a submission a moment earlier would have found.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from xylem.domain.backend_test import BackendTest
from xylem.domain.config import (
    DEFAULT_CONFIG,
    DEFAULT_SERVICE,
    FIRST,
    INSTALLER,
    NO_NOTE,
    SHIPPED_AT,
    ConfigKind,
    Note,
    Revision,
    ServiceConfig,
    WorkflowConfig,
)
from xylem.domain.dataset_config import DatasetConfig
from xylem.domain.errors import Conflict, Refused
from xylem.domain.ids import BackendName, PoolName, UserName
from xylem.domain.pool import Assertion, Pool
from xylem.domain.pool_book import BackendConfig, PoolBook, found, with_pool
from xylem.domain.role import SHIPPED_ROLES, Role, Roles
from xylem.domain.values import replace
from xylem.ports.configs import ConfigRows

ATTEMPTS = 5

STALE = "stale"
"""The code of a change that was decided about an earlier revision."""

Values = Mapping[ConfigKind, Any]

BOOK: Mapping[ConfigKind, str] = MappingProxyType(
    {
        ConfigKind.POOL: "pools",
        ConfigKind.POD_TEMPLATE: "pod_templates",
        ConfigKind.RESOURCE_VALIDATION: "resource_validations",
        ConfigKind.BACKEND: "backends",
        ConfigKind.BACKEND_TEST: "backend_tests",
        ConfigKind.GROUP_TEMPLATE: "group_templates",
    }
)
"""The kinds of which the book is made: its parts."""

_TYPES: Mapping[ConfigKind, Any] = MappingProxyType(
    {
        ConfigKind.POOL: dict[PoolName, Pool],
        ConfigKind.POD_TEMPLATE: dict[str, dict[str, Any]],
        ConfigKind.RESOURCE_VALIDATION: dict[str, tuple[Assertion, ...]],
        ConfigKind.BACKEND: dict[BackendName, BackendConfig],
        ConfigKind.BACKEND_TEST: dict[str, BackendTest],
        ConfigKind.GROUP_TEMPLATE: dict[str, dict[str, Any]],
        ConfigKind.WORKFLOW: WorkflowConfig,
        ConfigKind.SERVICE: ServiceConfig,
        ConfigKind.ROLE: dict[str, Role],
        ConfigKind.DATASET: DatasetConfig,
    }
)


class ConfigBook:
    """`Pools`, `Configs` and `DatasetConfigs`, wherever the rows are."""

    def __init__(self, rows: ConfigRows) -> None:
        self.rows = rows

    # Pools -----------------------------------------------------------------------------------

    def pool(self, name: str) -> Pool:
        return found(name, self.book())

    def all(self) -> list[Pool]:
        return self.book().resolved()

    def book(self) -> PoolBook:
        known = self.rows.current(BOOK.keys())
        return book_of({kind: value_of(revision) for kind, revision in known.items()})

    def change(
        self,
        into: Callable[[PoolBook], PoolBook],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> None:
        def values(before: Values) -> Values:
            after = into(book_of(before))
            return {kind: getattr(after, part) for kind, part in BOOK.items()}

        change(values, BOOK, rows=self.rows, author=author, now=now, note=note)

    def put(self, pool: Pool, *, author: UserName, now: datetime) -> None:
        self.change(lambda book: with_pool(pool, book), author=author, now=now)

    # The other kinds ---------------------------------------------------------------------------

    def workflow(self) -> WorkflowConfig:
        config: WorkflowConfig = self._one(ConfigKind.WORKFLOW)
        return config

    def change_workflow(
        self,
        into: Callable[[WorkflowConfig], WorkflowConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> WorkflowConfig:
        after: WorkflowConfig = self._change_one(ConfigKind.WORKFLOW, into, author, now, note)
        return after

    def service(self) -> ServiceConfig:
        config: ServiceConfig = self._one(ConfigKind.SERVICE)
        return config

    def change_service(
        self,
        into: Callable[[ServiceConfig], ServiceConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> ServiceConfig:
        after: ServiceConfig = self._change_one(ConfigKind.SERVICE, into, author, now, note)
        return after

    def roles(self) -> Roles:
        roles: Roles = self._one(ConfigKind.ROLE)
        return roles

    def change_roles(
        self,
        into: Callable[[Roles], Roles],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> None:
        self._change_one(ConfigKind.ROLE, into, author, now, note)

    def datasets(self) -> DatasetConfig:
        config: DatasetConfig = self._one(ConfigKind.DATASET)
        return config

    def change_datasets(
        self,
        into: Callable[[DatasetConfig], DatasetConfig],
        *,
        author: UserName,
        now: datetime,
        note: Note = NO_NOTE,
    ) -> DatasetConfig:
        after: DatasetConfig = self._change_one(ConfigKind.DATASET, into, author, now, note)
        return after

    def _one(self, kind: ConfigKind) -> Any:
        known = self.rows.current([kind]).get(kind)
        return shipped(kind) if known is None else value_of(known)

    def _change_one(
        self,
        kind: ConfigKind,
        into: Callable[[Any], Any],
        author: UserName,
        now: datetime,
        note: Note,
    ) -> Any:
        """Setting what is set is a revision, too, as with OSMO."""

        def values(before: Values) -> Values:
            return {kind: into(before[kind])}

        note = replace(note, kind=kind)
        return change(values, [kind], rows=self.rows, author=author, now=now, note=note)[kind]


def change(
    into: Callable[[Values], Values],
    kinds: Iterable[ConfigKind],
    *,
    rows: ConfigRows,
    author: UserName,
    now: datetime,
    note: Note,
) -> Values:
    """Of all of `kinds` as they were read, under their revisions: a new one of each that changed.
    What `into` raises is raised. Raises `Refused` where it was decided about an earlier revision,
    and `Conflict` when others were faster too often."""
    kinds = tuple(kinds)
    for _ in range(ATTEMPTS):
        known = rows.current(kinds)
        _require_expected(note, known)
        before = {kind: value_of(known[kind]) if kind in known else shipped(kind) for kind in kinds}
        after = into(before)
        new: list[Revision] = []
        for kind in kinds:
            if after[kind] == before[kind] and kind is not note.kind:
                continue
            if kind not in known:
                new.append(first(kind))
            number = known[kind].number if kind in known else FIRST
            new.append(
                Revision(
                    kind=kind,
                    number=number + 1,
                    author=author,
                    at=now,
                    data=data_of(kind, after[kind]),
                    name=note.name,
                    description=note.description,
                    tags=note.tags,
                )
            )
        if not new:
            return after
        try:
            read = {kind: known[kind].number if kind in known else 0 for kind in kinds}
            rows.add(new, read=read)
        except Conflict:
            continue
        return after
    raise Conflict(f"configs were changed by {ATTEMPTS} others at the same time: try again")


def _require_expected(note: Note, known: Mapping[ConfigKind, Revision]) -> None:
    """The transaction that follows holds for this very revision."""
    if note.kind is None or note.expected is None:
        return
    newest = known.get(note.kind)
    number = newest.number if newest is not None else FIRST
    if number != note.expected:
        by = f", by {newest.author}" if newest is not None else ""
        raise Refused(
            f"{note.kind} has been changed since you saw it: it is at revision {number}{by}, not"
            f" {note.expected}. Nothing was written; look at it and decide again.",
            code=STALE,
        )


# Values and their text ---------------------------------------------------------------------------


def book_of(values: Values) -> PoolBook:
    """What there is no value of is as it ships."""
    return replace(PoolBook(), **{BOOK[kind]: value for kind, value in values.items()})


def shipped(kind: ConfigKind) -> Any:
    """What a kind is before anybody set it."""
    match kind:
        case ConfigKind.WORKFLOW:
            return DEFAULT_CONFIG
        case ConfigKind.SERVICE:
            return DEFAULT_SERVICE
        case ConfigKind.ROLE:
            return SHIPPED_ROLES
        case ConfigKind.DATASET:
            return DatasetConfig()
        case _:
            return getattr(PoolBook(), BOOK[kind])


def first(kind: ConfigKind) -> Revision:
    return Revision(
        kind=kind,
        number=FIRST,
        author=INSTALLER,
        at=SHIPPED_AT,
        data=data_of(kind, shipped(kind)),
        description="Initial configuration",
        tags=("initial-config",),
    )


def value_of(revision: Revision) -> Any:
    return _adapter(revision.kind).validate_json(revision.data)


def data_of(kind: ConfigKind, value: Any) -> str:
    plain = dict(value) if isinstance(value, MappingProxyType) else value
    return _adapter(kind).dump_json(plain).decode()


@cache
def _adapter(kind: ConfigKind) -> TypeAdapter[Any]:
    return TypeAdapter(_TYPES[kind])
