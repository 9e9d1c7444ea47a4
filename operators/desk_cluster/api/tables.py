"""Objects as kubectl prints them: the server chooses the columns (`Accept: ...;as=Table`).

The status of a pod is the one word that people read, so it is computed as Kubernetes' own printer
(pkg/printers/internalversion/printers.go) does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.desk_cluster.objects import (
    Json,
    is_terminating,
    meta,
    moment_of,
    name_of,
    phase_of,
    spec_of,
    status_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from operators.desk_cluster.kinds import Kind

_NONE = "<none>"
_NODE_ROLE = "node-role.kubernetes.io/"


def table(kind: Kind, objects: list[Json], now: datetime, include: str, version: str) -> Json:
    columns, row = _PRINTERS.get(kind.plural, (_NAME_AND_AGE, _name_and_age))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [_column(*column) for column in columns],
        "rows": [{"cells": row(obj, now), "object": _included(obj, include)} for obj in objects],
    }


def _column(name: str, wide: bool = False) -> Json:
    numeric = name in ("Data", "Secrets")
    return {
        "name": name,
        "type": "integer" if numeric else "string",
        "format": "name" if name == "Name" else "",
        "description": "",
        "priority": 1 if wide else 0,
    }


def _included(obj: Json, include: str) -> Json | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {**partial, "metadata": meta(obj)}


def age(since: str | None, now: datetime) -> str:
    """k8s.io/apimachinery/pkg/util/duration: HumanDuration."""
    if not since:
        return "<unknown>"
    seconds = max(int((now - moment_of(since)).total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 2:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d"


def _age(obj: Json, now: datetime) -> str:
    return age(meta(obj).get("creationTimestamp"), now)


_NAME_AND_AGE: list[tuple[Any, ...]] = [("Name",), ("Age",)]


def _name_and_age(obj: Json, now: datetime) -> list[Any]:
    return [name_of(obj), _age(obj, now)]


def _pod(pod: Json, now: datetime) -> list[Any]:
    status = status_of(pod)
    sidecars = _sidecars(pod)
    inits = status.get("initContainerStatuses") or []
    serving = [each for each in inits if each["name"] in sidecars]
    initializing = _waiting_for_init(pod) and not _is_initialized(status)
    if not initializing:
        serving += status.get("containerStatuses") or []
    ready = sum(1 for each in serving if each.get("ready") and "running" in each.get("state", {}))
    return [
        name_of(pod),
        f"{ready}/{len(sidecars) + len(spec_of(pod).get('containers') or ())}",
        pod_status(pod),
        _restarts(inits if initializing else serving, now),
        _age(pod, now),
        status.get("podIP") or _NONE,
        spec_of(pod).get("nodeName") or _NONE,
        _NONE,
        _NONE,
    ]


def pod_status(pod: Json) -> str:
    status = status_of(pod)
    word = str(status.get("reason") or phase_of(pod))
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            word = "SchedulingGated"
    waiting = _waiting_for_init(pod)
    if waiting and not _is_initialized(status):
        word = waiting
    else:
        word = _word_of_containers(status, waiting or word)
    if is_terminating(pod) and phase_of(pod) not in ("Succeeded", "Failed"):
        return "Terminating"
    return word


def _sidecars(pod: Json) -> set[str]:
    inits = spec_of(pod).get("initContainers") or ()
    return {each["name"] for each in inits if each.get("restartPolicy") == "Always"}


def _is_initialized(status: Json) -> bool:
    return _holds(status, "Initialized")


def _holds(status: Json, condition: str) -> bool:
    known = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    return known.get(condition) == "True"


def _restarts(containers: list[Json], now: datetime) -> str:
    count = sum(int(container.get("restartCount", 0)) for container in containers)
    ends = [(container.get("lastState") or {}).get("terminated") or {} for container in containers]
    last = max((end["finishedAt"] for end in ends if end.get("finishedAt")), default=None)
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _waiting_for_init(pod: Json) -> str:
    containers = spec_of(pod).get("initContainers") or []
    sidecars = _sidecars(pod)
    for number, container in enumerate(status_of(pod).get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        if "terminated" in state and state["terminated"].get("exitCode") == 0:
            continue
        if container["name"] in sidecars and container.get("started"):
            continue
        if "terminated" in state:
            return f"Init:{_ending(state['terminated'])}"
        reason = (state.get("waiting") or {}).get("reason", "")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{number}/{len(containers)}"
    return ""


def _word_of_containers(status: Json, word: str) -> str:
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            word = state["waiting"]["reason"]
        elif "terminated" in state:
            word = _ending(state["terminated"])
        elif container.get("ready") and "running" in state:
            running = True
    if word == "Completed" and running:
        return "Running" if _holds(status, "Ready") else "NotReady"
    return word


def _ending(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode')}"


def _node(node: Json, now: datetime) -> list[Any]:
    conditions = {c["type"]: c["status"] for c in status_of(node).get("conditions") or ()}
    words = {"True": "Ready", "False": "NotReady"}
    status = words.get(conditions.get("Ready", ""), "Unknown")
    if spec_of(node).get("unschedulable"):
        status += ",SchedulingDisabled"
    labels = meta(node).get("labels") or {}
    roles = [name.removeprefix(_NODE_ROLE) for name in labels if name.startswith(_NODE_ROLE)]
    info = status_of(node).get("nodeInfo") or {}
    addresses = {each["type"]: each["address"] for each in status_of(node).get("addresses") or ()}
    return [
        name_of(node),
        status,
        ",".join(sorted(roles)) or _NONE,
        _age(node, now),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", _NONE),
        _NONE,
        info.get("osImage", ""),
        info.get("kernelVersion", ""),
        info.get("containerRuntimeVersion", ""),
    ]


def _service(service: Json, now: datetime) -> list[Any]:
    spec = spec_of(service)
    ports = [f"{port.get('port')}/{port.get('protocol')}" for port in spec.get("ports") or ()]
    selector = [f"{name}={value}" for name, value in (spec.get("selector") or {}).items()]
    return [
        name_of(service),
        spec.get("type", ""),
        spec.get("clusterIP", _NONE),
        _NONE,
        ",".join(ports) or _NONE,
        _age(service, now),
        ",".join(selector) or _NONE,
    ]


def _config_map(config_map: Json, now: datetime) -> list[Any]:
    size = len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())
    return [name_of(config_map), size, _age(config_map, now)]


def _secret(secret: Json, now: datetime) -> list[Any]:
    return [name_of(secret), secret.get("type"), len(secret.get("data") or ()), _age(secret, now)]


def _lease(lease: Json, now: datetime) -> list[Any]:
    return [name_of(lease), spec_of(lease).get("holderIdentity", ""), _age(lease, now)]


def _namespace(namespace: Json, now: datetime) -> list[Any]:
    return [name_of(namespace), phase_of(namespace), _age(namespace, now)]


def _event(event: Json, now: datetime) -> list[Any]:
    involved = event.get("involvedObject") or {}
    about = f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"
    seen = event.get("lastTimestamp") or event.get("eventTime")
    return [
        age(seen or meta(event).get("creationTimestamp"), now),
        event.get("type", ""),
        event.get("reason", ""),
        about,
        str(event.get("message", "")).strip(),
    ]


def _claim(claim: Json, now: datetime) -> list[Any]:
    status, spec = status_of(claim), spec_of(claim)
    capacity = (status.get("capacity") or {}).get("storage", "")
    modes = ",".join(_ACCESS.get(mode, mode) for mode in spec.get("accessModes") or ())
    volume, storage_class = spec.get("volumeName", ""), spec.get("storageClassName", "")
    phase = status.get("phase", "")
    return [name_of(claim), phase, volume, capacity, modes, storage_class, _age(claim, now)]


def _service_account(account: Json, now: datetime) -> list[Any]:
    return [name_of(account), len(account.get("secrets") or ()), _age(account, now)]


_ACCESS = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX"}

_PRINTERS: dict[str, tuple[list[tuple[Any, ...]], Callable[[Json, datetime], list[Any]]]] = {
    "pods": (
        [
            ("Name",),
            ("Ready",),
            ("Status",),
            ("Restarts",),
            ("Age",),
            ("IP", True),
            ("Node", True),
            ("Nominated Node", True),
            ("Readiness Gates", True),
        ],
        _pod,
    ),
    "nodes": (
        [
            ("Name",),
            ("Status",),
            ("Roles",),
            ("Age",),
            ("Version",),
            ("Internal-IP", True),
            ("External-IP", True),
            ("OS-Image", True),
            ("Kernel-Version", True),
            ("Container-Runtime", True),
        ],
        _node,
    ),
    "services": (
        [
            ("Name",),
            ("Type",),
            ("Cluster-IP",),
            ("External-IP",),
            ("Port(s)",),
            ("Age",),
            ("Selector", True),
        ],
        _service,
    ),
    "configmaps": ([("Name",), ("Data",), ("Age",)], _config_map),
    "secrets": ([("Name",), ("Type",), ("Data",), ("Age",)], _secret),
    "leases": ([("Name",), ("Holder",), ("Age",)], _lease),
    "namespaces": ([("Name",), ("Status",), ("Age",)], _namespace),
    "events": ([("Last Seen",), ("Type",), ("Reason",), ("Object",), ("Message",)], _event),
    "persistentvolumeclaims": (
        [
            ("Name",),
            ("Status",),
            ("Volume",),
            ("Capacity",),
            ("Access Modes",),
            ("StorageClass",),
            ("Age",),
        ],
        _claim,
    ),
    "serviceaccounts": ([("Name",), ("Secrets",), ("Age",)], _service_account),
}
