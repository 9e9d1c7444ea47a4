"""What is noted about the nodes of a cluster: the same rule over every kind of store.

An operator says all of its nodes with every inventory; most of them did not change, and are not
written. A frame that was overtaken by a newer one of the same boot changes nothing that the newer
one said. Frames of two boots are not ordered: for ten minutes at most the older one's word may
stand, until the next inventory. These are hints; nothing is started or ended by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xylem.domain.ids import BackendName, PoolName
from xylem.domain.node import Amounts, Node, Taint, Use
from xylem.domain.values import dataclass
from xylem.ports.backends import NodeFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xylem.protocol.agent import NodeAmounts, NodeObservation
    from xylem.protocol.queues import NodesOf


@dataclass(frozen=True, slots=True)
class Noted:
    """A node as it is stored, and the frame that said so."""

    node: Node
    boot_id: str
    number: int


def noting(known: Mapping[str, Noted], facts: NodeFacts) -> tuple[list[Node], list[str]]:
    """What is to be written, and the names of what is to be taken away, given what is known of the
    nodes that the facts are about. What is not in `known` is written."""

    def is_newer(noted: Noted) -> bool:
        return noted.boot_id == facts.boot_id and noted.number >= facts.number

    puts = [
        node
        for node in facts.nodes
        if (noted := known.get(node.name)) is None or (noted.node != node and not is_newer(noted))
    ]
    there = {node.name for node in facts.nodes}
    gone = set(facts.gone)
    if facts.whole is not None:
        first, last = facts.whole
        gone |= {name for name in known if first <= name <= last}
    missing = [name for name in sorted(gone - there) if name in known]
    return puts, [name for name in missing if not is_newer(known[name])]


def facts_of(message: NodesOf) -> NodeFacts:
    said = message.nodes
    return NodeFacts(
        backend=message.backend,
        boot_id=said.boot_id,
        number=said.number,
        nodes=tuple(_node(message.backend, one) for one in said.nodes),
        gone=tuple(said.gone),
        whole=said.whole,
    )


def _node(backend: BackendName, seen: NodeObservation) -> Node:
    return Node(
        name=seen.name,
        backend=backend,
        allocatable=_amounts(seen.allocatable),
        uses=tuple(
            Use(PoolName(use.pool), use.priority, use.pods, _amounts(use.amounts))
            for use in seen.uses
        ),
        others=_amounts(seen.others),
        ready=seen.ready,
        cordoned=seen.cordoned,
        labels=seen.labels,
        taints=tuple(Taint(one.key, one.effect, one.value) for one in seen.taints),
        capacity=None if seen.capacity is None else _amounts(seen.capacity),
        conditions={one.type: one.status for one in seen.conditions},
    )


def _amounts(seen: NodeAmounts) -> Amounts:
    return Amounts(cpu=seen.cpu, gpu=seen.gpu, memory=seen.memory, storage=seen.storage)
