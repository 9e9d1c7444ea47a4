"""A cluster with KAI: pods are bound by queues, as the objects say that a create carries.

Of KAI's rules those that quotas rest on (the pages on fairness and on priority in
github.com/NVIDIA/KAI-Scheduler):

* A queue gets its `quota` first; what nobody wants goes to those over it, by `overQuotaWeight`, up
  to their `limit`. Without any it is -1.
* Work whose class is 100 or more is not preempted, and stays within the quota.
* A queue that is below its quota takes back what another has above its own, from that one's
  preemptible work, the newest first; none falls below its quota by it.

A gang is bound as a whole. Nodes are one heap of GPUs: which of them is not what this is about.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.stories.world import World
from xylem.domain.ids import WorkflowId
from xylem.manifests import names
from xylem.manifests.gang import GPU, GROUP_OF_KAI_POD

PREEMPTIBLE = {"osmo-low"}
"""The classes of the chart that are below 100: `tests/unit/operators/test_chart.py` holds it so."""

NO_BOUND = -1


@dataclass
class Queue:
    quota: int
    limit: int
    weight: int


@dataclass
class Gang:
    """`at`: when it was made, counted."""

    at: int
    queue: str
    preemptible: bool
    least: int
    pods: dict[str, int] = field(default_factory=dict)
    """GPUs by task."""
    bound: bool = False
    workflow: WorkflowId = WorkflowId("")

    @property
    def gpus(self) -> int:
        return sum(self.pods.values())


class Kai:
    def __init__(self, world: World, gpus: int) -> None:
        self._world = world
        self._gpus = gpus
        self._queues: dict[str, Queue] = {}
        self._gangs: dict[str, Gang] = {}
        self._made = 0
        self.preempted: list[tuple[WorkflowId, bool]] = []
        """Whose pods, and whether they were preemptible."""

    def works(self) -> None:
        """Until nothing changes any more."""
        self._takes()
        while self._binds() or self._reclaims():
            self._takes()

    def ends(self, workflow: WorkflowId) -> None:
        [gang] = [one for one in self._gangs.values() if one.workflow == workflow]
        for task in list(gang.pods):
            self._world.exit(workflow, task, 0)
        self._takes()

    def taken(self, pool: str, *, preemptible: bool | None = None) -> int:
        """GPUs of what runs there."""
        return sum(
            one.gpus
            for one in self._gangs.values()
            if one.bound
            and one.queue.endswith(f"-{pool}")
            and preemptible in (None, one.preemptible)
        )

    def _takes(self) -> None:
        """What was pushed to it: gangs are made, and go with their cleanup."""
        world = self._world
        world.settle()
        while world.cluster.jobs:
            for job in world.cluster.jobs:
                if job.kind == "create":
                    self._makes(world.objects(job))
                elif job.kind == "cleanup":
                    prefix = job.job_id.partition("#")[0] + "-"
                    for name in [name for name in self._gangs if name.startswith(prefix)]:
                        del self._gangs[name]
            world.answer()
            world.settle()

    def _makes(self, objects: list[dict[str, Any]]) -> None:
        for one in objects:
            spec, name = one.get("spec", {}), one["metadata"]["name"]
            if one["kind"] == "Queue":
                gpu = spec["resources"]["gpu"]
                self._queues[name] = Queue(gpu["quota"], gpu["limit"], gpu["overQuotaWeight"])
            elif one["kind"] == "PodGroup" and name not in self._gangs:
                self._made += 1
                preemptible = spec["priorityClassName"] in PREEMPTIBLE
                self._gangs[name] = Gang(self._made, spec["queue"], preemptible, spec["minMember"])
        for pod in (one for one in objects if one["kind"] == "Pod"):
            said = pod["metadata"]["annotations"]
            gang = self._gangs[said[GROUP_OF_KAI_POD]]
            requests = pod["spec"]["containers"][0]["resources"]["requests"]
            gang.pods[said[names.TASK]] = int(requests.get(GPU, 0))
            gang.workflow = WorkflowId(said[names.WORKFLOW])

    def _binds(self) -> bool:
        """The first that may; whose queue has the least of what is its own goes first."""
        waiting = [one for one in self._gangs.values() if not one.bound and self._is_whole(one)]
        for gang in sorted(waiting, key=self._turn):
            if gang.gpus <= self._free() and self._may(gang):
                gang.bound = True
                self._world.up(gang.workflow, *gang.pods)
                return True
        return False

    def _reclaims(self) -> bool:
        for gang in sorted(self._gangs.values(), key=self._turn):
            if gang.bound or not self._is_whole(gang) or not self._is_due(gang):
                continue
            victims = self._victims(gang)
            for victim in victims:
                self._preempts(victim)
            if victims:
                return True
        return False

    def _victims(self, gang: Gang) -> list[Gang]:
        """Enough for this one, or none."""
        free, found = self._free(), list[Gang]()
        above = {name: self._of(name) - queue.quota for name, queue in self._queues.items()}
        for one in sorted(self._gangs.values(), key=lambda one: -one.at):
            if free >= gang.gpus:
                break
            others = one.queue != gang.queue and above[one.queue] >= one.gpus
            own = one.queue == gang.queue and not gang.preemptible
            if one.bound and one.preemptible and (others or own):
                found.append(one)
                free += one.gpus
                above[one.queue] -= one.gpus
        return found if free >= gang.gpus else []

    def _preempts(self, victim: Gang) -> None:
        victim.bound = False
        tasks, victim.pods = list(victim.pods), {}
        for task in tasks:
            self.preempted.append((victim.workflow, victim.preemptible))
            self._world.pod(victim.workflow, task, "FAILED_PREEMPTED", 3006, disrupted=True)

    def _is_whole(self, gang: Gang) -> bool:
        return len(gang.pods) >= gang.least

    def _is_due(self, gang: Gang) -> bool:
        """Whether it is within what its queue has for sure."""
        quota = self._queues[gang.queue].quota
        taken = self._of(gang.queue, preemptible=None if gang.preemptible else False)
        return quota == NO_BOUND or taken + gang.gpus <= quota

    def _may(self, gang: Gang) -> bool:
        limit = self._queues[gang.queue].limit
        if limit != NO_BOUND and self._of(gang.queue) + gang.gpus > limit:
            return False
        return gang.preemptible or self._is_due(gang)

    def _turn(self, gang: Gang) -> tuple[bool, float, bool, int]:
        queue = self._queues[gang.queue]
        taken = self._of(gang.queue)
        over = taken - queue.quota
        share = taken / max(queue.quota, 1) if over < 0 else over / max(queue.weight, 1)
        return over >= 0, share, gang.preemptible, gang.at

    def _free(self) -> int:
        return self._gpus - sum(one.gpus for one in self._gangs.values() if one.bound)

    def _of(self, queue: str, *, preemptible: bool | None = None) -> int:
        return sum(
            one.gpus
            for one in self._gangs.values()
            if one.bound and one.queue == queue and preemptible in (None, one.preemptible)
        )
