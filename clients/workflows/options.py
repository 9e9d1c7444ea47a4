"""What may be said of a task, in the words of the YAML; editors complete them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict


@dataclass(frozen=True, slots=True)
class Resources:
    """What a task asks of a node. `name`: in the workflow's `resources`; without one, that of the
    first task that has them. `topology` is as in YAML."""

    cpu: int | None = None
    gpu: int | None = None
    memory: str | None = None
    storage: str | None = None
    platform: str | None = None
    nodes_excluded: tuple[str, ...] = ()
    topology: tuple[Mapping[str, str], ...] = ()
    name: str | None = None

    def spec(self) -> dict[str, Any]:
        said = {
            "cpu": self.cpu,
            "gpu": self.gpu,
            "memory": self.memory,
            "storage": self.storage,
            "platform": self.platform,
            "nodesExcluded": list(self.nodes_excluded) or None,
            "topology": [dict(one) for one in self.topology] or None,
        }
        return {key: value for key, value in said.items() if value is not None}


class Options(TypedDict, total=False):
    name: str
    """In the workflow; that of the function unless told, with a number from the second on."""
    image: str
    resources: Resources
    environment: Mapping[str, str]
    files: Mapping[str, str]
    """Path in the container, and the text that is put there."""
    inputs: Sequence[Mapping[str, Any]]
    """URLs and datasets, as in YAML; tasks that it reads from are found by themselves."""
    outputs: Sequence[str | Mapping[str, Any]]
    """Where a copy of its output goes: a URL, or as in YAML."""
    credentials: Mapping[str, Any]
    after: Sequence[Any]
    """Results of tasks that it waits for without reading them."""
    lead: bool
    """Its end is the end of its group. The first task of a group leads unless another is told."""
    retry_on: str
    """Exit codes after which it is tried again: `1-255`, as often as the service is set to."""
    spec: Mapping[str, Any]
    """Any other key of a task, as in YAML: `checkpoint`, `kpis`, `exitActions`, ..."""
