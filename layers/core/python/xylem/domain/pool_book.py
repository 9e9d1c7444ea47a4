"""All that admins configure of where pods run, and what it comes to together.

    pools ──name──▶ pod templates, group templates, resource validations
      └───lies on─▶ backends: their schedulers ──name──▶ backend tests ──name──▶ pod templates

A pool is kept as it was put, with names; whoever places or renders works with `resolved` ones, in
which the names were looked up. So a template that is changed is changed for every pool that names
it, from the next submission on. (OSMO writes what a template comes to into each pool's row, and all
rows again with each change of a template; one row of 400 KB would not hold that, and two could
disagree.)

What is named is there: nothing is put that names what is not, and nothing is deleted that is
named.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, get_args

from xylem.domain.backend_test import BackendTest
from xylem.domain.errors import UnknownPool
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.node import RESOURCES, Amounts, Effect, Resource, Toleration
from xylem.domain.node_conditions import DEFAULT_CONDITIONS, NodeConditions
from xylem.domain.pool import (
    DEFAULT_SCHEDULER,
    SIDECAR,
    Assertion,
    Comparison,
    Platform,
    Pool,
    Scheduler,
)
from xylem.domain.quantities import in_units
from xylem.domain.templates import Template, filled, is_fixed, merged, variables
from xylem.domain.values import dataclass, field, replace

USER_CONTAINER = "{{USER_CONTAINER_NAME}}"
"""How a template names the container of the task."""

CTRL_CONTAINER = "osmo-ctrl"
INIT_CONTAINER = "osmo-init"


def _no_more_than_a_node(comparison: Comparison, resource: str, noun: str) -> tuple[Assertion, ...]:
    wants, has = f"{{{{USER_{resource}}}}}", f"{{{{K8_{resource}}}}}"
    return (Assertion(comparison, wants, has, f"Value {wants} too high for {noun}"),)


SHIPPED_VALIDATIONS: Mapping[str, tuple[Assertion, ...]] = MappingProxyType(
    {
        "default_cpu": _no_more_than_a_node("LE", "CPU", "CPU"),
        "default_memory": _no_more_than_a_node("LE", "MEMORY", "memory"),
        "default_storage": _no_more_than_a_node("LT", "STORAGE", "storage"),
    }
)
"""OSMO's, under its names."""


def _resources_of(container: str, requests: Template, limits: Template) -> Template:
    resources = {"limits": limits, "requests": requests}
    return {"spec": {"containers": [{"name": container, "resources": resources}]}}


_OF_THE_TASK = {
    "cpu": "{{USER_CPU}}",
    "memory": "{{USER_MEMORY}}",
    "nvidia.com/gpu": "{{USER_GPU}}",
    "ephemeral-storage": "{{USER_STORAGE}}",
}

SHIPPED_TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "default_ctrl": _resources_of(
            CTRL_CONTAINER,
            {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
            {key: one for key, one in _OF_THE_TASK.items() if key != "nvidia.com/gpu"},
        ),
        "default_user": _resources_of(USER_CONTAINER, _OF_THE_TASK, _OF_THE_TASK),
    }
)
"""OSMO's, word for word as `GET /api/configs/pod_template` answers of a new installation."""


@dataclass(frozen=True, slots=True)
class BackendConfig:
    """What an admin says of a cluster. `text` are OSMO's fields for people: a description, and
    where its dashboards are. `tests`: the names of those that its operator has to make."""

    scheduler: Scheduler = DEFAULT_SCHEDULER
    texts: Mapping[str, str] = field(default_factory=dict)
    node_conditions: NodeConditions = DEFAULT_CONDITIONS
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolBook:
    pools: Mapping[PoolName, Pool] = field(default_factory=dict)
    pod_templates: Mapping[str, Template] = field(default_factory=lambda: SHIPPED_TEMPLATES)
    resource_validations: Mapping[str, tuple[Assertion, ...]] = field(
        default_factory=lambda: SHIPPED_VALIDATIONS
    )
    group_templates: Mapping[str, Template] = field(default_factory=dict)
    backends: Mapping[BackendName, BackendConfig] = field(default_factory=dict)
    backend_tests: Mapping[str, BackendTest] = field(default_factory=dict)

    def resolved(self) -> list[Pool]:
        return [resolved(self.pools[name], self) for name in sorted(self.pools)]

    def naming_template(self, name: str) -> list[PoolName]:
        """The pools that name it, themselves or in a platform."""
        return sorted(
            pool.name
            for pool in self.pools.values()
            if any(name in one.pod_templates for one in _parts(pool))
        )

    def naming_group_template(self, name: str) -> list[PoolName]:
        return sorted(one.name for one in self.pools.values() if name in one.group_templates)

    def naming_validation(self, name: str) -> list[PoolName]:
        return sorted(
            pool.name
            for pool in self.pools.values()
            if any(name in one.resource_validations for one in _parts(pool))
        )

    def tests_naming_template(self, name: str) -> list[str]:
        return sorted(key for key, test in self.backend_tests.items() if name in test.pod_templates)

    def naming_test(self, name: str) -> list[BackendName]:
        return sorted(key for key, backend in self.backends.items() if name in backend.tests)


def _parts(pool: Pool) -> Sequence[Pool | Platform]:
    return (pool, *pool.platforms.values())


def with_pool(pool: Pool, book: PoolBook) -> PoolBook:
    return replace(book, pools={**book.pools, pool.name: pool})


# What names come to -----------------------------------------------------------------------------


def found(name: str, book: PoolBook) -> Pool:
    """Raises `UnknownPool`."""
    pool = book.pools.get(PoolName(name))
    if pool is None:
        raise UnknownPool(f"Pool {name} not found.")
    return resolved(pool, book)


def resolved(pool: Pool, book: PoolBook) -> Pool:
    """With what its templates, validations and backend say. What is not there says nothing."""
    known = book.backends.get(pool.backend, BackendConfig())
    return replace(
        pool,
        platforms={name: _resolved(one, pool, book) for name, one in pool.platforms.items()},
        assertions=_assertions(pool, book),
        group_objects=_group_objects(pool, book),
        scheduler=known.scheduler,
        node_conditions=known.node_conditions,
    )


def _resolved(platform: Platform, pool: Pool, book: PoolBook) -> Platform:
    """Where its pods go is also what its templates say of it, as with OSMO; what the platform says
    itself stands before them."""
    template = template_of(platform, pool, book)
    spec = _dictionary(template.get("spec"))
    selected = _dictionary(spec.get("nodeSelector"))
    tolerated = [one for one in map(_toleration, _list(spec.get("tolerations"))) if one]
    return replace(
        platform,
        template=template,
        labels={**{key: one for key, one in selected.items() if is_fixed(one)}, **platform.labels},
        tolerations=tuple(dict.fromkeys((*platform.tolerations, *tolerated))),
        default_mounts=tuple(dict.fromkeys((*platform.default_mounts, *_folders(spec)))),
        assertions=_assertions(platform, book),
        beside=_beside(spec),
    )


def template_of(platform: Platform, pool: Pool, book: PoolBook) -> Template:
    """The pool's templates in their order, then the platform's."""
    return _merged((*pool.pod_templates, *platform.pod_templates), book)


def _group_objects(pool: Pool, book: PoolBook) -> tuple[Template, ...]:
    """In the order of their names; several that say the same object are merged, as with OSMO."""
    objects: dict[tuple[str, ...], Template] = {}
    for name in pool.group_templates:
        template = book.group_templates.get(name)
        if template is not None:
            key = (template["apiVersion"], template["kind"], template["metadata"]["name"])
            objects[key] = merged(objects.get(key, {}), template)
    return tuple(objects.values())


def pod_of_test(name: str, book: PoolBook) -> Template:
    """What a backend test's templates come to. It has no task: what has only a task's variable as
    its value is left out, and the task's container is the test's own."""
    template = _merged(book.backend_tests[name].pod_templates, book)
    nothing = dict.fromkeys(variables(template))
    whole: Template = filled(template, {**nothing, "USER_CONTAINER_NAME": name})
    return whole


def _merged(names: Sequence[str], book: PoolBook) -> Template:
    templates = (book.pod_templates.get(name, {}) for name in names)
    whole: Template = reduce(merged, templates, {})
    return whole


def _assertions(one: Pool | Platform, book: PoolBook) -> tuple[Assertion, ...]:
    """What came with a config as OSMO derived it holds the conditions of every name."""
    if one.assertions:
        return one.assertions
    found = (book.resource_validations.get(name, ()) for name in one.resource_validations)
    return tuple(assertion for of_name in found for assertion in of_name)


def _toleration(manifest: Any) -> Toleration | None:
    """None for one with variables in it: it may be another one for each task."""
    it = _dictionary(manifest)
    given = {key: it.get(key) for key in ("key", "operator", "value", "effect")}
    if any(one is not None and not is_fixed(one) for one in given.values()):
        return None
    seconds = it.get("tolerationSeconds")
    effect = next((one for one in get_args(Effect) if one == given["effect"]), None)
    return Toleration(
        key=given["key"] or "",
        operator="Exists" if given["operator"] == "Exists" else "Equal",
        value=given["value"] or "",
        effect=effect,
        seconds=seconds if isinstance(seconds, int) else None,
    )


def _beside(spec: Mapping[str, Any]) -> Amounts:
    """What the containers ask for that are not the task's: the sidecar, of which a template may say
    what it gets, and whatever else a template adds."""
    asked = {
        container["name"]: _dictionary(_dictionary(container.get("resources")).get("requests"))
        for container in map(_dictionary, _list(spec.get("containers")))
        if container.get("name", USER_CONTAINER) != USER_CONTAINER
    }
    ours = asked.pop(CTRL_CONTAINER, {})
    whole = Amounts(
        cpu=_asked(ours, "cpu", SIDECAR.cpu),
        gpu=_asked(ours, "gpu", 0),
        memory=_asked(ours, "memory", SIDECAR.memory),
        storage=_asked(ours, "storage", SIDECAR.storage),
    )
    for requests in asked.values():
        whole = whole.plus(Amounts(**{one: _asked(requests, one, 0) for one in RESOURCES}))
    return whole


_KUBERNETES: Mapping[Resource, tuple[str, str]] = MappingProxyType(
    {
        "cpu": ("cpu", "1m"),
        "gpu": ("nvidia.com/gpu", "1"),
        "memory": ("memory", "1"),
        "storage": ("ephemeral-storage", "1"),
    }
)
"""How Kubernetes calls each, and the unit that `Amounts` counts in."""


def _asked(requests: Mapping[str, Any], resource: Resource, otherwise: int) -> int:
    """What differs from task to task is counted as what is asked for without a template."""
    name, unit = _KUBERNETES[resource]
    try:
        return in_units(requests[name], unit)
    except (KeyError, ValueError):
        return otherwise


def _folders(spec: Mapping[str, Any]) -> Sequence[str]:
    """Of the node, which templates mount into the task's container: OSMO calls them by where they
    are mounted."""
    containers = [_dictionary(one) for one in _list(spec.get("containers"))]
    paths = [
        _dictionary(mount).get("mountPath")
        for container in containers
        if container.get("name") != CTRL_CONTAINER
        for mount in _list(container.get("volumeMounts"))
    ]
    return [path for path in paths if isinstance(path, str) and is_fixed(path)]


def _dictionary(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
