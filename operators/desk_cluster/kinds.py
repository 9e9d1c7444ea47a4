"""The kinds of objects that the desk cluster keeps: one row each, and nothing else knows their
names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    has_status: bool = False
    in_all: bool = False

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """How error messages name it: `leases.coordination.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


PODS = Kind("pods", "Pod", short=("po",), has_status=True, in_all=True)
SERVICES = Kind("services", "Service", short=("svc",), has_status=True, in_all=True)
SECRETS = Kind("secrets", "Secret")
CONFIG_MAPS = Kind("configmaps", "ConfigMap", short=("cm",))
EVENTS = Kind("events", "Event", short=("ev",))
SERVICE_ACCOUNTS = Kind("serviceaccounts", "ServiceAccount", short=("sa",))
CLAIMS = Kind("persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",), has_status=True)
NODES = Kind("nodes", "Node", namespaced=False, short=("no",), has_status=True)
NAMESPACES = Kind("namespaces", "Namespace", namespaced=False, short=("ns",), has_status=True)
BUDGETS = Kind("poddisruptionbudgets", "PodDisruptionBudget", group="policy", short=("pdb",))
LEASES = Kind("leases", "Lease", group="coordination.k8s.io")

VOLCANO = "scheduling.volcano.sh"
POD_GROUPS = Kind("podgroups", "PodGroup", group=VOLCANO, version="v1beta1", short=("pg",))
QUEUES = Kind("queues", "Queue", group=VOLCANO, version="v1beta1", namespaced=False, short=("q",))
"""As if Volcano's definitions were installed: they are kept, and nobody schedules by them."""

KINDS: tuple[Kind, ...] = (
    PODS,
    SERVICES,
    SECRETS,
    CONFIG_MAPS,
    EVENTS,
    SERVICE_ACCOUNTS,
    CLAIMS,
    NODES,
    NAMESPACES,
    LEASES,
    BUDGETS,
    POD_GROUPS,
    QUEUES,
)

BY_PLURAL = {kind.plural: kind for kind in KINDS}
BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}
GROUPS = tuple(dict.fromkeys((kind.group, kind.version) for kind in KINDS))
