"""A pod's volumes as folders of this machine.

emptyDir is a folder (in /dev/shm where its medium is Memory), secrets, config maps and the
downward API are files written when the pod starts; a later change of a secret does not reach a
running pod. hostPath is the host's own path, a persistent volume claim a folder that outlives its
pods.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from operators.desk_cluster.kubelet.environment import (
    Lookup,
    expand,
    pod_field,
    resource_field,
)
from operators.desk_cluster.kubelet.root import Mount
from operators.desk_cluster.objects import Json, spec_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMORY = Path("/dev/shm")


class NotMountable(Exception):
    """A volume cannot be made now: FailedMount."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """Where the volumes of one pod are."""

    folder: Path
    claims: Path
    memory: Path
    ip: str
    node: Mapping[str, str]

    @staticmethod
    def of(
        uid: str, pod_folder: Path, claims: Path, *, ip: str, node: Mapping[str, str]
    ) -> Volumes:
        memory = memory_of(pod_folder.parent) / uid
        return Volumes(pod_folder / "volumes", claims, memory, ip, node)

    def make(self, pod: Json, lookup: Lookup) -> None:
        """Raises NotMountable, and ConfigError for a reference that is wrong."""
        for volume in spec_of(pod).get("volumes") or ():
            self._make(pod, volume, lookup)

    def path(self, volume: Json) -> Path:
        name = str(volume["name"])
        if "hostPath" in volume:
            return Path(str(volume["hostPath"]["path"]))
        if "persistentVolumeClaim" in volume:
            return self.claims / str(volume["persistentVolumeClaim"]["claimName"])
        if (volume.get("emptyDir") or {}).get("medium") == "Memory":
            return self.memory / name
        return self.folder / name

    def mounts(self, pod: Json, container: Json, environment: Mapping[str, str]) -> list[Mount]:
        """Raises NotMountable for a subPath that is not there or leaves its volume."""
        volumes = {volume["name"]: volume for volume in spec_of(pod).get("volumes") or ()}
        return [
            self._mount(volumes[mount["name"]], mount, environment)
            for mount in container.get("volumeMounts") or ()
        ]

    def _mount(self, volume: Json, mount: Json, environment: Mapping[str, str]) -> Mount:
        source = self.path(volume)
        inner = mount.get("subPath") or expand(mount.get("subPathExpr") or "", environment)
        if inner:
            base, source = source, source / inner
            if not os.path.realpath(source).startswith(os.path.realpath(base) + "/"):
                raise NotMountable(f'the subPath "{inner}" leaves volume "{volume["name"]}"')
            if not source.exists():
                source.mkdir(parents=True, mode=0o777)
        files = any(kind in volume for kind in ("secret", "configMap", "projected", "downwardAPI"))
        return Mount(str(source), mount["mountPath"], bool(mount.get("readOnly")) or files)

    # ---- making

    def _make(self, pod: Json, volume: Json, lookup: Lookup) -> None:
        path = self.path(volume)
        if "hostPath" in volume:
            _host_path(path, volume["hostPath"].get("type", ""))
            return
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            if lookup("persistentvolumeclaims", claim) is None:
                raise NotMountable(f'persistentvolumeclaim "{claim}" not found')
            path.mkdir(parents=True, exist_ok=True, mode=0o777)
            return
        sources = _sources(volume)
        if not sources and "emptyDir" not in volume:
            named = next((name for name in volume if name != "name"), "")
            raise NotMountable(f'volumes of the type "{named}" are not supported by this cluster')
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755 if sources else 0o777)
        default = _default_mode(volume)
        for source in sources:
            for name, content, mode in self._files(pod, source, lookup):
                _write(path / name, content, default if mode is None else mode)

    def _files(
        self, pod: Json, source: Json, lookup: Lookup
    ) -> list[tuple[str, bytes, int | None]]:
        kind, body = next(iter(source.items()))
        if kind == "downwardAPI":
            return [
                (item["path"], self._downward(pod, item).encode(), item.get("mode"))
                for item in body.get("items") or ()
            ]
        if kind not in ("secret", "configMap"):
            raise NotMountable(f"a projected {kind} is not supported by this cluster")
        return _of_object(kind, body, lookup)

    def _downward(self, pod: Json, item: Json) -> str:
        if "fieldRef" in item:
            return pod_field(pod, item["fieldRef"]["fieldPath"], ip=self.ip)
        return resource_field(pod, item["resourceFieldRef"], self.node)


def memory_of(pods: Path) -> Path:
    """Where the pods of this folder have what they keep in memory.

    /dev/shm belongs to all users and to all clusters of this machine."""
    owner = hashlib.sha256(str(pods).encode()).hexdigest()[:12]
    return _MEMORY / f"xylem-desk-{owner}"


def _sources(volume: Json) -> list[Json]:
    """The parts of a volume of files, each as a projected volume has it."""
    if "projected" in volume:
        return [dict(source) for source in volume["projected"].get("sources") or ()]
    for kind in ("secret", "configMap", "downwardAPI"):
        if kind in volume:
            body = dict(volume[kind])
            body["name"] = body.pop("secretName", body.get("name"))
            return [{kind: body}]
    return []


def _default_mode(volume: Json) -> int:
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if kind in volume:
            return int(volume[kind].get("defaultMode", 0o644))
    return 0o644


def _of_object(kind: str, body: Json, lookup: Lookup) -> list[tuple[str, bytes, int | None]]:
    plural = {"secret": "secrets", "configMap": "configmaps"}[kind]
    found = lookup(plural, body["name"])
    if found is None:
        if body.get("optional"):
            return []
        raise NotMountable(f'{plural.removesuffix("s")} "{body["name"]}" not found')
    contents = _contents(plural, found)
    items = body.get("items")
    if items is None:
        return [(name, content, None) for name, content in contents.items()]
    missing = [item["key"] for item in items if item["key"] not in contents]
    if missing and not body.get("optional"):
        raise NotMountable(f'references non-existent {kind} key: {missing[0]} of "{body["name"]}"')
    return [
        (item["path"], contents[item["key"]], item.get("mode"))
        for item in items
        if item["key"] in contents
    ]


def _contents(plural: str, obj: Json) -> dict[str, bytes]:
    if plural == "secrets":
        return {name: base64.b64decode(value) for name, value in (obj.get("data") or {}).items()}
    texts = {name: value.encode() for name, value in (obj.get("data") or {}).items()}
    binary = obj.get("binaryData") or {}
    return texts | {name: base64.b64decode(value) for name, value in binary.items()}


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A secret is never readable by others, not even between its creation and its chmod.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)


def _host_path(path: Path, kind: str) -> None:
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch()
    expected = {"Directory": path.is_dir, "File": path.is_file, "Socket": path.is_socket}
    if not expected.get(kind, path.exists)():
        raise NotMountable(f'hostPath "{path}" is not there or is not of the type "{kind}"')
