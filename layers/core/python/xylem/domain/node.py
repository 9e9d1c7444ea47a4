"""A node of a cluster: what it has, what is taken, and who may use it.

Facts about nodes are hints: the operator says them when they change and again with every inventory,
and what they say may be a minute old. They choose a pool, refuse what no node will ever hold and
explain why something waits. They start and end nothing: that is the scheduler's, in the cluster.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from xylem.domain.ids import BackendName, PoolName
from xylem.domain.values import dataclass, field

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
Resource = Literal["gpu", "cpu", "memory", "storage"]

RESOURCES: tuple[Resource, ...] = ("gpu", "cpu", "memory", "storage")
"""In the order in which they are scarce, and so in which a sentence names them."""

CORE = 1000

HOST_NAME = "kubernetes.io/hostname"
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Amounts:
    """`cpu` in thousandths of a core, `memory` and `storage` in bytes."""

    cpu: int = 0
    gpu: int = 0
    memory: int = 0
    storage: int = 0

    def of(self, resource: Resource) -> int:
        amount: int = getattr(self, resource)
        return amount

    def plus(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.cpu + other.cpu,
            self.gpu + other.gpu,
            self.memory + other.memory,
            self.storage + other.storage,
        )

    def minus(self, other: "Amounts") -> "Amounts":
        """Nothing below 0: a node may be told late that it is full."""
        return Amounts(
            max(self.cpu - other.cpu, 0),
            max(self.gpu - other.gpu, 0),
            max(self.memory - other.memory, 0),
            max(self.storage - other.storage, 0),
        )

    def covers(self, wanted: "Amounts") -> bool:
        return (
            self.gpu >= wanted.gpu
            and self.cpu >= wanted.cpu
            and self.memory >= wanted.memory
            and self.storage >= wanted.storage
        )

    def lacking(self, wanted: "Amounts") -> tuple[Resource, ...]:
        """Of which resources this is less than `wanted`."""
        return tuple(one for one in RESOURCES if self.of(one) < wanted.of(one))


def total(amounts: Iterable[Amounts]) -> Amounts:
    sum_ = Amounts()
    for one in amounts:
        sum_ = sum_.plus(one)
    return sum_


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    effect: Effect
    value: str = ""

    def __str__(self) -> str:
        return f"{self.key}{f'={self.value}' if self.value else ''}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Toleration:
    """As Kubernetes has it: without a key every taint, without an effect every effect."""

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Effect | None = None
    seconds: int | None = None

    def tolerates(self, taint: Taint) -> bool:
        if self.effect is not None and self.effect != taint.effect:
            return False
        if not self.key:
            return self.operator == "Exists"
        if self.key != taint.key:
            return False
        return self.operator == "Exists" or self.value == taint.value

    @property
    def manifest(self) -> dict[str, str | int]:
        """As Kubernetes reads it, without what it does not say."""
        said = {
            "key": self.key or None,
            "operator": self.operator,
            "value": self.value or None,
            "effect": self.effect,
            "tolerationSeconds": self.seconds,
        }
        return {key: value for key, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Use:
    """What the pods of one pool and priority ask for on a node."""

    pool: PoolName
    priority: str
    pods: int
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Node:
    """`uses`: of our pods, by pool and priority; `others`: of everybody else's, together. `ready`
    is the kubelet's word, `cordoned` an admin's. `capacity`: with what its system keeps to
    itself. `conditions`: their statuses by their types.
    `unfit`: what else keeps it from use, once its backend's rules were asked
    (`xylem.domain.node_conditions`)."""

    name: str
    backend: BackendName
    allocatable: Amounts = Amounts()
    uses: tuple[Use, ...] = ()
    others: Amounts = Amounts()
    ready: bool = True
    cordoned: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    capacity: Amounts | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)
    unfit: tuple[str, ...] = ()

    @property
    def host_name(self) -> str:
        """By which specs exclude it."""
        return self.labels.get(HOST_NAME, self.name)

    @property
    def available(self) -> bool:
        return self.ready and not self.cordoned and not self.unfit

    @property
    def used(self) -> Amounts:
        return total(use.amounts for use in self.uses)

    @property
    def free(self) -> Amounts:
        return self.allocatable.minus(self.used).minus(self.others)


def written(resource: Resource, amount: int) -> str:
    """As a person says it: `8 GPUs`, `1.5 CPUs`, `64 GiB of memory`."""
    match resource:
        case "gpu":
            return f"{amount} GPU{'' if amount == 1 else 's'}"
        case "cpu":
            cores = f"{amount / CORE:g}"
            return f"{cores} CPU{'' if cores == '1' else 's'}"
        case "memory" | "storage":
            return f"{_size(amount)} of {resource}"


def _size(amount: int) -> str:
    if amount >= _GIB or amount == 0:
        return f"{round(amount / _GIB, 1):g} GiB"
    return f"{amount / 1024**2:.4g} MiB"
