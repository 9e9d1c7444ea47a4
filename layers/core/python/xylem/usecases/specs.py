"""What is stored of a workflow's spec: one object, written before the workflow exists, never
changed.

It holds the plan, which the Worker renders and the Logger checks inputs against, and the texts
that people ask for. The key is made of the workflow's uuid, so a submission that failed half way
leaves an object that nothing names.
"""

from collections.abc import Mapping
from functools import cache

from pydantic import TypeAdapter
from pydantic_core import to_json

from xylem.domain.ids import WorkflowUuid
from xylem.domain.plan import WorkflowPlan
from xylem.domain.pool import DEFAULT_SCHEDULER, GpuQuota, PodScheduling, Scheduler
from xylem.domain.templates import Template, Value
from xylem.domain.values import dataclass, field


@dataclass(frozen=True, slots=True)
class SpecFile:
    """`rendered`: the spec after template and defaults. `template`: what was written, if it
    differs. `scheduling`: of the platforms of the pool, by name. `topology_labels`: of its topology
    keys. `group_objects`: what its group templates come to, with `variables` of its own. `quota`:
    its own; `scheduler`: its backend's."""

    plan: WorkflowPlan
    rendered: str
    template: str | None = None
    scheduling: Mapping[str, PodScheduling] = field(default_factory=dict)
    topology_labels: Mapping[str, str] = field(default_factory=dict)
    scheduler: Scheduler = DEFAULT_SCHEDULER
    quota: GpuQuota = GpuQuota()
    group_objects: tuple[Template, ...] = ()
    variables: Mapping[str, Value] = field(default_factory=dict)

    def dump(self) -> bytes:
        return to_json(self)

    @staticmethod
    def load(body: bytes) -> "SpecFile":
        """Raises `pydantic.ValidationError` for what we did not write."""
        return _file().validate_json(body)


def spec_key(uuid: WorkflowUuid) -> str:
    return f"specs/{uuid}.json"


@cache
def _file() -> TypeAdapter[SpecFile]:
    return TypeAdapter(SpecFile)
