"""The variables of an admin's pod templates for one task: OSMO's names (`xylem.spec.pod_templates`
lists them), before them what the pool and the platform set.
"""

from collections.abc import Mapping
from fractions import Fraction

from xylem.domain.ids import task_uuid
from xylem.domain.plan import GroupPlan, TaskPlan
from xylem.domain.pool import PodScheduling, with_defaults
from xylem.domain.templates import Filling
from xylem.manifests.facts import GroupFacts
from xylem.manifests.names import container_name
from xylem.manifests.quantities import UNITS, in_unit, parts, quantity
from xylem.spec.resources import size_in_bytes

CACHE_PERCENT = 90
"""Of the storage, where a task does not say how large its cache is; OSMO's."""


def of_task(
    plan: GroupPlan, task: TaskPlan, facts: GroupFacts, platform: PodScheduling
) -> Mapping[str, Filling]:
    wanted = with_defaults(task.resources, facts.defaults)
    storage = wanted.storage or 0
    return {
        **platform.variables,
        "USER_CPU": wanted.cpu or 0,
        "USER_GPU": wanted.gpu or 0,
        **_size("USER_MEMORY", wanted.memory or 0),
        **_size("USER_STORAGE", storage),
        "USER_CACHE": quantity(_cache(task.cache_size, storage)),
        "USER_CONTAINER_NAME": container_name(task.name),
        "USER_EXCLUDED_NODES": task.resources.nodes_excluded,
        **of_group(plan, facts),
        "WF_TASK_NAME": task.name,
        "WF_TASK_UUID": task_uuid(facts.group, task.name),
        "WF_RETRY_ID": facts.retries[task.name],
        "WF_LEAD_CONTAINER": task.lead,
        "WF_PLATFORM": task.resources.platform or facts.default_platform or "",
        "WF_PRIORITY": facts.priority,
    }


def of_group(plan: GroupPlan, facts: GroupFacts) -> Mapping[str, Filling]:
    return {
        "WF_ID": facts.workflow,
        "WF_UUID": facts.workflow_uuid,
        "WF_GROUP_NAME": plan.name,
        "WF_GROUP_UUID": facts.group,
        "WF_SUBMITTED_BY": facts.user,
        "WF_POOL": facts.pool,
    }


def _size(name: str, size: int) -> Mapping[str, Filling]:
    number, unit = parts(size)
    return {
        name: quantity(size),
        f"{name}_VAL": number,
        f"{name}_UNIT": unit or "B",
        f"{name}_B": size,
        **{f"{name}_{unit}": in_unit(size, unit) for unit in UNITS},
    }


def _cache(asked: str | None, storage: int) -> int:
    text = asked or f"{CACHE_PERCENT}%"
    if text.endswith("%"):
        return int(Fraction(text[:-1]) * storage / 100)
    return size_in_bytes(text)
