"""What has to go because of something that went: pure, from one object and what is known about
others.

* A dependent whose owners are all gone is deleted; one of which some owners are gone loses these.
* An owner that is deleted in the foreground waits, by a finalizer, until its dependents are gone; one
  that orphans them lets go of them first.
* A terminating namespace takes everything in it along.
* A deleted pod that was never bound is marked Failed, as the pod collector of Kubernetes does; so
  whoever holds it by a finalizer sees that it will not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from operators.desk_cluster.kinds import BY_NAME
from operators.desk_cluster.objects import (
    Json,
    is_finished,
    is_terminating,
    owners_of,
    spec_of,
    uid_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Delete:
    """The object, whose owners are gone."""


@dataclass(frozen=True, slots=True)
class KeepOwners:
    """The object keeps these owners only."""

    owners: tuple[str, ...]


Fate: TypeAlias = Delete | KeepOwners | None


def fate(dependent: Json, lives: Callable[[str], bool]) -> Fate:
    """`lives` tells whether there is an object with this uid.

    An owner of a kind that is not kept here may well live elsewhere; it counts as alive.
    """
    owners = owners_of(dependent)
    left = [owner for owner in owners if _is_foreign(owner) or lives(owner["uid"])]
    if len(left) == len(owners):
        return None
    return KeepOwners(tuple(owner["uid"] for owner in left)) if left else Delete()


def _is_foreign(owner: Json) -> bool:
    return (owner.get("apiVersion", ""), owner.get("kind", "")) not in BY_NAME


def without_owner(dependent: Json, uid: str) -> tuple[str, ...]:
    return tuple(owner["uid"] for owner in owners_of(dependent) if owner["uid"] != uid)


def blocks(dependent: Json, owner: Json) -> bool:
    """Whether the deletion of the owner in the foreground waits for this dependent."""
    uid = uid_of(owner)
    return any(
        each["uid"] == uid and each.get("blockOwnerDeletion") for each in owners_of(dependent)
    )


def will_never_run(pod: Json) -> bool:
    return is_terminating(pod) and not spec_of(pod).get("nodeName") and not is_finished(pod)
