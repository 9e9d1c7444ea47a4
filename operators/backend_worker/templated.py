"""Objects made of group templates: of any kind that the cluster knows, and perhaps of several
groups.

    make     created, with this group's anchor for its owner ─ taken: one owner more
    clear    no other owner: deleted ─ else this owner comes off

Who owns it is in the object itself, and changes by compare-and-swap; so two groups that come and go
at once lose nothing, and Kubernetes collects what a group that never came to its cleanup had alone.
An object that was not made by us is nobody's to own: it serves the group and stays.
"""

from collections.abc import Iterable

from operators.backend_worker.payloads import name_of, notes_of
from operators.shared.anchor import Anchor
from operators.shared.calls import Delete, Procedure, create, learn, read, replace
from operators.shared.resources import Conflict, Json, Kind, NotFound, Refused, Unreachable
from xylem.manifests.names import FROM_TEMPLATE

TRIES = 5
"""Somebody else may change the object between our read and our write; that often, nobody does."""


def make(bodies: Iterable[Json], anchor: Anchor) -> Procedure[None]:
    """Raises `Refused`, also for a kind that the cluster does not know."""
    for body in bodies:
        kind = yield from learn(body["apiVersion"], body["kind"])
        if not kind.namespaced:
            raise Refused(400, f"a {kind.name} belongs to the whole cluster, not to a group")
        try:
            yield from create(kind, _with_owners(body, [anchor.as_owner]))
        except Conflict:
            yield from _join(kind, name_of(body), anchor)


def clear(anchor: Anchor) -> Procedure[None]:
    """What may no longer be asked for is left to Kubernetes, which collects it after the anchor."""
    for api_version, kind_name, name in anchor.templated:
        try:
            kind = yield from learn(api_version, kind_name)
            yield from _leave(kind, name, anchor)
        except Refused:
            continue


def _join(kind: Kind, name: str, anchor: Anchor) -> Procedure[None]:
    for _ in range(TRIES):
        try:
            found = yield from read(kind, name)
        except NotFound as gone:
            raise Unreachable(f"{kind.name} {name} went away while it was being made") from gone
        owners = _owners(found)
        if FROM_TEMPLATE not in notes_of(found) or _is_among(anchor, owners):
            return
        if "deletionTimestamp" in found["metadata"]:
            raise Unreachable(f"{kind.name} {name} of an earlier group is still being deleted")
        try:
            yield from replace(kind, _with_owners(found, [*owners, anchor.as_owner]))
        except (Conflict, NotFound):
            continue
        return
    raise _busy(kind, name)


def _leave(kind: Kind, name: str, anchor: Anchor) -> Procedure[None]:
    for _ in range(TRIES):
        found = yield from read(kind, name)
        owners = _owners(found)
        if not _is_among(anchor, owners):
            return
        others = [one for one in owners if one.get("uid") != anchor.uid]
        metadata = found["metadata"]
        try:
            if others:
                yield from replace(kind, _with_owners(found, others))
            else:
                version = metadata["resourceVersion"]
                yield Delete(kind, name, uid=metadata["uid"], resource_version=version)
        except Conflict:
            continue
        return
    raise _busy(kind, name)


def _busy(kind: Kind, name: str) -> Unreachable:
    return Unreachable(f"{kind.name} {name} is changed by somebody all the time")


def _owners(found: Json) -> list[Json]:
    return found["metadata"].get("ownerReferences") or []


def _is_among(anchor: Anchor, owners: Iterable[Json]) -> bool:
    return any(one.get("uid") == anchor.uid for one in owners)


def _with_owners(body: Json, owners: list[Json]) -> Json:
    return {**body, "metadata": {**body["metadata"], "ownerReferences": owners}}
