"""Jobs as the service pushes them, pods as the manifests render them, and a process in office."""

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any, Literal

from operators.shared.anchor import Anchor, anchor_name, anchor_of
from operators.shared.lease import Tenure, acquire
from operators.shared.resources import CONFIG_MAP, Json
from tests.fakes.kube import FakeKube, run
from xylem.domain.ids import GroupId, WorkflowId, mail_id
from xylem.manifests.names import (
    FINALIZER,
    GATE,
    GROUP,
    GROUP_LABEL,
    INCARNATION,
    RETRY,
    TASK,
    WORKFLOW,
)
from xylem.protocol.agent import Job

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GROUP_ID = GroupId("a" * 32)
HELLO = WorkflowId("hello-1")


def in_office(kube: FakeKube, boot_id: str = "boot-1", pod_name: str = "operator") -> Tenure:
    tenure, _ = run(kube, acquire(pod_name, boot_id, lambda: NOON))
    return tenure


def packed(value: Json) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


def a_job(
    kind: Literal["create", "cleanup", "observe"],
    *,
    ordinal: int = 1,
    after: int = 0,
    incarnation: int = 1,
    payload: Json | None = None,
) -> Job:
    return Job(
        workflow=HELLO,
        job_id=mail_id(GROUP_ID, incarnation, ordinal),
        ordinal=ordinal,
        after=after,
        kind=kind,
        payload=None if payload is None else packed(payload),
    )


def a_create(*objects: Json, ordinal: int = 1, after: int = 0, incarnation: int = 1) -> Job:
    payload = {"objects": list(objects) or [a_pod()]}
    return a_job("create", ordinal=ordinal, after=after, incarnation=incarnation, payload=payload)


def a_cleanup(*, ordinal: int = 9, incarnation: int = 1, **how: Any) -> Job:
    return a_job("cleanup", ordinal=ordinal, incarnation=incarnation, payload=how or None)


def a_pod(task: str = "main", retry: int = 0, incarnation: int = 1) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{task}-r{retry}-{incarnation}",
            "labels": {GROUP_LABEL: GROUP_ID},
            "annotations": {
                WORKFLOW: HELLO,
                GROUP: GROUP_ID,
                INCARNATION: str(incarnation),
                TASK: task,
                RETRY: str(retry),
            },
            "finalizers": [FINALIZER],
        },
        "spec": {"schedulingGates": [{"name": GATE}], "containers": [{"name": task}]},
    }


def a_secret(name: str = "token-1") -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}


def the_anchor(kube: FakeKube, incarnation: int = 1) -> Anchor:
    anchor = anchor_of(kube.read(CONFIG_MAP, anchor_name(GROUP_ID, incarnation)))
    assert anchor is not None
    return anchor
