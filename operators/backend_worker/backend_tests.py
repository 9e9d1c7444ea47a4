"""The tests of the cluster's nodes: a CronJob for each, as the service says, and no others.

    lease ─ list ─ away with what is not named ─ make or replace what differs

The service says all of them at once, so this may stop anywhere and be begun again, and what
somebody deleted is made again with the next inventory. A CronJob carries the digest of what it was
made from: Kubernetes writes defaults into what it stores, so the two cannot be compared themselves.
One that somebody changed by hand stays changed until its test does.

The lease owns them: who is done with Xylem in a namespace deletes its lease, and no test runs on.
What a run of a test does is told in `operators.backend_test`, which its pod runs.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from operators.backend_test import NAME_PREFIX, TEST_LABEL, VARIABLE
from operators.shared.calls import Create, Delete, Procedure, listing, read, replace
from operators.shared.lease import LEASE_NAME, Tenure
from operators.shared.resources import CRON_JOB, LEASE, Conflict, Json, NotFound, Refused
from xylem.manifests.gang import MANAGED
from xylem.protocol.agent import BackendTest

BACKEND_LABEL = "xylem.dev/backend"
DIGEST = "xylem.dev/digest"

GRACE_SECONDS = 120
"""After its timeout a run says what is unknown, and takes its pods away."""

STARTING_SECONDS = 600
"""A run that its cluster could not begin for so long is left out: the next one comes."""

FAILED_KEPT = 3


@dataclass(frozen=True, slots=True)
class Runner:
    """What runs a test: `image` has this package in it, `account` may do what that does."""

    backend: str
    image: str
    account: str


def set_tests(tests: Sequence[BackendTest], runner: Runner, tenure: Tenure) -> Procedure[bool]:
    """Whether it was done: not by a process that is no longer in office."""
    lease = yield from read(LEASE, LEASE_NAME)
    if not tenure.is_of(lease):
        return False
    try:
        found = yield from listing(CRON_JOB, f"{BACKEND_LABEL}={runner.backend}")
    except Refused:
        if tests:
            raise
        return True  # where it may not even look it never made any
    wanted = {NAME_PREFIX + test.name: _cron_job(test, runner, lease) for test in tests}
    there = {body["metadata"]["name"]: body for body in found}
    for name in sorted(there.keys() - wanted.keys()):
        yield from _deleted(there[name])
    for name, body in wanted.items():
        if name not in there:
            yield from _made(body)
        elif _digest(there[name]) != _digest(body):
            yield from replace(CRON_JOB, _over(there[name], body))
    return True


def _deleted(body: Json) -> Procedure[None]:
    metadata = body["metadata"]
    try:
        yield Delete(CRON_JOB, metadata["name"], uid=metadata["uid"])
    except (NotFound, Conflict):
        return


def _made(body: Json) -> Procedure[None]:
    try:
        yield Create(CRON_JOB, body)
    except Conflict as conflict:
        name = body["metadata"]["name"]
        raise Refused(409, f"a CronJob {name} is somebody else's: delete it") from conflict


def _over(there: Json, body: Json) -> Json:
    metadata = {**there["metadata"], **body["metadata"]}
    return {**there, "metadata": metadata, "spec": body["spec"]}


def _digest(body: Json) -> str:
    return str((body["metadata"].get("annotations") or {}).get(DIGEST, ""))


def _cron_job(test: BackendTest, runner: Runner, lease: Json) -> Json:
    spec = _spec(test, runner)
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    owner = {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "name": LEASE_NAME,
        "uid": lease["metadata"]["uid"],
    }
    return {
        "apiVersion": CRON_JOB.api_version,
        "kind": CRON_JOB.name,
        "metadata": {
            "name": NAME_PREFIX + test.name,
            "labels": _labels(test, runner),
            "annotations": {DIGEST: digest},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def _labels(test: BackendTest, runner: Runner) -> Json:
    return {**MANAGED, BACKEND_LABEL: runner.backend, TEST_LABEL: test.name}


def _spec(test: BackendTest, runner: Runner) -> Json:
    labels = {"labels": _labels(test, runner)}
    return {
        "schedule": test.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": STARTING_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": FAILED_KEPT,
        "jobTemplate": {
            "metadata": labels,
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": test.timeout_seconds + GRACE_SECONDS,
                "template": {"metadata": labels, "spec": _pod(test, runner)},
            },
        },
    }


def _pod(test: BackendTest, runner: Runner) -> Json:
    from_pod = {
        "XYLEM_NAMESPACE": "metadata.namespace",
        "POD_NAME": "metadata.name",
        "POD_UID": "metadata.uid",
    }
    return {
        "serviceAccountName": runner.account,
        "restartPolicy": "Never",
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "runner",
                "image": runner.image,
                "command": ["python", "-m", "operators.backend_test"],
                "env": [
                    {"name": VARIABLE, "value": _escaped(test.model_dump_json())},
                    *(
                        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
                        for name, path in from_pod.items()
                    ),
                ],
                "resources": {
                    "requests": {"cpu": "50m", "memory": "128Mi"},
                    "limits": {"memory": "256Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def _escaped(value: str) -> str:
    """Kubernetes reads `$(NAME)` in it, and `$$` as `$`."""
    return value.replace("$", "$$")
