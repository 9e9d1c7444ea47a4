"""What an object must be like to be accepted, and what of it may change later.

Only the essentials, in Kubernetes' own words: what a mistake of our operators or of a person at
kubectl would run into on a real cluster. The functions return causes; none means valid.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from operators.desk_cluster.errors import Cause
from operators.desk_cluster.kinds import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    Kind,
)
from operators.desk_cluster.objects import Json, meta, owners_of, spec_of
from operators.shared.quantities import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

# k8s.io/apimachinery/pkg/util/validation
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_LABEL_LIMIT, _SUBDOMAIN_LIMIT = 63, 253
_DATA_LIMIT = 1024 * 1024
_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = ("foregroundDeletion", "orphan", "kubernetes")

_SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com')"
)
_LABEL_HELP = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')"
)
_NAME_HELP = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc')"
)
_VALUE_HELP = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)


def check_new(kind: Kind, obj: Json) -> list[Cause]:
    causes = [*_metadata(kind, obj)]
    if kind is PODS:
        causes += _pod(spec_of(obj))
    elif kind in (CONFIG_MAPS, SECRETS):
        causes += _data(kind, obj)
    elif kind is LEASES:
        causes += _lease(spec_of(obj))
    elif kind is SERVICES:
        causes += _service(spec_of(obj))
    return causes


def check_changed(kind: Kind, old: Json, new: Json) -> list[Cause]:
    causes = check_new(kind, new)
    if kind is PODS:
        causes += _pod_changes(spec_of(old), spec_of(new))
    elif kind in (CONFIG_MAPS, SECRETS):
        causes += _data_changes(kind, old, new)
    if meta(old).get("deletionTimestamp"):
        known = set(meta(old).get("finalizers") or ())
        added = [name for name in meta(new).get("finalizers") or () if name not in known]
        if added:
            detail = f"no new finalizers can be added if the object is being deleted, found {added}"
            causes.append(Cause.forbidden("metadata.finalizers", detail))
    return causes


# ---- metadata


def _metadata(kind: Kind, obj: Json) -> Iterator[Cause]:
    metadata = meta(obj)
    yield from _name(kind, metadata.get("name"))
    for name, value in (metadata.get("labels") or {}).items():
        yield from _qualified_name("metadata.labels", name)
        if not isinstance(value, str):
            yield Cause.invalid("metadata.labels", value, "a label's value is a string")
        elif len(value) > _LABEL_LIMIT:
            yield Cause.invalid("metadata.labels", value, "must be no more than 63 characters")
        elif not _LABEL_VALUE.fullmatch(value):
            yield Cause.invalid("metadata.labels", value, _VALUE_HELP)
    annotations = metadata.get("annotations") or {}
    for name in annotations:
        yield from _qualified_name("metadata.annotations", name.lower())
    if sum(len(name) + len(str(value)) for name, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        yield Cause.too_long("metadata.annotations", _ANNOTATIONS_LIMIT)
    for number, name in enumerate(metadata.get("finalizers") or ()):
        field = f"metadata.finalizers[{number}]"
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield Cause.invalid(field, name, detail)
    for number, owner in enumerate(owners_of(obj)):
        for needed in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(needed):
                yield Cause.required(f"metadata.ownerReferences[{number}].{needed}")


def _name(kind: Kind, name: object) -> Iterator[Cause]:
    field = "metadata.name"
    if not isinstance(name, str) or not name:
        yield Cause.required(field, "name or generateName is required")
    elif kind is SERVICES:
        yield from _matching(field, name, _SERVICE_NAME, _LABEL_LIMIT, _LABEL_HELP)
    elif kind is NAMESPACES:
        yield from _matching(field, name, _LABEL, _LABEL_LIMIT, _LABEL_HELP)
    else:
        yield from _matching(field, name, _SUBDOMAIN, _SUBDOMAIN_LIMIT, _SUBDOMAIN_HELP)


def _matching(
    field: str, value: object, pattern: re.Pattern[str], limit: int, detail: str
) -> Iterator[Cause]:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        yield Cause.invalid(field, value, detail)
    elif len(value) > limit:
        yield Cause.invalid(field, value, f"must be no more than {limit} characters")


def _qualified_name(field: str, name: str) -> Iterator[Cause]:
    prefix, slash, local = name.rpartition("/")
    if slash and not (len(prefix) <= _SUBDOMAIN_LIMIT and _SUBDOMAIN.fullmatch(prefix)):
        yield Cause.invalid(field, name, f"prefix part {_SUBDOMAIN_HELP}")
    if len(local) > _LABEL_LIMIT:
        yield Cause.invalid(field, name, "name part must be no more than 63 characters")
    elif not _QUALIFIED.fullmatch(local):
        yield Cause.invalid(field, name, _NAME_HELP)


# ---- pods


def _pod(spec: Json) -> Iterator[Cause]:
    policies = ("Always", "OnFailure", "Never")
    if spec.get("restartPolicy") not in policies:
        yield Cause.unsupported("spec.restartPolicy", spec.get("restartPolicy"), policies)
    for named in ("hostname", "subdomain"):
        if spec.get(named):
            yield from _matching(f"spec.{named}", spec[named], _LABEL, _LABEL_LIMIT, _LABEL_HELP)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not (isinstance(deadline, int) and 1 <= deadline < 2**31):
        detail = "must be between 1 and 2147483647, inclusive"
        yield Cause.invalid("spec.activeDeadlineSeconds", deadline, detail)
    if spec.get("schedulingGates") and spec.get("nodeName"):
        yield Cause.forbidden(
            "spec.nodeName", "cannot be set until all schedulingGates have been cleared"
        )
    yield from _unique("spec.schedulingGates", spec.get("schedulingGates") or ())
    volumes = spec.get("volumes") or ()
    yield from _unique("spec.volumes", volumes)
    for number, volume in enumerate(volumes):
        yield from _volume(f"spec.volumes[{number}]", volume)
    if not spec.get("containers"):
        yield Cause.required("spec.containers")
    known = {volume.get("name") for volume in volumes}
    seen: set[str] = set()
    for listed in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(listed) or ()):
            field = f"spec.{listed}[{number}]"
            if container.get("name") in seen:
                yield Cause.duplicate(f"{field}.name", container["name"])
            seen.add(container.get("name"))
            yield from _container(field, container, known)
            if listed == "initContainers" and container.get("restartPolicy") not in (
                None,
                "Always",
            ):
                allowed = ("Always",)
                yield Cause.unsupported(
                    f"{field}.restartPolicy", container["restartPolicy"], allowed
                )
            if listed == "containers" and container.get("restartPolicy") is not None:
                yield Cause.forbidden(
                    f"{field}.restartPolicy", "may not be set for non-init containers"
                )


def _unique(field: str, items: Any) -> Iterator[Cause]:
    seen: set[str] = set()
    for number, item in enumerate(items):
        name = item.get("name")
        if not name:
            yield Cause.required(f"{field}[{number}].name")
        elif name in seen:
            yield Cause.duplicate(f"{field}[{number}].name", name)
        seen.add(name)


def _volume(field: str, volume: Json) -> Iterator[Cause]:
    yield from _matching(f"{field}.name", volume.get("name"), _LABEL, _LABEL_LIMIT, _LABEL_HELP)
    sources = [name for name in volume if name != "name"]
    if len(sources) > 1:
        yield Cause.forbidden(f"{field}.{sources[1]}", "may not specify more than 1 volume type")
    if "secret" in volume and not (volume["secret"] or {}).get("secretName"):
        yield Cause.required(f"{field}.secret.secretName")
    if "configMap" in volume and not (volume["configMap"] or {}).get("name"):
        yield Cause.required(f"{field}.configMap.name")
    if "hostPath" in volume and not (volume["hostPath"] or {}).get("path"):
        yield Cause.required(f"{field}.hostPath.path")
    projected = (volume.get("projected") or {}).get("sources") or ()
    parts = {f"{field}.projected.sources[{at}]": each for at, each in enumerate(projected)}
    for where, part in {field: volume, **parts}.items():
        for source in ("secret", "configMap", "downwardAPI"):
            for at, item in enumerate((part.get(source) or {}).get("items") or ()):
                yield from _within(f"{where}.{source}.items[{at}].path", item.get("path"))


def _within(field: str, path: object) -> Iterator[Cause]:
    if not path:
        yield Cause.required(field)
    elif str(path).startswith("/"):
        yield Cause.invalid(field, path, "must be a relative path")
    elif ".." in str(path).split("/"):
        yield Cause.invalid(field, path, "must not contain '..'")


def _container(field: str, container: Json, volumes: set[Any]) -> Iterator[Cause]:
    if not container.get("name"):
        yield Cause.required(f"{field}.name")
    else:
        yield from _matching(f"{field}.name", container["name"], _LABEL, _LABEL_LIMIT, _LABEL_HELP)
    if not container.get("image"):
        yield Cause.required(f"{field}.image")
    for listed in ("command", "args"):
        for number, word in enumerate(container.get(listed) or ()):
            if not isinstance(word, str):
                yield Cause.invalid(f"{field}.{listed}[{number}]", word, "must be a string")
    for number, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield Cause.required(f"{field}.env[{number}].name")
        if not isinstance(variable.get("value", ""), str):
            yield Cause.invalid(
                f"{field}.env[{number}].value", variable["value"], "must be a string"
            )
    paths: set[str] = set()
    for number, mount in enumerate(container.get("volumeMounts") or ()):
        where = f"{field}.volumeMounts[{number}]"
        if mount.get("name") not in volumes:
            yield Cause.not_found(f"{where}.name", str(mount.get("name")))
        path = mount.get("mountPath")
        if not path:
            yield Cause.required(f"{where}.mountPath")
        elif path in paths:
            yield Cause.invalid(f"{where}.mountPath", path, "must be unique")
        paths.add(str(path))
        if mount.get("subPath"):
            yield from _within(f"{where}.subPath", mount["subPath"])
    yield from _resources(f"{field}.resources", container.get("resources") or {})


def _resources(field: str, resources: Json) -> Iterator[Cause]:
    amounts: dict[tuple[str, str], Any] = {}
    for which in ("limits", "requests"):
        for name, value in (resources.get(which) or {}).items():
            try:
                amounts[which, name] = parse_quantity(value)
            except ValueError as error:
                yield Cause.invalid(f"{field}.{which}[{name}]", value, str(error))
                continue
            if amounts[which, name] < 0:
                detail = "must be greater than or equal to 0"
                yield Cause.invalid(f"{field}.{which}[{name}]", value, detail)
    for (which, name), amount in amounts.items():
        limit = amounts.get(("limits", name))
        if which == "requests" and limit is not None and amount > limit:
            value = resources["requests"][name]
            detail = f"must be less than or equal to {name} limit of {resources['limits'][name]}"
            yield Cause.invalid(f"{field}.requests", value, detail)


_MUTABLE_HELP = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions "
    "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)


def _pod_changes(old: Json, new: Json) -> Iterator[Cause]:
    if old == new:
        return
    gates = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    for gate in new.get("schedulingGates") or ():
        if gate.get("name") not in gates:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            yield Cause.forbidden("spec.schedulingGates", detail)
    before, after = old.get("activeDeadlineSeconds"), new.get("activeDeadlineSeconds")
    if before is not None and (after is None or after > before):
        detail = "must be less than or equal to previous value"
        yield Cause.invalid("spec.activeDeadlineSeconds", after, detail)
    tolerations = new.get("tolerations") or ()
    if any(toleration not in tolerations for toleration in old.get("tolerations") or ()):
        yield Cause.forbidden("spec.tolerations", "existing toleration can not be modified")
    if _unchangeable(old, gated=bool(gates)) != _unchangeable(new, gated=bool(gates)):
        yield Cause.forbidden("spec", _MUTABLE_HELP)


def _unchangeable(spec: Json, *, gated: bool) -> Json:
    free = {"activeDeadlineSeconds", "tolerations", "schedulingGates"}
    if gated:
        free |= {"nodeSelector", "affinity"}
    left = {name: value for name, value in spec.items() if name not in free and value is not None}
    for listed in ("containers", "initContainers"):
        if listed in left:
            left[listed] = [{**container, "image": ""} for container in left[listed]]
    return left


# ---- the rest


def _data(kind: Kind, obj: Json) -> Iterator[Cause]:
    size = 0
    for field in ("data", "binaryData"):
        encoded = kind is SECRETS or field == "binaryData"
        for name, value in (obj.get(field) or {}).items():
            if not _DATA_KEY.fullmatch(name) or name in (".", "..") or len(name) > _SUBDOMAIN_LIMIT:
                detail = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                )
                yield Cause.invalid(f"{field}[{name}]", name, detail)
            if not isinstance(value, str):
                yield Cause.invalid(f"{field}[{name}]", value, "must be a string")
                continue
            size += len(name) + (len(value) * 3 // 4 if encoded else len(value.encode()))
            if encoded and not _is_base64(value):
                yield Cause.invalid(f"{field}[{name}]", "<redacted>", "must be base64 encoded")
    if size > _DATA_LIMIT:
        yield Cause.too_long("", _DATA_LIMIT)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _data_changes(kind: Kind, old: Json, new: Json) -> Iterator[Cause]:
    if old.get("immutable"):
        if not new.get("immutable"):
            yield Cause.forbidden("immutable", "field is immutable when `immutable` is set")
        for field in ("data", "binaryData"):
            if (old.get(field) or {}) != (new.get(field) or {}):
                yield Cause.forbidden(field, "field is immutable when `immutable` is set")
    if kind is SECRETS and old.get("type") != new.get("type"):
        yield Cause.invalid("type", new.get("type"), "field is immutable")


def _lease(spec: Json) -> Iterator[Cause]:
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        yield Cause.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    transitions = spec.get("leaseTransitions")
    if transitions is not None and transitions < 0:
        detail = "must be greater than or equal to 0"
        yield Cause.invalid("spec.leaseTransitions", transitions, detail)


def _service(spec: Json) -> Iterator[Cause]:
    headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not headless and spec.get("type") != "ExternalName":
        yield Cause.required("spec.ports")
    for number, port in enumerate(spec.get("ports") or ()):
        value = port.get("port")
        if not isinstance(value, int) or not 0 < value < 65536:
            detail = "must be between 1 and 65535, inclusive"
            yield Cause.invalid(f"spec.ports[{number}].port", value, detail)
