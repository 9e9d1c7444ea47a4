"""What a test does to a node, because this machine never does it by itself.

* crashed: the power is gone. Its containers are dead, and nobody says so until it is back.
* partitioned: its containers go on, and it neither hears nor is heard.
* slow: it does everything, some seconds late.

A node that is not heard for the cluster's grace is Unknown and tainted (`node_lifecycle`), as in
Kubernetes. To drain one is no fault: `kubectl drain` asks for evictions. What is set here ends with
the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from operators.desk_cluster.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from operators.desk_cluster.objects import Json


class Kind(StrEnum):
    NONE = "none"
    CRASHED = "crashed"
    PARTITIONED = "partitioned"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind = Kind.NONE
    seconds: float = 0.0
    """How late a slow node is."""

    @property
    def silent(self) -> bool:
        return self.kind in (Kind.CRASHED, Kind.PARTITIONED)


WELL = Fault()


class Faults:
    """The fault of each node, and who is told of a new one."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self._of = dict.fromkeys(nodes, WELL)
        self._listeners: list[Callable[[str, Fault], None]] = []

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self._of)

    def of(self, node: str) -> Fault:
        return self._of.get(node, WELL)

    def tell(self, listener: Callable[[str, Fault], None]) -> None:
        self._listeners.append(listener)

    def set(self, node: str, fault: Fault) -> None:
        """Raises NotFound for a node that is none of ours."""
        if node not in self._of:
            raise NotFound(f'nodes "{node}" not found; there are {", ".join(self._of)}')
        self._of[node] = fault
        for listener in self._listeners:
            listener(node, fault)


def parse(body: Json) -> Fault:
    """Raises BadRequest."""
    try:
        kind, seconds = Kind(body.get("fault", "")), float(body.get("seconds") or 0)
    except (ValueError, TypeError, AttributeError):
        kind, seconds = Kind.NONE, -1.0
    if seconds < 0 or (kind is Kind.SLOW and not seconds):
        words = ", ".join(Kind)
        raise BadRequest(f'write {{"fault": one of {words}, "seconds": N}}, seconds for slow alone')
    return Fault(kind, seconds)
