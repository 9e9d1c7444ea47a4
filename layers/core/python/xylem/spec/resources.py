"""`resources:`: what a task asks of a node.

All units are binary, `G` as well as `Gi`: so they are with OSMO, whose workflows would otherwise
get 7 % less here.
"""

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from xylem.domain.plan import Resources, Topology
from xylem.spec.labels import is_word
from xylem.spec.model import SpecModel, fault, shown

_UNITS: Mapping[str, Fraction] = MappingProxyType(
    {
        "": Fraction(1),
        "B": Fraction(1),
        "m": Fraction(1, 1000),
        **{
            letter + suffix: Fraction(1024**power)
            for power, letter in enumerate("KMGT", start=1)
            for suffix in ("", "i", "iB")
        },
    }
)
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([A-Za-z]*)")


def _node_name(text: str) -> str:
    if not is_word(text):
        raise fault(f"{shown(text)} is no name of a node: write one as `kubectl get nodes` does.")
    return text


def _topology_group(text: str) -> str:
    if not is_word(text):
        raise fault(
            f"{shown(text)} is no name of a group: use 1 to 63 letters, digits, -, _ and ., with a "
            "letter or digit at both ends."
        )
    return text


def _each_key_once(topology: tuple["TopologySpec", ...]) -> tuple["TopologySpec", ...]:
    keys = [each.key for each in topology]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise fault(f"names the topology key {twice} more than once. Keep one of them.")
    return topology


class TopologySpec(SpecModel):
    key: Annotated[
        str, Field(min_length=1, description="A topology key of the pool, for example rack.")
    ]
    group: Annotated[
        str,
        AfterValidator(_topology_group),
        Field(description="Tasks of one group are to be near each other."),
    ] = "default"
    requirement_type: Annotated[
        Literal["required", "preferred"],
        Field(description="Whether the task waits until that can be had."),
    ] = "required"


_SIZE = {"pattern": r"^[0-9]+(\.[0-9]+)?([KMGT](i|iB)?|B|m)?$|\{\{", "examples": ["8Gi"]}


class ResourceSpec(SpecModel):
    cpu: Annotated[int | None, Field(ge=0, description="Cores. Default: the pool's.")] = None
    gpu: Annotated[int | None, Field(ge=0, description="GPUs. Default: the pool's.")] = None
    memory: Annotated[
        str | None, Field(json_schema_extra=_SIZE, description="For example 8Gi; all are binary.")
    ] = None
    storage: Annotated[
        str | None, Field(json_schema_extra=_SIZE, description="Of the node's disk, as memory.")
    ] = None
    platform: Annotated[
        str | None, Field(description="A platform of the pool. Default: the pool's own.")
    ] = None
    nodes_excluded: Annotated[
        tuple[Annotated[str, AfterValidator(_node_name)], ...],
        Field(description="Nodes that the task never runs on, by their host names."),
    ] = ()
    topology: Annotated[
        tuple[TopologySpec, ...],
        AfterValidator(_each_key_once),
        Field(description="What the tasks of a group share: a rack, a zone."),
    ] = ()

    def resources(self) -> Resources:
        """Call it when `memory` and `storage` have passed `size_in_bytes`."""
        return Resources(
            cpu=self.cpu,
            gpu=self.gpu,
            memory=None if self.memory is None else size_in_bytes(self.memory),
            storage=None if self.storage is None else size_in_bytes(self.storage),
            platform=self.platform,
            nodes_excluded=self.nodes_excluded,
            topology=tuple(
                Topology(each.key, each.group, each.requirement_type == "required")
                for each in self.topology
            ),
        )


def size_in_bytes(text: str) -> int:
    """`8Gi` -> 8589934592, part bytes rounded up. Raises `ValueError` with a sentence."""
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise ValueError(f'"{text}" is no size: write a number and a unit, for example 8Gi.')
    amount, unit = found.groups()
    if unit not in _UNITS:
        known = ", ".join(unit for unit in _UNITS if unit)
        raise ValueError(f'"{text}" has an invalid unit: {unit}. Known are {known} (all binary).')
    return math.ceil(Fraction(amount) * _UNITS[unit])
