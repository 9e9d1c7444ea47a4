"""The nodes of the cluster: they are made, say that they live, fall silent, and lose their pods.

    Ready --- silent for the grace ---> Unknown, tainted unreachable ---> its pods are evicted when
      ^                                     |                              their patience is over
      \\------------- heard again ----------/

All nodes are this machine, so none falls silent by itself: `faults` says which one is. A pod that is
evicted from a silent node goes on until the node is heard again, and its object stays, terminating,
unless somebody deletes it by force; that is what makes a lost node worth a test.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from operators.desk_cluster import evictions, node
from operators.desk_cluster.errors import ApiError
from operators.desk_cluster.kinds import NODES, PODS
from operators.desk_cluster.kubelet.lifecycle import merge_conditions
from operators.desk_cluster.objects import (
    Json,
    is_terminating,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    uid_of,
)
from operators.desk_cluster.registry import DeleteOptions, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from operators.desk_cluster.events import Recorder
    from operators.desk_cluster.faults import Fault, Faults
    from operators.desk_cluster.store import Change

UNREACHABLE = "node.kubernetes.io/unreachable"

# The kubelet's nodeStatusReportFrequency.
_HEARTBEAT_SECONDS = 300.0


class NodeLifecycle:
    def __init__(
        self,
        registry: Registry,
        recorder: Recorder,
        faults: Faults,
        *,
        resources: Mapping[str, str],
        labels: Mapping[str, str],
        grace_seconds: float,
    ) -> None:
        self._registry = registry
        self._recorder = recorder
        self._faults = faults
        self._resources = resources
        self._labels = labels
        self._grace = grace_seconds
        self._heartbeat: asyncio.TimerHandle | None = None
        self._silences: dict[str, asyncio.TimerHandle] = {}
        self._next_eviction: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._faults.tell(self._fault_changed)
        self._registry.store.watch(self._changed)
        for name in self._faults.nodes:
            if self._registry.find(NODES, "", name) is None:
                self._registry.create(NODES, "", {"metadata": {"name": name}})
        self._remove_strangers()
        self._beat()
        self._evict()

    def close(self) -> None:
        for timer in (self._heartbeat, self._next_eviction, *self._silences.values()):
            if timer is not None:
                timer.cancel()

    # ---- hearing of them

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        self._heartbeat = loop.call_later(_HEARTBEAT_SECONDS, self._beat)
        for name in self._faults.nodes:
            if not self._faults.of(name).silent:
                self._heard(name)

    def _heard(self, name: str) -> None:
        now = self._registry.now()

        def known(old: Json) -> Json:
            labels = {**(meta(old).get("labels") or {}), **node.labels(name), **self._labels}
            kept = [t for t in spec_of(old).get("taints") or () if t["key"] != UNREACHABLE]
            spec = {key: value for key, value in spec_of(old).items() if key != "taints"}
            if kept:
                spec["taints"] = kept
            return {**old, "metadata": {**old["metadata"], "labels": labels}, "spec": spec}

        self._registry.update(NODES, "", name, known)
        self._report(name, lambda old: node.status(old, self._resources, now))

    def _fault_changed(self, name: str, fault: Fault) -> None:
        timer = self._silences.pop(name, None)
        if timer is not None:
            timer.cancel()
        if fault.silent:
            loop = asyncio.get_running_loop()
            self._silences[name] = loop.call_later(self._grace, self._lost, name)
        else:
            self._heard(name)

    def _lost(self, name: str) -> None:
        """As the node controller says it of a node whose lease ran out, and of its pods."""
        now = self._registry.now()
        unknown = {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.",
        }

        def silent(old: Json) -> Json:
            conditions = merge_conditions(status_of(old).get("conditions") or [], [unknown], now)
            return {**status_of(old), "conditions": conditions}

        def tainted(old: Json) -> Json:
            kept = [t for t in spec_of(old).get("taints") or () if t["key"] != UNREACHABLE]
            added = [
                {"key": UNREACHABLE, "effect": effect, "timeAdded": timestamp(now)}
                for effect in ("NoSchedule", "NoExecute")
            ]
            return {**old, "spec": {**spec_of(old), "taints": [*kept, *added]}}

        self._report(name, silent)
        self._registry.update(NODES, "", name, tainted)
        for pod in self._registry.store.all_of(PODS.plural):
            if spec_of(pod).get("nodeName") == name:
                self._unready(pod, now)

    def _unready(self, pod: Json, now: datetime) -> None:
        conditions = status_of(pod).get("conditions") or []
        if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
            ready = {"type": "Ready", "status": "False", "reason": "NodeNotReady"}
            merged = merge_conditions(conditions, [ready], now)
            self._change_status(pod, {**status_of(pod), "conditions": merged})

    def _report(self, name: str, change: Callable[[Json], Json]) -> None:
        self._registry.update(
            NODES, "", name, lambda old: {**old, "status": change(old)}, status=True
        )

    def _remove_strangers(self) -> None:
        """Nodes of an earlier life of this cluster, which had more of them."""
        for obj in self._registry.store.all_of(NODES.plural):
            if name_of(obj) not in self._faults.nodes:
                options = DeleteOptions(uid=uid_of(obj))
                self._registry.delete(NODES, "", name_of(obj), options)

    # ---- putting pods out

    def _changed(self, changes: list[Change]) -> None:
        for change in changes:
            if change.key.kind == NODES.plural and change.obj is not None:
                self._date_taints(change.obj)
        if any(_matters(change) for change in changes):
            self._evict()

    def _date_taints(self, obj: Json) -> None:
        """Patience is counted from a taint's beginning, which who makes one need not say."""
        now = timestamp(self._registry.now())
        taints = list(spec_of(obj).get("taints") or ())
        dated = [{"timeAdded": now, **t} if t.get("effect") == "NoExecute" else t for t in taints]
        if dated != taints:
            with contextlib.suppress(ApiError):
                self._registry.update(
                    NODES,
                    "",
                    name_of(obj),
                    lambda old: {**old, "spec": {**spec_of(old), "taints": dated}},
                )

    def _evict(self) -> None:
        store, now = self._registry.store, self._registry.now()
        if self._next_eviction is not None:
            self._next_eviction.cancel()
            self._next_eviction = None
        coming: list[datetime] = []
        for each in evictions.due(store.all_of(PODS.plural), store.all_of(NODES.plural)):
            if each.at <= now:
                with contextlib.suppress(ApiError):
                    self.evict(
                        each.pod,
                        DeleteOptions(uid=uid_of(each.pod)),
                        reason="DeletionByTaintManager",
                        message="Taint manager: deleting due to NoExecute taint",
                    )
            else:
                coming.append(each.at)
        if coming:
            seconds = max((min(coming) - now) / timedelta(seconds=1), 0)
            loop = asyncio.get_running_loop()
            self._next_eviction = loop.call_later(seconds, self._evict)

    def evict(self, pod: Json, options: DeleteOptions, *, reason: str, message: str) -> None:
        """Marks the pod as disrupted, then deletes it. Raises what a deletion raises."""
        if not is_terminating(pod) and not options.dry_run:
            target = {"type": "DisruptionTarget", "status": "True"}
            conditions = merge_conditions(
                status_of(pod).get("conditions") or [],
                [{**target, "reason": reason, "message": message}],
                self._registry.now(),
            )
            self._change_status(pod, {**status_of(pod), "conditions": conditions})
            self._recorder.record(pod, reason, message)
        self._registry.delete(PODS, namespace_of(pod), name_of(pod), options)

    def _change_status(self, pod: Json, status: Json) -> None:
        self._registry.update(
            PODS,
            namespace_of(pod),
            name_of(pod),
            lambda old: {**old, "status": status},
            status=True,
        )


def _matters(change: Change) -> bool:
    """Whether somebody may have to go: a node has other taints, or a pod was bound."""
    if change.key.kind == NODES.plural:
        return spec_of(change.obj or {}) != spec_of(change.previous or {})
    if change.key.kind == PODS.plural and change.obj is not None:
        return spec_of(change.obj) != spec_of(change.previous or {})
    return False
