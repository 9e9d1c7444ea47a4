"""Letting go: how finalizers leave pods and anchors, and nothing else does it.

A pod keeps its finalizer until the service acknowledged how it ended, so `kubectl delete` loses no
exit code; a pod that was never bound keeps it until a cleanup, or until its create can no longer
succeed, so that a create that goes on does not make it a second time. An anchor keeps it for 15
minutes after it was closed, which is longer than any request that was on its way.

Every removal is a JSON patch that tests the uid: a pod of the same name that came later keeps its
own.
"""

from collections.abc import Callable, Iterable, Sequence

from operators.shared.anchor import Anchor, anchor_name, anchor_of, is_forsaken, was_bound
from operators.shared.calls import Delete, Patch, Pause, Procedure, read, together
from operators.shared.resources import (
    CONFIG_MAP,
    POD,
    Conflict,
    Json,
    Kind,
    KubeError,
    NotFound,
    Refused,
    Unreachable,
)
from xylem.domain.ids import GroupId
from xylem.manifests.names import FINALIZER, GATE, GROUP, INCARNATION

Find = Callable[[Json], tuple[Json, ...] | None]
"""What takes our mark off an object; None when it carries none."""

PATCH_TRIES = 5
"""Somebody else may change the same list between our read and our patch; that often, nobody
does."""

UNREACHABLE_PAUSE = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds between tries while the API server does not answer; the last one repeats."""


def release(pod_name: str, uid: str, finalizers: Sequence[str] = ()) -> Procedure[None]:
    """Our finalizer off this pod. Done, too, when there is no such pod any more. `finalizers`: what
    it carries as far as we know, which saves to read it; the patch tests that."""
    known = {"metadata": {"name": pod_name, "uid": uid, "finalizers": list(finalizers)}}
    patch = _patch(POD, known, _finalizer)
    if patch is not None:
        try:
            yield patch
        except NotFound:
            return
        except Refused as refused:
            if refused.status not in {409, 422}:
                raise
        else:
            return
    yield from _remove(POD, pod_name, uid, _finalizer)


def lift(pods: Iterable[Json]) -> Procedure[None]:
    """Our gate off these pods, each only if it is still this pod; other people's gates stay. They
    start together: all patches go out at once, and only what was refused is looked at again."""
    gated = [(pod, patch) for pod in pods if (patch := _patch(POD, pod, _gate)) is not None]
    results = yield from together([patch for _, patch in gated])
    for (pod, _), result in zip(gated, results, strict=True):
        if isinstance(result, KubeError):
            yield from _remove(POD, pod["metadata"]["name"], pod["metadata"]["uid"], _gate)


def collect(pod_name: str, uid: str) -> Procedure[None]:
    """Away with a pod that the service does not know."""
    try:
        yield Delete(POD, pod_name, uid=uid)
    except (NotFound, Conflict):
        return
    yield from release(pod_name, uid)


def collect_forsaken(pod: Json) -> Procedure[bool]:
    """Away with a pod that was never bound and never will be; whether it was one. The anchor is
    read now, after the pod was listed: an absent anchor then means a closed group, not a young
    one."""
    metadata = pod["metadata"]
    anchor = yield from _anchor_of(pod)
    if was_bound(pod) or not is_forsaken(pod, anchor):
        return False
    try:
        yield Delete(POD, metadata["name"], uid=metadata["uid"])
        now = yield from read(POD, metadata["name"])
    except (NotFound, Conflict):
        return True
    if now["metadata"]["uid"] == metadata["uid"] and not was_bound(now):
        yield from release(metadata["name"], metadata["uid"])
    return True


def remove_anchor(anchor: Anchor) -> Procedure[None]:
    """The last of an incarnation. What it owned is the garbage collector's."""
    try:
        yield Delete(CONFIG_MAP, anchor.name, uid=anchor.uid)
    except (NotFound, Conflict):
        return
    yield from _remove(CONFIG_MAP, anchor.name, anchor.uid, _finalizer_of_closed)


def until_reached(make: Callable[[], Procedure[None]]) -> Procedure[None]:
    """Again from its beginning until the API server answered; a refusal is its end, too."""
    pauses = iter(UNREACHABLE_PAUSE)
    while True:
        try:
            return (yield from make())
        except Unreachable:
            yield Pause(next(pauses, UNREACHABLE_PAUSE[-1]))


def _remove(kind: Kind, name: str, uid: str, find: Find) -> Procedure[None]:
    for _ in range(PATCH_TRIES):
        try:
            found = yield from read(kind, name)
            patch = _patch(kind, found, find)
            if patch is not None and found["metadata"]["uid"] == uid:
                yield patch
        except NotFound:
            return
        except Refused as refused:
            if refused.status not in {409, 422}:
                raise
        else:
            return
    raise Unreachable(f"{kind.name} {name} is changed by somebody all the time")


def _patch(kind: Kind, found: Json, find: Find) -> Patch | None:
    removal = find(found)
    if removal is None:
        return None
    metadata = found["metadata"]
    same = {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]}
    return Patch(kind, metadata["name"], (same, *removal))


def _finalizer(found: Json) -> tuple[Json, ...] | None:
    return _without("/metadata/finalizers", found["metadata"].get("finalizers") or [], FINALIZER)


def _finalizer_of_closed(found: Json) -> tuple[Json, ...] | None:
    removal = _finalizer(found)
    if removal is None or (found.get("data") or {}).get("state") != "closed":
        return None
    return ({"op": "test", "path": "/data/state", "value": "closed"}, *removal)


def _gate(found: Json) -> tuple[Json, ...] | None:
    path = "/spec/schedulingGates"
    return _without(path, (found.get("spec") or {}).get("schedulingGates") or [], {"name": GATE})


def _without(path: str, present: list[object], unwanted: object) -> tuple[Json, ...] | None:
    if unwanted not in present:
        return None
    place = f"{path}/{present.index(unwanted)}"
    return (
        {"op": "test", "path": place, "value": unwanted},
        {"op": "remove", "path": place},
    )


def _anchor_of(pod: Json) -> Procedure[Anchor | None]:
    notes = pod["metadata"].get("annotations") or {}
    name = anchor_name(GroupId(notes.get(GROUP, "")), int(notes.get(INCARNATION, "0")))
    try:
        found = yield from read(CONFIG_MAP, name)
    except NotFound:
        return None
    return anchor_of(found)
