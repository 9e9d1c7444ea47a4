"""Group templates as an admin writes them: a Kubernetes object of any kind that each group of a
pool is to have beside its pods, with variables (a ComputeDomain, a NetworkPolicy, a claim).

The object lies in the operator's namespace and goes with its group. Its name may have the group's
variables in it; without any, all groups share it. Which kinds there are only the cluster knows, and
whether the operator may make them is for its chart's `rbac.extraRules` to say.
"""

from collections.abc import Iterator, Mapping

from xylem.domain.errors import InvalidRequest
from xylem.domain.pool import Pool
from xylem.domain.pool_book import PoolBook
from xylem.domain.templates import Template, variables
from xylem.domain.values import replace
from xylem.spec.object_templates import require_sound, says, text_problems

KNOWN = ("WF_ID", "WF_UUID", "WF_GROUP_NAME", "WF_GROUP_UUID", "WF_SUBMITTED_BY", "WF_POOL")
"""OSMO's, which every group has; `xylem.manifests.variables` gives them their values. A pool adds
its own (`common_default_variables`)."""

OURS: Mapping[str, str] = {
    "metadata.generateName": "an object is found again by its name",
    "metadata.finalizers": "nothing of a group stays behind",
    "metadata.ownerReferences": "nothing of a group stays behind",
    "status": "only a cluster says it",
}
"""What no template says, and why."""

CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)
"""Kubernetes' own kinds that lie in no namespace (`kubectl api-resources --namespaced=false`); of
others the operator hears it from its cluster."""


def template_of(config: Template, at: str = "configs") -> Template:
    """One named config of kind GROUP_TEMPLATE, which stands at this path of a request. Raises
    `InvalidRequest` with all that is wrong."""
    require_sound(config, at, _problems)
    return config


def put_template(name: str, template: Template, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where a pool that names it lacks one of its variables."""
    after = replace(book, group_templates={**book.group_templates, name: template})
    lacking = [
        f"pool {pool}: {problem}"
        for pool in after.naming_group_template(name)
        for problem in unknown_variables(after.pools[pool], after)
    ]
    if lacking:
        raise InvalidRequest("\n".join(lacking))
    return after


def delete_template(name: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where it is not there, or where a pool names it."""
    require_template(name, book)
    if users := book.naming_group_template(name):
        raise InvalidRequest(
            f"Group Template {name} is used by pools: {', '.join(users)}. Take it out of them "
            "first.",
            code="USER",
        )
    rest = {key: one for key, one in book.group_templates.items() if key != name}
    return replace(book, group_templates=rest)


def require_template(name: str, book: PoolBook) -> Template:
    """Raises `InvalidRequest`."""
    found = book.group_templates.get(name)
    if found is None:
        raise InvalidRequest(f"Group Template {name} does not exist.", code="USER")
    return found


def unknown_variables(pool: Pool, book: PoolBook) -> Iterator[str]:
    """Those that the pool's group templates name and that nothing gives a value."""
    for index, name in enumerate(pool.group_templates):
        for variable, place in variables(book.group_templates.get(name, {})).items():
            if variable not in (*KNOWN, *pool.variables):
                yield (
                    f"configs.common_group_templates[{index}]: template {name} has "
                    f"{{{{{variable}}}}} at {place}, which has no value for a group: give it one "
                    f"in common_default_variables."
                )


def _problems(config: Template) -> Iterator[str]:
    """Each begins with its path below the template."""
    for key in ("apiVersion", "kind"):
        if not _is_text(config.get(key)):
            yield f".{key}: is missing: say which kind of object this is."
    metadata = config.get("metadata", {})
    if not isinstance(metadata, Mapping):
        yield ".metadata: is no dictionary."
        return
    if not _is_text(metadata.get("name")):
        yield (
            ".metadata.name: is missing: name the object, with {{WF_GROUP_UUID}} in the name where "
            "each group has one of its own."
        )
    if config.get("kind") == "Pod":
        yield ".kind: is Pod, but pods are made of tasks: use a pod template."
    if config.get("kind") in CLUSTER_WIDE:
        yield f".kind: a {config['kind']} belongs to the whole cluster, not to a group."
    for path, why in OURS.items():
        if says(config, path):
            yield f".{path}: take it out, {why}."
    yield from text_problems("metadata", config, ("labels", "annotations"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
