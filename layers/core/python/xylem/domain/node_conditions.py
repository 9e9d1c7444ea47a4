"""Which conditions of a node let it be used: an admin's rules of a backend, as OSMO has them.

A node's conditions are what its kubelet and others say of it: a backend test among them, with a
condition of its own. A rule is two regular expressions: of types, from their beginning on, and of
statuses, whole. A condition whose type some rule is for has to have a status that one of these
permits; what no rule is for is passed over, so a node that was never tested is used. Where no rule
is for `Ready`, it has to be True.

They are asked when nodes are read, not when they are noted: rules that were changed hold at once,
and no operator has to be told of them. A pod that runs on a node that becomes unfit runs on, and
the cluster's scheduler knows nothing of our rules: who wants a node kept free of pods taints it.
"""

import re
from collections.abc import Iterable, Mapping

from xylem.domain.node import Node
from xylem.domain.values import dataclass, field, replace

READY = "Ready"
STATUSES = ("True", "False", "Unknown")
"""Of a condition, whatever its type: kubernetes.io/docs/reference/node/node-status."""

Told = tuple[str, str]
"""A condition: its type and its status."""


@dataclass(frozen=True, slots=True)
class NodeConditions:
    """`rules`: of types, and for each of its statuses. `prefix`: what the types of conditions begin
    with that tests of the backend set."""

    rules: Mapping[str, str] = field(default_factory=lambda: {READY: "True"})
    prefix: str = "osmo.nvidia.com/"

    def permit(self, condition: Told) -> bool:
        type_, status = condition
        of_type = [permitted for rule, permitted in self.rules.items() if re.match(rule, type_)]
        if not of_type:
            return type_ != READY or status == "True"
        return any(re.fullmatch(permitted, status) for permitted in of_type)


DEFAULT_CONDITIONS = NodeConditions()


def judged(nodes: Iterable[Node], rules: NodeConditions) -> tuple[Node, ...]:
    """As the rules have them: `ready`, and what else makes them `unfit`. Thousands of nodes say the
    same few things, and each of these is looked up once."""
    told = [(node, _told(node)) for node in nodes]
    different = set().union(*(conditions for _, conditions in told))
    bad = {one for one in different if not rules.permit(one)}
    return tuple(_judged(node, conditions & bad) for node, conditions in told)


def _told(node: Node) -> set[Told]:
    """Operators that say no conditions say whether the node is ready."""
    if READY in node.conditions:
        return set(node.conditions.items())
    return {(READY, str(node.ready)), *node.conditions.items()}


def _judged(node: Node, bad: set[Told]) -> Node:
    unfit = tuple(f"{type_} is {status}" for type_, status in sorted(bad) if type_ != READY)
    ready = all(type_ != READY for type_, _ in bad)
    if node.ready == ready and node.unfit == unfit:
        return node
    return replace(node, ready=ready, unfit=unfit)
