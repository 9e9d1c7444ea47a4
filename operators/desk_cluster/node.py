"""The node: this machine, as much of it as the cluster may use."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from operators.desk_cluster.kubelet.lifecycle import merge_conditions
from operators.desk_cluster.objects import Json, status_of, timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERSION = "v1.33.0+desk"

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory"),
    ("DiskPressure", "KubeletHasNoDiskPressure"),
    ("PIDPressure", "KubeletHasSufficientPID"),
)


def machine_resources() -> dict[str, str]:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    disk = os.statvfs("/")
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{pages * size // 1024}Ki",
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        # A real node takes 110; here a gang of hundreds has to fit on one.
        "pods": "1000",
    }


def labels(name: str) -> dict[str, str]:
    return {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": _architecture(),
    }


def status(old: Json, resources: Mapping[str, str], now: datetime) -> Json:
    conditions = [
        {"type": kind, "status": "False", "reason": reason, "message": ""}
        for kind, reason in _PRESSURES
    ]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
    merged = merge_conditions(status_of(old).get("conditions") or [], [*conditions, ready], now)
    for condition in merged:
        condition.pop("lastProbeTime", None)
        condition["lastHeartbeatTime"] = timestamp(now)
    system = platform.uname()
    return {
        "capacity": dict(resources),
        "allocatable": dict(resources),
        "conditions": merged,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": old["metadata"]["name"]},
        ],
        "nodeInfo": {
            "machineID": "",
            "systemUUID": "",
            "bootID": _boot_id(),
            "kernelVersion": system.release,
            "osImage": "this machine",
            "containerRuntimeVersion": "desk-shim://1",
            "kubeletVersion": VERSION,
            "kubeProxyVersion": VERSION,
            "operatingSystem": "linux",
            "architecture": _architecture(),
        },
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "images": [],
    }


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
