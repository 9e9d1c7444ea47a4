"""What has to be written so that the service is as a folder declares it: a decision, nothing done.

    declared, not there             create
    declared, there as another      update
    declared, there as declared     nothing
    not declared, there             nothing; with `prune` delete, of kinds that the folder has

Things are written in the order of their kinds, so that what is named is there before what names it,
and deleted in the opposite order, after all else. Users, apps, credentials and backends are never
deleted: they belong to somebody, or run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clients.declared.documents import Document, Kind
from clients.declared.model import State, names, shown, value, with_document

PRUNED = (
    Kind.ROLE,
    Kind.POD_TEMPLATE,
    Kind.GROUP_TEMPLATE,
    Kind.RESOURCE_VALIDATION,
    Kind.BACKEND_TEST,
    Kind.POOL,
    Kind.BUCKET,
)


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `after` as a person reads them. `document`: what is written; None: it goes."""

    action: Action
    kind: Kind
    name: str
    before: Any
    after: Any
    document: Document | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Plan:
    """`same`: how many are as declared. `left`: what is there of these kinds and not declared.
    `seen`: the revision of each kind that this was decided about."""

    changes: tuple[Change, ...]
    same: int
    left: tuple[str, ...]
    seen: Mapping[Kind, int]


def plan(
    documents: Sequence[Document],
    there: State,
    seen: Mapping[Kind, int],
    *,
    prune: bool = False,
    renew_secrets: bool = False,
) -> Plan:
    """Raises `BadInput` where what is declared does not fit together, or with what is there."""
    order = [*Kind]
    ordered = sorted(documents, key=lambda one: (order.index(one.kind), one.name))
    declared = there
    for document in ordered:
        declared = with_document(document, declared)
    writes = [
        change
        for document in ordered
        if (change := _change(document, there, declared, renew_secrets)) is not None
    ]
    others = _others(ordered, there)
    deletions = [
        Change(Action.DELETE, kind, name, shown(kind, name, there), None)
        for kind, name in reversed(others)
    ]
    return Plan(
        changes=(*writes, *(deletions if prune else ())),
        same=len(ordered) - len(writes),
        left=() if prune else tuple(f"{kind} {name}" for kind, name in others),
        seen=seen,
    )


def _change(
    document: Document, there: State, declared: State, renew_secrets: bool
) -> Change | None:
    kind, name = document.kind, document.name
    before, after = value(kind, name, there), value(kind, name, declared)
    renewed = renew_secrets and kind is Kind.CREDENTIAL
    if before == after and not renewed:
        return None
    return Change(
        Action.CREATE if before is None else Action.UPDATE,
        kind,
        name,
        shown(kind, name, there),
        shown(kind, name, declared),
        document,
    )


def _others(documents: Sequence[Document], there: State) -> list[tuple[Kind, str]]:
    declared = {(document.kind, document.name) for document in documents}
    kinds = {document.kind for document in documents}
    return [
        (kind, name)
        for kind in PRUNED
        if kind in kinds
        for name in sorted(names(kind, there))
        if (kind, name) not in declared
    ]
