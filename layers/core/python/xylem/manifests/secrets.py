"""What pods are given as files: the user's files, and the runtime's own token and configuration.

A file of the spec is a Secret of its own, named by its content: tasks that share a script share the
Secret, and a retry finds it there. The token and the configuration of an attempt are one Secret,
mounted into the sidecar alone: the user's command never sees the token.

A credential of the user's is a Secret for each attempt that uses it. It is not shared by content,
as files are: a name made of a password's digest tells who can list names whether he guessed it.
"""

import hashlib
import posixpath
from base64 import b64encode
from typing import Any

from pydantic_core import to_json

from xylem.domain.credential import secret_keys
from xylem.domain.plan import CredentialUse, File, GroupPlan, TaskPlan
from xylem.manifests import labels, runtime, stores
from xylem.manifests.facts import GroupFacts, pod_name

FILE_KEY = "file"
"""A Secret's keys allow few characters; the file's own name is only in the path of its mount."""

Manifest = dict[str, Any]


def of_file(file: File, plan: GroupPlan, facts: GroupFacts) -> Manifest:
    return of_bytes(file_secret_name(file, facts), {FILE_KEY: _data(file)}, plan, facts)


def file_secret_name(file: File, facts: GroupFacts) -> str:
    digest = hashlib.sha256(_data(file).encode()).hexdigest()[:32]
    return f"osmo-{facts.group}-{facts.incarnation}-{digest}"


def mount_path(file: File) -> str:
    return posixpath.normpath(posixpath.join("/", file.path))


def of_attempt(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Manifest:
    orders = {
        **runtime.config(plan, task, facts),
        **stores.config(task, facts),
        "mask": masked(task, facts),
    }
    config = to_json(orders, indent=1).decode()
    data = {
        runtime.TOKEN_FILE: encoded(facts.tokens[task.name]),
        runtime.CONFIG_FILE: encoded(config),
    }
    return of_bytes(attempt_secret_name(task, facts), data, plan, facts)


def attempt_secret_name(task: TaskPlan, facts: GroupFacts) -> str:
    """With the group's id: a task's uuid alone is cut short in the pod's name."""
    return f"osmo-{facts.group}-{pod_name(task, facts)}"


def of_credential(
    index: int, use: CredentialUse, plan: GroupPlan, task: TaskPlan, facts: GroupFacts
) -> Manifest:
    """What the task asked for of it, and no more: all of it below a folder, else the keys that its
    variables name. A key that the credential does not have is missing here, too: the pod then waits
    in Kubernetes' own words, which name it."""
    payload = facts.credentials.get(use.name, {})
    asked = payload.keys() if use.mount is not None else set(use.environment.values())
    data = {key: encoded(payload[key]) for key in sorted(asked) if key in payload}
    return of_bytes(credential_secret_name(index, task, facts), data, plan, facts)


def credential_secret_name(index: int, task: TaskPlan, facts: GroupFacts) -> str:
    """`index`: the place of the credential among the task's."""
    return f"{attempt_secret_name(task, facts)}-credential-{index}"


def masked(task: TaskPlan, facts: GroupFacts) -> list[str]:
    """What the sidecar takes out of the task's log: every secret that the pod is given."""
    found = set()
    for use in task.credentials:
        payload = facts.credentials.get(use.name, {})
        asked = payload.keys() if use.mount is not None else set(use.environment.values())
        found |= {payload[key] for key in asked & secret_keys(payload)}
    for keys in stores.config(task, facts).get("stores", {}).values():
        found |= {keys[key] for key in secret_keys(keys)}
    return sorted(found)


def of_bytes(
    name: str, data: dict[str, str], plan: GroupPlan, facts: GroupFacts, *, type: str = "Opaque"
) -> Manifest:
    """`data` in base64."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels.of_group(plan, facts)},
        "type": type,
        "data": data,
    }


def _data(file: File) -> str:
    return "".join(file.contents.split()) if file.base64 else encoded(file.contents)


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
