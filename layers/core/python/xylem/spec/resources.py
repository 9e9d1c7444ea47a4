"""`resources:`: what a task asks of a node.

All units are binary, `G` as well as `Gi`: so they are with OSMO, whose workflows would otherwise
get 7 % less here.
"""

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from xylem.domain.errors import InvalidSpec
from xylem.domain.plan import Resources, WorkflowPlan
from xylem.domain.pool import Pool
from xylem.spec.model import SpecModel
from xylem.spec.unsupported import NotYet

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


class ResourceSpec(SpecModel):
    cpu: Annotated[int, Field(ge=0)] | None = None
    gpu: Annotated[int, Field(ge=0)] | None = None
    memory: str | None = None
    storage: str | None = None
    platform: str | None = None
    nodes_excluded: NotYet = None
    topology: NotYet = None

    def resources(self) -> Resources:
        """Call it when `memory` and `storage` have passed `size_in_bytes`."""
        return Resources(
            cpu=self.cpu,
            gpu=self.gpu,
            memory=None if self.memory is None else size_in_bytes(self.memory),
            storage=None if self.storage is None else size_in_bytes(self.storage),
            platform=self.platform,
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


def check_pool(plan: WorkflowPlan, pool: Pool) -> None:
    """Every task has a platform in the pool. Raises `InvalidSpec`."""
    wanted = {
        task.resources.platform or pool.default_platform
        for group in plan.groups
        for task in group.tasks
    }
    has = ", ".join(sorted(pool.platforms)) or "none"
    if None in wanted:
        raise InvalidSpec(
            f"Pool {pool.name} has no default platform.\n"
            f"Name one of its platforms ({has}) as platform under workflow.resources.",
            code="RESOURCE",
        )
    unknown = sorted(name for name in wanted if name is not None and name not in pool.platforms)
    if unknown:
        sentences = [f"Platform {name} does not exist in pool {pool.name}!" for name in unknown]
        raise InvalidSpec("\n".join([*sentences, f"Its platforms: {has}."]), code="RESOURCE")
