"""The logins with which the kubelet pulls a pod's images: the task's, and the Task Runtime's.

Each is a Secret of the attempt's own, as every credential is, and named in the pod's
`imagePullSecrets`: no container sees it. They are two, because two logins at one registry do not
fit into one (users pull theirs, and the runtime is the admin's); the kubelet tries both.

A pod that names any is not given those of its service account
(https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#serviceaccount).
"""

import json
from collections.abc import Mapping
from typing import Any

from xylem.domain.credential import DOCKER_HUB, lies_in
from xylem.domain.plan import GroupPlan, TaskPlan
from xylem.manifests.facts import GroupFacts
from xylem.manifests.secrets import attempt_secret_name, encoded, of_bytes

Manifest = dict[str, Any]

TYPE = "kubernetes.io/dockerconfigjson"
KEY = ".dockerconfigjson"
"""https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets"""

HUB_KEY = "https://index.docker.io/v1/"
"""By which the kubelet looks for Docker Hub's: `kubectl create secret docker-registry` has it for
its --docker-server."""


def of_attempt(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> list[Manifest]:
    return [
        of_bytes(name, {KEY: encoded(_config(login))}, plan, facts, type=TYPE)
        for name, login in _logins(task, facts).items()
    ]


def of_pod(task: TaskPlan, facts: GroupFacts) -> Manifest:
    names = [{"name": name} for name in _logins(task, facts)]
    return {"imagePullSecrets": names} if names else {}


def _logins(task: TaskPlan, facts: GroupFacts) -> dict[str, Mapping[str, str]]:
    """By the names of their Secrets. `task` has its tokens filled in."""
    fitting = [profile for profile in facts.registries if lies_in(task.image, profile)]
    login = facts.registries[max(fitting, key=len)] if fitting else {}
    own = attempt_secret_name(task, facts)
    found = {f"{own}-registry": login, f"{own}-runtime-registry": facts.runtime_registry}
    return {name: login for name, login in found.items() if login}


def _config(login: Mapping[str, str]) -> str:
    user, password = login["username"], login["auth"]
    entry = {"username": user, "password": password, "auth": encoded(f"{user}:{password}")}
    return json.dumps({"auths": {_server(login["registry"]): entry}})


def _server(profile: str) -> str:
    host, slash, folder = profile.partition("/")
    if host != DOCKER_HUB:
        return profile
    return f"docker.io{slash}{folder}" if folder else HUB_KEY
