"""The API server without HTTP: what may be created, read, changed and deleted, and how.

The life of an object that is deleted (`metadata.deletionTimestamp`):

    delete --- nothing holds it ------------------------------------------------> gone
       \\--- a finalizer, or a pod's grace period, holds it ---> terminating
                 terminating --- no finalizer left, grace period is 0 ----------> gone

A pod that is bound and not finished is held by its grace period, until its kubelet, having stopped
it, deletes it with a grace of 0. A pod that was never bound, or has finished, is not.

Everything here happens within one turn of the event loop, so a read and the write that depends on
it cannot be parted; the scheduler, the kubelet and the collector come through the same doors as
HTTP.
"""

from __future__ import annotations

import contextlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from operators.desk_cluster.defaults import fill_in
from operators.desk_cluster.errors import (
    AlreadyExists,
    BadRequest,
    Forbidden,
    Invalid,
    conflict,
    not_found,
)
from operators.desk_cluster.kinds import BY_PLURAL, NAMESPACES, PODS, Kind
from operators.desk_cluster.objects import (
    Json,
    Key,
    copied,
    is_finished,
    is_terminating,
    meta,
    spec_of,
    status_of,
    timestamp,
    uid_of,
)
from operators.desk_cluster.validation import check_changed, check_new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operators.desk_cluster.store import Store

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

# k8s.io/apiserver/pkg/storage/names: 5 characters of this alphabet, which spells no bad words.
_SUFFIX_LENGTH = 5
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_NAME_LIMIT = 63

# What the server alone says about an object.
_OURS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
_UNDELETABLE_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    grace_seconds: int | None = None
    uid: str | None = None
    version: str | None = None
    propagation: str | None = None
    dry_run: bool = False


class Registry:
    def __init__(
        self, store: Store, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.store = store
        self.now = now

    # ---- reading

    def find(self, kind: Kind, namespace: str, name: str) -> Json | None:
        return self.store.get(Key(kind.plural, namespace if kind.namespaced else "", name))

    def get(self, kind: Kind, namespace: str, name: str) -> Json:
        found = self.find(kind, namespace, name)
        if found is None:
            raise not_found(kind.qualified, name)
        return found

    # ---- writing

    def create(self, kind: Kind, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        obj = _accepted(kind, namespace, body)
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = _generated_name(metadata["generateName"])
        for name in (*_OURS, "resourceVersion", "selfLink", "managedFields"):
            metadata.pop(name, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp(self.now())
        with _typed(kind):
            fill_in(kind, obj)
            causes = check_new(kind, obj)
        if causes:
            raise Invalid(kind.kind, str(metadata.get("name", "")), causes)
        if kind.namespaced:
            self._require_namespace(namespace, kind, metadata["name"])
        if self.find(kind, namespace, metadata["name"]) is not None:
            details: Json = {"name": metadata["name"], "kind": kind.qualified}
            message = f'{kind.qualified} "{metadata["name"]}" already exists'
            raise AlreadyExists(message, details)
        return obj if dry_run else self.store.put(_key(kind, obj), obj)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[Json], Json],
        *,
        status: bool = False,
        dry_run: bool = False,
    ) -> Json:
        """`change` is given the object and returns the whole new one.

        A uid or a resourceVersion in what it returns is a precondition: 409 where it is not that of
        the object. With `status` only the status is taken from it, without it all but the status.
        """
        old = self.get(kind, namespace, name)
        new = _accepted(kind, namespace, change(old))
        if meta(new).get("name") != name:
            sent = meta(new).get("name")
            message = f"the name of the object ({sent}) does not match the name on the URL ({name})"
            raise BadRequest(message)
        _require_same(kind, old, new)
        new = _with_status_of(old, new, status=status) if kind.has_status else new
        new = _with_our_metadata(old, new)
        if _same(old, new):
            return old
        if not status:
            with _typed(kind):
                causes = check_changed(kind, old, new)
            if causes:
                raise Invalid(kind.kind, name, causes)
        if dry_run:
            return new
        if is_terminating(new) and _nothing_holds(kind, new):
            # One change, as Kubernetes has it: nobody sees it without its last finalizer.
            gone = self.store.remove(_key(kind, new))
            version = gone["metadata"]["resourceVersion"]
            return {**new, "metadata": {**new["metadata"], "resourceVersion": version}}
        return self.store.put(_key(kind, new), new)

    def bind(self, pod: Json, node: str) -> None:
        """Gives an unbound pod to a node: the one change of its spec that clients cannot make."""
        now = timestamp(self.now())
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        old = [c for c in status_of(pod).get("conditions") or () if c["type"] != "PodScheduled"]
        bound = {
            **pod,
            "spec": {**spec_of(pod), "nodeName": node},
            "status": {
                **status_of(pod),
                "conditions": [*old, {**scheduled, "lastTransitionTime": now}],
            },
        }
        self.store.put(_key(PODS, pod), bound)

    def finish_namespace(self, name: str) -> None:
        """Takes away a terminating namespace that is empty."""
        self.store.remove(Key(NAMESPACES.plural, "", name))

    def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> Json:
        """The object as it was last: gone, or terminating."""
        obj = self.get(kind, namespace, name)
        _require_preconditions(kind, obj, options)
        if kind is NAMESPACES and name in _UNDELETABLE_NAMESPACES:
            raise Forbidden(f'namespaces "{name}" is forbidden: this namespace may not be deleted')
        if options.dry_run:
            return obj
        grace = _grace(kind, obj, options)
        terminating = copied(obj)
        metadata = terminating["metadata"]
        if not is_terminating(obj) or grace < metadata.get("deletionGracePeriodSeconds", 0):
            metadata["deletionTimestamp"] = timestamp(self.now() + timedelta(seconds=grace))
            metadata["deletionGracePeriodSeconds"] = grace
        self._propagate(terminating, options)
        if kind is NAMESPACES:
            terminating["status"] = {**terminating.get("status", {}), "phase": "Terminating"}
        if _nothing_holds(kind, terminating):
            return self.store.remove(_key(kind, terminating))
        if _same(obj, terminating):
            return obj
        return self.store.put(_key(kind, terminating), terminating)

    # ---- inside

    def _require_namespace(self, namespace: str, kind: Kind, name: str) -> None:
        found = self.find(NAMESPACES, "", namespace)
        if found is None:
            raise not_found("namespaces", namespace)
        if is_terminating(found):
            raise Forbidden(
                f'{kind.qualified} "{name}" is forbidden: unable to create new content in namespace '
                f"{namespace} because it is being terminated"
            )

    def _propagate(self, obj: Json, options: DeleteOptions) -> None:
        """Foreground and orphan are finalizers; background is what the collector does anyway."""
        finalizers = list(meta(obj).get("finalizers") or ())
        if options.propagation == "Foreground" and self.store.owned_by(uid_of(obj)):
            wanted = FOREGROUND
        elif options.propagation == "Orphan" and self.store.owned_by(uid_of(obj)):
            wanted = ORPHAN
        else:
            return
        if wanted not in finalizers:
            obj["metadata"]["finalizers"] = [*finalizers, wanted]


def _key(kind: Kind, obj: Json) -> Key:
    namespace = obj["metadata"]["namespace"] if kind.namespaced else ""
    return Key(kind.plural, namespace, obj["metadata"]["name"])


def _accepted(kind: Kind, namespace: str, body: Json) -> Json:
    """A copy of what was sent, if it is an object of this kind and namespace."""
    if not isinstance(body, dict):
        raise BadRequest(f"the body is not a {kind.kind}")
    for field, expected in (("kind", kind.kind), ("apiVersion", kind.api_version)):
        if body.get(field, expected) != expected:
            raise BadRequest(f"{field} {body[field]!r} does not match the expected {expected!r}")
    if not isinstance(body.get("metadata", {}), dict):
        raise BadRequest("metadata is not an object")
    obj: Json = copied(body)
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    metadata = obj.setdefault("metadata", {})
    if kind.namespaced:
        if metadata.get("namespace", namespace) != namespace:
            raise BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    return obj


@contextlib.contextmanager
def _typed(kind: Kind) -> Iterator[None]:
    """What is checked is of its author's making: a text may stand where a list belongs."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
        raise BadRequest(f"{what}: {error}") from error


def _generated_name(prefix: str) -> str:
    suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return prefix[: _NAME_LIMIT - _SUFFIX_LENGTH] + suffix


def _require_same(kind: Kind, old: Json, new: Json) -> None:
    name = old["metadata"]["name"]
    uid = meta(new).get("uid")
    if uid and uid != uid_of(old):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(old)}"
        raise conflict(kind.qualified, name, why)
    version = meta(new).get("resourceVersion")
    if version and version != old["metadata"]["resourceVersion"]:
        why = (
            "the object has been modified; please apply your changes to the latest version and try "
            "again"
        )
        raise conflict(kind.qualified, name, why)


def _require_preconditions(kind: Kind, obj: Json, options: DeleteOptions) -> None:
    found = {"UID": uid_of(obj), "ResourceVersion": obj["metadata"]["resourceVersion"]}
    for what, expected in (("UID", options.uid), ("ResourceVersion", options.version)):
        if expected is not None and expected != found[what]:
            why = (
                f"Precondition failed: {what} in precondition: {expected}, "
                f"{what} in object meta: {found[what]}"
            )
            raise conflict(kind.qualified, obj["metadata"]["name"], why)


def _with_status_of(old: Json, new: Json, *, status: bool) -> Json:
    body, reported = (old, new) if status else (new, old)
    merged = {name: value for name, value in body.items() if name != "status"}
    if "status" in reported:
        merged["status"] = reported["status"]
    return merged


def _with_our_metadata(old: Json, new: Json) -> Json:
    metadata = {name: value for name, value in new["metadata"].items() if name != "managedFields"}
    for name in _OURS:
        metadata.pop(name, None)
        if name in old["metadata"]:
            metadata[name] = old["metadata"][name]
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not metadata.get(name):
            metadata.pop(name, None)
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    return {**new, "metadata": metadata}


def _same(old: Json, new: Json) -> bool:
    return old == new


def _grace(kind: Kind, obj: Json, options: DeleteOptions) -> int:
    if kind is not PODS or not spec_of(obj).get("nodeName") or is_finished(obj):
        return 0
    asked = options.grace_seconds
    if asked is None:
        asked = int(spec_of(obj).get("terminationGracePeriodSeconds", 30))
    return max(asked, 0)


def _nothing_holds(kind: Kind, obj: Json) -> bool:
    if obj["metadata"].get("finalizers"):
        return False
    if kind is NAMESPACES:
        # Its content; the collector takes this away when the namespace is empty.
        return not spec_of(obj).get("finalizers")
    return kind is not PODS or obj["metadata"].get("deletionGracePeriodSeconds", 0) == 0


def kind_of(key: Key) -> Kind:
    return BY_PLURAL[key.kind]
