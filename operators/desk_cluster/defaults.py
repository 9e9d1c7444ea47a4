"""What the API server fills in when an object is created, so that its readers need not guess."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from operators.desk_cluster.kinds import CLAIMS, EVENTS, NAMESPACES, NODES, PODS, SECRETS, SERVICES
from operators.shared.quantities import parse_quantity

if TYPE_CHECKING:
    from operators.desk_cluster.kinds import Kind
    from operators.desk_cluster.objects import Json

_READABLE = 0o644

# The admission plugin DefaultTolerationSeconds: how long a pod stays where its node is not heard.
_PATIENCE_SECONDS = 300
_SILENCES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def fill_in(kind: Kind, obj: Json) -> None:
    """Changes `obj`, which is the caller's own copy, before it is validated."""
    if kind is PODS:
        _pod(obj)
    elif kind is SECRETS:
        _secret(obj)
    elif kind is SERVICES:
        _service(obj)
    elif kind is CLAIMS:
        obj["status"] = {"phase": "Pending"}
    elif kind is NAMESPACES:
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
        labels = obj["metadata"].setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    elif kind is NODES:
        obj.setdefault("spec", {})
        obj.setdefault("status", {})
    elif kind is EVENTS:
        obj.setdefault("type", "Normal")


def _pod(pod: Json) -> None:
    spec = pod.setdefault("spec", {})
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("securityContext", {})
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in _SILENCES:
        if not any(_is_about(each, key) for each in tolerations):
            patience = {"operator": "Exists", "effect": "NoExecute"}
            tolerations.append({"key": key, **patience, "tolerationSeconds": _PATIENCE_SECONDS})
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)
    gated = bool(spec.get("schedulingGates"))
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}
    if gated:
        pod["status"]["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastProbeTime": None,
                "lastTransitionTime": pod["metadata"]["creationTimestamp"],
            }
        ]


def _is_about(toleration: Json, key: str) -> bool:
    effect = toleration.get("effect") in (None, "", "NoExecute")
    return effect and toleration.get("key") in (None, "", key)


def _container(container: Json) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    container.setdefault(
        "imagePullPolicy", "IfNotPresent" if tag not in ("", "latest") else "Always"
    )
    resources = container.setdefault("resources", {})
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        field = (variable.get("valueFrom") or {}).get("fieldRef")
        if field is not None:
            field.setdefault("apiVersion", "v1")


def _volume(volume: Json) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if isinstance(volume.get(source), dict):
            volume[source].setdefault("defaultMode", _READABLE)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")


def _quality(spec: Json) -> str:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    named = [
        (container.get("resources") or {}).get(which) or {}
        for container in containers
        for which in ("requests", "limits")
    ]
    if not any("cpu" in resources or "memory" in resources for resources in named):
        return "BestEffort"
    return (
        "Guaranteed" if all(_is_guaranteed(container) for container in containers) else "Burstable"
    )


def _is_guaranteed(container: Json) -> bool:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    try:
        return all(
            name in limits and parse_quantity(limits[name]) == parse_quantity(requests.get(name))
            for name in ("cpu", "memory")
        )
    except ValueError:
        return False


def _secret(secret: Json) -> None:
    secret.setdefault("type", "Opaque")
    written = secret.pop("stringData", None) or {}
    for name, value in written.items():
        data = secret.get("data") or {}
        secret["data"] = {**data, name: base64.b64encode(str(value).encode()).decode()}


def _service(service: Json) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("clusterIP") in (None, ""):
        # Every name of this cluster is this machine.
        spec["clusterIP"] = "127.0.0.1"
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    service["status"] = {"loadBalancer": {}}
