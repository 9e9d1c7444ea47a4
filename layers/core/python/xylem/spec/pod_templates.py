"""Pod templates as an admin writes them: part of a pod in the words of Kubernetes, with variables.

What Kubernetes thinks of a whole pod it says itself, when one is created. What is checked here is
what would go wrong silently, or only for some task of some user: a key that nothing comes of, what
the promises of Xylem hang on, a list in which things have no name to be merged by, and variables.
Each problem is told with the path at which it stands.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from xylem.domain.errors import InvalidRequest
from xylem.domain.pool import Platform, Pool
from xylem.domain.pool_book import PoolBook
from xylem.domain.templates import Template, variables
from xylem.domain.values import replace
from xylem.spec.backend_tests import require_pods
from xylem.spec.object_templates import require_sound, says, text_problems

SIZES = ("USER_MEMORY", "USER_STORAGE")
UNITS = ("B", "Ki", "Mi", "Gi", "Ti")

KNOWN = (
    "USER_CPU",
    "USER_GPU",
    *(f"{size}{form}" for size in SIZES for form in ("", "_VAL", "_UNIT")),
    *(f"{size}_{unit}" for size in SIZES for unit in UNITS),
    "USER_CACHE",
    "USER_CONTAINER_NAME",
    "USER_EXCLUDED_NODES",
    "WF_ID",
    "WF_UUID",
    "WF_GROUP_NAME",
    "WF_GROUP_UUID",
    "WF_SUBMITTED_BY",
    "WF_TASK_NAME",
    "WF_TASK_UUID",
    "WF_RETRY_ID",
    "WF_LEAD_CONTAINER",
    "WF_POOL",
    "WF_PLATFORM",
    "WF_PRIORITY",
)
"""OSMO's, which every task has; `xylem.manifests.variables` gives them their values. A pool and its
platforms add their own (`common_default_variables`, `default_variables`)."""

OURS: Mapping[str, str] = {
    "metadata.name": "a pod is named by its attempt",
    "metadata.generateName": "a pod is named by its attempt",
    "metadata.namespace": "pods are made in the operator's namespace",
    "metadata.finalizers": "they hold a pod until its end is known",
    "metadata.ownerReferences": "they let nothing of a group stay behind",
    "spec.schedulingGates": "they let a group start when all of it exists",
    "spec.nodeName": "it passes the scheduler by: use nodeSelector or affinity",
    "spec.restartPolicy": "whether a task is tried again is decided by the service",
    "spec.hostname": "tasks of a group call each other by it",
    "spec.subdomain": "tasks of a group call each other by it",
    "spec.schedulerName": "it is the backend's: set its scheduler_settings",
    "spec.activeDeadlineSeconds": "it follows from the timeouts",
    "status": "only a cluster says it",
}
"""What promises hang on, and why: no template says it."""

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_NAMED_LISTS = ("containers", "initContainers", "volumes")


def template_of(config: Template, at: str = "configs") -> Template:
    """One named config of kind POD_TEMPLATE, which stands at this path of a request. Raises
    `InvalidRequest` with all that is wrong."""
    require_sound(config, at, _problems)
    return config


def put_template(name: str, template: Template, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where a pool that names it lacks one of its variables, or where no
    pod comes any more of a backend test that names it."""
    after = replace(book, pod_templates={**book.pod_templates, name: template})
    lacking = [
        f"pool {pool.name}: {problem}"
        for pool in after.pools.values()
        if pool.name in after.naming_template(name)
        for problem in unknown_variables(pool, after)
    ]
    if lacking:
        raise InvalidRequest("\n".join(lacking))
    require_pods(after)
    return after


def delete_template(name: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where it is not there, or where a pool or a backend test names
    it."""
    require_template(name, book)
    if users := book.naming_template(name):
        raise InvalidRequest(
            f"Pod Template {name} is used by pools: {', '.join(users)}. Take it out of them first.",
            code="USER",
        )
    if tests := book.tests_naming_template(name):
        raise InvalidRequest(
            f"Pod Template {name} is used by backend tests: {', '.join(tests)}. Take it out of "
            "them first.",
            code="USER",
        )
    rest = {key: one for key, one in book.pod_templates.items() if key != name}
    return replace(book, pod_templates=rest)


def require_template(name: str, book: PoolBook) -> Template:
    """Raises `InvalidRequest`, in OSMO's recorded words."""
    found = book.pod_templates.get(name)
    if found is None:
        raise InvalidRequest(f"Pod Template {name} does not exist.", code="USER")
    return found


def unknown_variables(pool: Pool, book: PoolBook) -> Iterator[str]:
    """Those that the pool's templates name and that nothing gives a value."""
    for path, names, platforms in _uses(pool):
        for index, name in enumerate(names):
            for variable, place in variables(book.pod_templates.get(name, {})).items():
                lacking = [
                    key
                    for key, platform in platforms.items()
                    if variable not in (*KNOWN, *pool.variables, *platform.variables)
                ]
                if lacking:
                    yield (
                        f"{path}[{index}]: template {name} has {{{{{variable}}}}} at {place}, "
                        f"which has no value on platform {', '.join(lacking)}: give it one in "
                        f"default_variables."
                    )


def _uses(pool: Pool) -> Iterator[tuple[str, tuple[str, ...], Mapping[str, Platform]]]:
    """Lists of names, where they stand, and the platforms whose pods they are for."""
    yield "configs.common_pod_template", pool.pod_templates, pool.platforms
    for key, platform in pool.platforms.items():
        path = f"configs.platforms.{key}.override_pod_template"
        yield path, platform.pod_templates, {key: platform}


def _problems(config: Template) -> Iterator[str]:
    """Each begins with its path below the template."""
    for key in config:
        if key not in _TOP:
            yield f".{key}: is no part of a pod: a template has metadata and spec."
    if config.get("kind", "Pod") != "Pod":
        yield f".kind: is {config['kind']}, but this is a template of pods."
    for part in ("metadata", "spec"):
        if not isinstance(config.get(part, {}), Mapping):
            yield f".{part}: is no dictionary."
            return
    for path, why in OURS.items():
        if says(config, path):
            yield f".{path}: take it out, {why}."
    yield from text_problems("metadata", config, ("labels", "annotations"))
    yield from text_problems("spec", config, ("nodeSelector",))
    yield from _list_problems(config.get("spec", {}))


def _list_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    for key in (*_NAMED_LISTS, "tolerations", "imagePullSecrets"):
        found = spec.get(key, [])
        if not isinstance(found, list):
            yield f".spec.{key}: is no list."
            continue
        for index, one in enumerate(found):
            where = f".spec.{key}[{index}]"
            if not isinstance(one, Mapping):
                yield f"{where}: is no dictionary."
            elif key in _NAMED_LISTS and not (isinstance(one.get("name"), str) and one["name"]):
                yield f"{where}: has no name, by which it is merged."
