"""The nouns of the Kubernetes API that our operators know, and how it says no.

Apart from `kube`, because most of the operator, and every test of it, talks about objects without
the client that fetches them: importing that one takes a second.
"""

from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
"""An object as the API writes it."""


class KubeError(Exception):
    """A request that was not done, or of which nobody knows whether it was done."""


class Unreachable(KubeError):
    """No answer, or one that says "later" (429, 5xx): worth another try."""


class Throttled(Unreachable):
    """429: it was not done, and may be asked again after so many seconds."""

    def __init__(self, message: str, after: float) -> None:
        super().__init__(message)
        self.after = after


class Refused(KubeError):
    """A clear no. `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotFound(Refused):
    pass


class Conflict(Refused):
    """It exists already, or is no longer what the caller took it for."""


class Expired(Refused):
    """410: the resourceVersion, or the list to be continued, is too old."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`namespaced`: what is asked of it lies in our namespace; else in the whole cluster. `fields`:
    a field selector, where only some are ever listed. `part`: what is written apart from the rest
    of an object."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True
    fields: str = ""
    part: str = ""

    @property
    def root(self) -> str:
        group = "api" if "/" not in self.api_version else "apis"
        return f"/{group}/{self.api_version}"


POD = Kind("v1", "Pod", "pods")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
NODE_STATUS = Kind("v1", "Node", "nodes", namespaced=False, part="status")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
POD_WARNING = Kind("v1", "Event", "events", fields="involvedObject.kind=Pod,type=Warning")
"""Of a pod that starts as it should there are five events, and none of them is one of these."""

ANYBODYS_POD = Kind("v1", "Pod", "pods", namespaced=False)
"""Only ever listed: what the pods of others take of our nodes."""

CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
KAI_GROUP = Kind("scheduling.run.ai/v2alpha2", "PodGroup", "podgroups")
VOLCANO_GROUP = Kind("scheduling.volcano.sh/v1beta1", "PodGroup", "podgroups")
KAI_QUEUE = Kind("scheduling.run.ai/v2", "Queue", "queues", namespaced=False)
VOLCANO_QUEUE = Kind("scheduling.volcano.sh/v1beta1", "Queue", "queues", namespaced=False)

_OF_A_GROUP = (POD, CONFIG_MAP, SECRET, SERVICE, CLAIM, KAI_GROUP, VOLCANO_GROUP)
KINDS = {(kind.api_version, kind.name): kind for kind in _OF_A_GROUP}
"""What a group may consist of."""

SHARED = {(kind.api_version, kind.name): kind for kind in (KAI_QUEUE, VOLCANO_QUEUE)}
"""What groups need that outlives them: no group's own, and deleted by nobody here."""


@dataclass(frozen=True, slots=True)
class Page:
    items: list[Json]
    resource_version: str
    next: str | None
    """The token of the next page."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Json
