"""Objects as the API server has them, with good defaults."""

from datetime import UTC, datetime, timedelta
from typing import Any

from operators.desk_cluster.objects import Json, timestamp

NOON = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
UID = "00000000-0000-4000-8000-000000000001"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_container(name: str = "main", **fields: Any) -> Json:
    return {
        "name": name,
        "image": "any",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        **fields,
    }


def an_init(name: str = "init", **fields: Any) -> Json:
    return a_container(name, **fields)


def a_sidecar(name: str = "sidecar", **fields: Any) -> Json:
    return a_container(name, restartPolicy="Always", **fields)


def a_pod(*containers: Json, name: str = "a", inits: tuple[Json, ...] = (), **spec: Any) -> Json:
    """Bound, with its status as it is before any container was started."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": UID,
            "creationTimestamp": timestamp(NOON),
        },
        "spec": {
            "nodeName": "desk",
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "containers": list(containers) or [a_container()],
            **({"initContainers": list(inits)} if inits else {}),
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def a_body(*containers: Json, name: str = "a", **spec: Any) -> Json:
    """A pod as its author sends it."""
    return {
        "metadata": {"name": name},
        "spec": {"containers": list(containers) or [{"name": "main", "image": "any"}], **spec},
    }


def a_node(name: str = "desk", *, ready: bool = True, **fields: Any) -> Json:
    room = {"cpu": "2", "memory": "4Gi", "pods": "10", **fields.pop("allocatable", {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": fields.pop("labels", {})},
        "spec": fields,
        "status": {
            "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def terminating(obj: Json, *, at: datetime = NOON, grace: int = 30) -> Json:
    """As it is after it was deleted at this moment."""
    stamps = {
        "deletionTimestamp": timestamp(at + timedelta(seconds=grace)),
        "deletionGracePeriodSeconds": grace,
    }
    return {**obj, "metadata": {**obj["metadata"], **stamps}}
