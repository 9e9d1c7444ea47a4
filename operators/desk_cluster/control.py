"""The controllers: they follow the store and run what is pure (`scheduler`, `gc`) when it may
matter.

One turn of the event loop after a batch of changes is durable, so a pod that is created is bound
in the next turn. Nothing here remembers anything: after a restart one pass over everything is the
same.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from operators.desk_cluster import gc
from operators.desk_cluster.errors import ApiError
from operators.desk_cluster.events import Recorder, is_old
from operators.desk_cluster.kinds import CLAIMS, EVENTS, KINDS, NAMESPACES, NODES, PODS
from operators.desk_cluster.kinds import SERVICE_ACCOUNTS as ACCOUNTS
from operators.desk_cluster.kubelet.lifecycle import merge_conditions
from operators.desk_cluster.objects import (
    Json,
    Key,
    is_terminating,
    meta,
    name_of,
    namespace_of,
    owners_of,
    spec_of,
    status_of,
    uid_of,
)
from operators.desk_cluster.registry import (
    FOREGROUND,
    ORPHAN,
    DeleteOptions,
    Registry,
    kind_of,
)
from operators.desk_cluster.scheduler import Bound, Unschedulable, is_waiting, schedule

if TYPE_CHECKING:
    from operators.desk_cluster.store import Change

_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

# How late an event that has outlived its time may go.
_SWEEP_SECONDS = 300.0


class Control:
    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        self._registry = registry
        self._store = registry.store
        self._recorder = recorder
        self._scheduling = False
        self._suspects: set[Key] = set()
        self._sweep: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._store.watch(self._changed)
        for name in _FIRST_NAMESPACES:
            if self._registry.find(NAMESPACES, "", name) is None:
                self._registry.create(NAMESPACES, "", {"metadata": {"name": name}})
        self._sweep_events()
        for kind in KINDS:
            for obj in self._store.all_of(kind.plural):
                self._suspect(Key(kind.plural, namespace_of(obj), name_of(obj)))
        self._schedule_soon()

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()

    def _changed(self, changes: list[Change]) -> None:
        for change in changes:
            kind = change.key.kind
            if kind == "events":
                continue
            if kind in ("pods", "nodes"):
                self._schedule_soon()
            if change.obj is None:
                uid = uid_of(change.last)
                self._recorder.forget(uid)
                for dependent in self._store.owned_by(uid):
                    self._suspect(dependent)
                self._owners_of_what_went(change.last)
            elif kind in ("namespaces", "persistentvolumeclaims") or _may_need_care(change.obj):
                self._suspect(change.key)

    def _owners_of_what_went(self, gone: Json) -> None:
        """An owner in foreground deletion, or a namespace, may have waited for this."""
        for owner in owners_of(gone):
            key = self._store.key_of_uid(owner["uid"])
            if key is not None:
                self._suspect(key)
        namespace = self._registry.find(NAMESPACES, "", namespace_of(gone))
        if namespace is not None and is_terminating(namespace):
            self._suspect(Key(NAMESPACES.plural, "", namespace_of(gone)))

    # ---- scheduling

    def _schedule_soon(self) -> None:
        if not self._scheduling:
            self._scheduling = True
            asyncio.get_running_loop().call_soon(self._schedule)

    def _schedule(self) -> None:
        self._scheduling = False
        pods = self._store.all_of(PODS.plural)
        if not any(map(is_waiting, pods)):
            return
        for decision in schedule(pods, self._store.all_of(NODES.plural)):
            match decision:
                case Bound(pod=pod, node=name):
                    self._registry.bind(pod, name)
                    where = f"{namespace_of(pod)}/{name_of(pod)}"
                    message = f"Successfully assigned {where} to {name}"
                    self._recorder.record(pod, "Scheduled", message)
                case Unschedulable(pod=pod, message=message):
                    self._tell_why_pending(pod, message)

    def _tell_why_pending(self, pod: Json, message: str) -> None:
        conditions = status_of(pod).get("conditions") or []
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        merged = merge_conditions(
            conditions, [{**condition, "message": message}], self._registry.now()
        )
        if merged == conditions:
            return
        status = {**status_of(pod), "conditions": merged}
        self._registry.update(
            PODS,
            namespace_of(pod),
            name_of(pod),
            lambda old: {**old, "status": status},
            status=True,
        )
        self._recorder.record(pod, "FailedScheduling", message, warning=True)

    # ---- collecting

    def _suspect(self, key: Key) -> None:
        if not self._suspects:
            asyncio.get_running_loop().call_soon(self._collect)
        self._suspects.add(key)

    def _collect(self) -> None:
        suspects, self._suspects = self._suspects, set()
        for key in sorted(suspects):
            obj = self._store.get(key)
            if obj is not None:
                with contextlib.suppress(ApiError):
                    self._care_for(key, obj)

    def _care_for(self, key: Key, obj: Json) -> None:
        if key.kind == NAMESPACES.plural:
            self._care_for_namespace(key.name, obj)
        elif key.kind == CLAIMS.plural and status_of(obj).get("phase") != "Bound":
            self._bind_claim(key, obj)
        if is_terminating(obj):
            self._care_for_terminating(key, obj)
        match gc.fate(obj, lambda uid: self._store.by_uid(uid) is not None):
            case gc.Delete():
                self._delete(key, obj)
            case gc.KeepOwners(owners=owners):
                self._keep_owners(key, owners)

    def _care_for_terminating(self, key: Key, obj: Json) -> None:
        finalizers = meta(obj).get("finalizers") or []
        dependents = self._store.owned_by(uid_of(obj))
        if FOREGROUND in finalizers:
            living = [found for each in dependents if (found := self._store.get(each))]
            for each, dependent in zip(dependents, living, strict=True):
                if not is_terminating(dependent):
                    self._delete(each, dependent, propagation="Foreground")
            if not any(gc.blocks(dependent, obj) for dependent in living):
                self._drop_finalizer(key, FOREGROUND)
        elif ORPHAN in finalizers:
            for each in dependents:
                orphan = self._store.get(each)
                if orphan is not None:
                    self._keep_owners(each, gc.without_owner(orphan, uid_of(obj)))
            self._drop_finalizer(key, ORPHAN)
        if key.kind == PODS.plural and gc.will_never_run(obj):
            status = {**status_of(obj), "phase": "Failed"}
            self._registry.update(
                PODS, key.namespace, key.name, lambda old: {**old, "status": status}, status=True
            )

    def _delete(self, key: Key, obj: Json, propagation: str = "Background") -> None:
        options = DeleteOptions(uid=uid_of(obj), propagation=propagation)
        if not is_terminating(obj):
            self._registry.delete(kind_of(key), key.namespace, key.name, options)

    def _keep_owners(self, key: Key, uids: tuple[str, ...]) -> None:
        def change(old: Json) -> Json:
            kept = [owner for owner in owners_of(old) if owner["uid"] in uids]
            return {**old, "metadata": {**old["metadata"], "ownerReferences": kept}}

        self._registry.update(kind_of(key), key.namespace, key.name, change)

    def _drop_finalizer(self, key: Key, finalizer: str) -> None:
        def change(old: Json) -> Json:
            kept = [name for name in meta(old).get("finalizers") or () if name != finalizer]
            return {**old, "metadata": {**old["metadata"], "finalizers": kept}}

        self._registry.update(kind_of(key), key.namespace, key.name, change)

    def _care_for_namespace(self, name: str, namespace: Json) -> None:
        if not is_terminating(namespace):
            if self._registry.find(ACCOUNTS, name, "default") is None:
                self._registry.create(ACCOUNTS, name, {"metadata": {"name": "default"}})
            return
        for kind in KINDS:
            for obj in self._store.all_of(kind.plural, name) if kind.namespaced else ():
                self._delete(Key(kind.plural, name, name_of(obj)), obj)
        left = any(self._store.all_of(kind.plural, name) for kind in KINDS if kind.namespaced)
        if not left and not meta(namespace).get("finalizers"):
            self._registry.finish_namespace(name)

    def _bind_claim(self, key: Key, claim: Json) -> None:
        spec = spec_of(claim)
        status = {
            "phase": "Bound",
            "accessModes": spec.get("accessModes") or [],
            "capacity": dict((spec.get("resources") or {}).get("requests") or {}),
        }
        self._registry.update(
            CLAIMS, key.namespace, key.name, lambda old: {**old, "status": status}, status=True
        )

    # ---- the clock

    def _sweep_events(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._sweep_events)
        now = self._registry.now()
        for event in self._store.all_of(EVENTS.plural):
            if is_old(event, now):
                options = DeleteOptions(uid=uid_of(event))
                self._registry.delete(EVENTS, namespace_of(event), name_of(event), options)


def _may_need_care(obj: Json) -> bool:
    return bool(owners_of(obj)) or is_terminating(obj)
