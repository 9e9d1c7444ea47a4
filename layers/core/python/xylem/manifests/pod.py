"""The pod of one attempt of a task.

    init   osmo-init   puts the wrapper where the task's container finds it
    [0]    the task's  the wrapper, which runs the user's command and spools what it prints
    [1]    osmo-ctrl   downloads inputs, waits at the barrier, ships the log, uploads outputs

An admin's template is merged onto it (`xylem.manifests.templates`), and what the task's container
may not do comes last (`xylem.manifests.security`). Differences from OSMO's pod are decided here:
the user's container has no token, no service account and no way to gain privileges (unless the
platform allows `privileged`, and the task asks for it); resources are set here, so that a pool
needs no template for them; and `nodesExcluded` excludes nodes. Like OSMO's, its command and
environment are subject to Kubernetes' own `$(NAME)`, and so `$$` in them is one `$`; what must not
change belongs into a file.
"""

import math
from datetime import timedelta
from typing import Any

from xylem.domain.ids import task_uuid
from xylem.domain.plan import GroupPlan, Resources, TaskPlan
from xylem.domain.pool import with_defaults
from xylem.manifests import (
    gang,
    labels,
    registries,
    runtime,
    scheduling,
    secrets,
    security,
    templates,
)
from xylem.manifests.facts import GroupFacts, pod_name, service_name
from xylem.manifests.names import FINALIZER, GATE, container_name
from xylem.manifests.quantities import quantity

Manifest = dict[str, Any]

GRACE_SECONDS = 30
"""Kubernetes' default, written out: the runtime plans its last upload by it."""

BACKSTOP_ROOM = timedelta(minutes=5)

GPU = "nvidia.com/gpu"

HOST_NAME = "kubernetes.io/hostname"
"""The label by which nodes are excluded. Nodes have it everywhere; their names a pod cannot exclude
more than one of."""

PREFERRED_WEIGHT = 100
"""The highest: what a user asks for goes before what the scheduler prefers by itself."""


def pod(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Manifest:
    """`task` has its tokens filled in."""
    whole = templates.merged_onto(_generated(plan, task, facts), plan, task, facts)
    return security.hardened(_with_sources(whole), container_name(task.name))


def _with_sources(pod: Manifest) -> Manifest:
    """A volume that no template said more of is empty at first, as OSMO's are: so a template may
    put `osmo-data` onto the node's own disk."""
    spec = pod["spec"]
    volumes = [{**one, "emptyDir": {}} if set(one) == {"name"} else one for one in spec["volumes"]]
    return {**pod, "spec": {**spec, "volumes": volumes}}


def _generated(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Manifest:
    queue, member, bound = gang.of_pod(facts)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(task, facts),
            "labels": {**labels.of_pod(plan, task, facts), **queue},
            "annotations": {**labels.fences(task, facts), **member},
            "finalizers": [FINALIZER],
        },
        "spec": {
            "schedulingGates": [{"name": GATE}],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "activeDeadlineSeconds": _backstop(facts),
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "hostname": task_uuid(facts.group, task.name),
            "subdomain": service_name(facts),
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [_init(facts)],
            "containers": [_task(plan, task, facts), _ctrl(facts)],
            "volumes": _volumes(task, facts),
            **registries.of_pod(task, facts),
            **_network(task),
            **_affinity(task, facts),
            **bound,
            **scheduling.of_pod(task, facts),
        },
    }


def _network(task: TaskPlan) -> Manifest:
    """In the node's network a pod asks the node's name server, which knows no Service, unless it is
    told to ask the cluster's."""
    if not task.host_network:
        return {}
    return {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}


def _affinity(task: TaskPlan, facts: GroupFacts) -> Manifest:
    """What Kubernetes' own scheduler understands. The first pod of those that belong together goes
    where it likes: a pod that selects itself may be alone."""
    affinity: Manifest = {}
    if task.resources.nodes_excluded:
        names = list(task.resources.nodes_excluded)
        excluded = {"key": HOST_NAME, "operator": "NotIn", "values": names}
        term = {"nodeSelectorTerms": [{"matchExpressions": [excluded]}]}
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": term}
    if task.resources.topology:
        affinity["podAffinity"] = _neighbours(task, facts)
    return {"affinity": affinity} if affinity else {}


def _neighbours(task: TaskPlan, facts: GroupFacts) -> Manifest:
    required, preferred = [], []
    mine = labels.topology(task)
    keys = sorted(task.resources.topology, key=lambda each: each.key)
    for (label, group), each in zip(mine.items(), keys, strict=True):
        term = {
            "topologyKey": facts.topology_labels.get(each.key, each.key),
            "labelSelector": {"matchLabels": {**labels.selector(facts), label: group}},
        }
        if each.required:
            required.append(term)
        else:
            preferred.append({"weight": PREFERRED_WEIGHT, "podAffinityTerm": term})
    return {
        **({"requiredDuringSchedulingIgnoredDuringExecution": required} if required else {}),
        **({"preferredDuringSchedulingIgnoredDuringExecution": preferred} if preferred else {}),
    }


def _backstop(facts: GroupFacts) -> int:
    """The wrapper keeps the limit of the run; this ends a pod whose wrapper cannot. It counts from
    the binding, so pulls and downloads are in it."""
    limits = facts.limits
    return math.ceil((limits.start + limits.execution + BACKSTOP_ROOM).total_seconds())


def _init(facts: GroupFacts) -> Manifest:
    return {
        "name": "osmo-init",
        "image": facts.runtime_image,
        "imagePullPolicy": facts.image_pull_policy,
        "command": [runtime.EXEC_IN_IMAGE, "install", runtime.PROGRAMS],
        "resources": _small(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [_mount("osmo-bin", runtime.PROGRAMS)],
    }


def _task(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Manifest:
    return {
        "name": container_name(task.name),
        "image": task.image,
        "imagePullPolicy": facts.image_pull_policy,
        "command": runtime.command(plan, task, facts.limits),
        "env": _environment(task, facts),
        "resources": _resources(task.resources, facts.defaults),
        **({"securityContext": {"privileged": True}} if task.privileged else {}),
        "volumeMounts": [
            _read_only("osmo-bin", runtime.PROGRAMS),
            _mount("osmo-run", runtime.RUN),
            _mount("osmo-data", runtime.DATA),
            *_file_mounts(task, facts),
            *(
                _read_only(f"credential-{index}", use.mount)
                for index, use in enumerate(task.credentials)
                if use.mount is not None
            ),
            *(
                _mount(f"node-{index}", target)
                for index, (_, target) in enumerate(_node_folders(task))
            ),
        ],
    }


def _ctrl(facts: GroupFacts) -> Manifest:
    return {
        "name": "osmo-ctrl",
        "image": facts.runtime_image,
        "imagePullPolicy": facts.image_pull_policy,
        "command": [runtime.CTRL_IN_IMAGE],
        "resources": _small(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            # The task may run as anybody and write files that only its owner reads.
            "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]},
        },
        "volumeMounts": [
            _mount("osmo-run", runtime.RUN),
            _mount("osmo-data", runtime.DATA),
            _read_only("osmo-token", runtime.TOKEN),
            _read_only("osmo-config", runtime.CONFIG),
        ],
    }


def _small() -> Manifest:
    """The runtime's own containers idle but for transfers. No limit: a sidecar that is killed for
    its memory fails the task."""
    return {"requests": {"cpu": "10m", "memory": "64Mi", "ephemeral-storage": "64Mi"}}


def _mount(volume: str, path: str) -> Manifest:
    return {"name": volume, "mountPath": path}


def _read_only(volume: str, path: str) -> Manifest:
    return {**_mount(volume, path), "readOnly": True}


def _environment(task: TaskPlan, facts: GroupFacts) -> list[Manifest]:
    gpu = facts.defaults.gpu if task.resources.gpu is None else task.resources.gpu
    # Images of CUDA ask for all GPUs of the node in their own environment; the NVIDIA runtime
    # obliges unless the pod says none. As OSMO does.
    hidden = {} if gpu else {"NVIDIA_VISIBLE_DEVICES": ""}
    secret = {
        variable: {"name": secrets.credential_secret_name(index, task, facts), "key": key}
        for index, use in enumerate(task.credentials)
        for variable, key in use.environment.items()
    }
    return [
        *(
            {"name": name, "value": value}
            for name, value in {**hidden, **task.environment}.items()
            if name not in secret
        ),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": reference}}
            for name, reference in secret.items()
        ),
    ]


def _resources(asked: Resources, defaults: Resources) -> Manifest:
    """Memory is limited to what was asked for: a task that takes more must not take it from a
    neighbour. CPU is not: what nobody uses is free to use."""
    it = with_defaults(asked, defaults)
    cpu, gpu, memory, storage = it.cpu, it.gpu, it.memory, it.storage
    gpus = {GPU: str(gpu)} if gpu else {}
    requests = {
        "cpu": str(cpu or 0),
        "memory": quantity(memory or 0),
        "ephemeral-storage": quantity(storage or 0),
        **gpus,
    }
    limits = {**({"memory": quantity(memory)} if memory else {}), **gpus}
    return {"requests": requests, "limits": limits}


def _volumes(task: TaskPlan, facts: GroupFacts) -> list[Manifest]:
    own = secrets.attempt_secret_name(task, facts)
    file_secrets = dict.fromkeys(secrets.file_secret_name(file, facts) for file in task.files)
    return [
        *({"name": name} for name in ("osmo-bin", "osmo-run", "osmo-data")),
        _secret_volume("osmo-token", own, runtime.TOKEN_FILE),
        _secret_volume("osmo-config", own, runtime.CONFIG_FILE),
        *(
            _secret_volume(f"file-{index}", secret, secrets.FILE_KEY)
            for index, secret in enumerate(file_secrets)
        ),
        *(
            {
                "name": f"credential-{index}",
                "secret": {"secretName": secrets.credential_secret_name(index, task, facts)},
            }
            for index, use in enumerate(task.credentials)
            if use.mount is not None
        ),
        *(
            {"name": f"node-{index}", "hostPath": {"path": source}}
            for index, (source, _) in enumerate(_node_folders(task))
        ),
    ]


def _node_folders(task: TaskPlan) -> list[tuple[str, str]]:
    """Where they are on the node, and where in the task's container."""
    parts = [mount.partition(":") for mount in task.volume_mounts]
    return [(source, target or source) for source, _, target in parts]


def _file_mounts(task: TaskPlan, facts: GroupFacts) -> list[Manifest]:
    names = [secrets.file_secret_name(file, facts) for file in task.files]
    volumes = {name: f"file-{index}" for index, name in enumerate(dict.fromkeys(names))}
    return [
        {**_read_only(volumes[name], secrets.mount_path(file)), "subPath": secrets.FILE_KEY}
        for name, file in zip(names, task.files, strict=True)
    ]


def _secret_volume(name: str, secret: str, key: str) -> Manifest:
    items = [{"key": key, "path": key}]
    return {"name": name, "secret": {"secretName": secret, "items": items}}
