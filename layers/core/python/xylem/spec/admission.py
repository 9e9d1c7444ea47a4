"""What a pool allows: the plan of a workflow against the pool that it is submitted to.

Everything wrong is told at once, each with its path in the YAML, under OSMO's codes: RESOURCE for
what a platform or its nodes do not have or allow, SUBMISSION for topology keys, USAGE for more GPUs
than the pool guarantees. What depends on nodes is checked where they are known: a cluster that is
away, or whose operator does not tell, refuses nobody; nor does a platform that has no node today.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from xylem.domain.errors import InvalidSpec, Problem
from xylem.domain.ids import TaskName
from xylem.domain.node import CORE, Amounts, Node
from xylem.domain.placement import (
    Gang,
    Priority,
    Site,
    Want,
    gang,
    impossible,
    nodes_of,
    over_guarantee,
)
from xylem.domain.plan import GroupPlan, TaskPlan, WorkflowPlan
from xylem.domain.pool import Assertion, Platform, Pool
from xylem.domain.values import dataclass
from xylem.spec.problems import Location, problem, refusal
from xylem.spec.resources import size_in_bytes
from xylem.spec.workflow import WorkflowSpec

_VARIABLE = re.compile(r"\{\{ *([A-Z0-9_]+) *\}\}")
_OF_NODES = "{{K8_"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a task and its resources stand in the YAML. Without the spec as it was written, where
    they stand in the stored one, which always has groups."""

    written: WorkflowSpec | None

    def group(self, at: int) -> Location:
        flat = self.written is not None and self.written.tasks
        return ("workflow", "tasks" if flat else "groups", at)

    def task(self, at: int, position: int) -> Location:
        group = self.group(at)
        return group if group[1] == "tasks" else (*group, "tasks", position)

    def resources(self, at: int, position: int) -> Location:
        if self.written is None:
            return (*self.task(at, position), "resource")
        tasks = self.written.tasks or self.written.groups[at].tasks
        return ("workflow", "resources", tasks[at if self.written.tasks else position].resource)


def place_of(task: TaskName, plan: WorkflowPlan, written: WorkflowSpec | None) -> Location:
    """Of a task of the plan."""
    places = _Places(written)
    return next(places.task(at, pos) for at, pos, _, one in _tasks(plan) if one.name == task)


def check_pool(
    plan: WorkflowPlan,
    pool: Pool,
    *,
    nodes: Sequence[Node] | None = None,
    priority: Priority = "NORMAL",
    written: WorkflowSpec | None = None,
    on_lines: Callable[[Sequence[Problem]], Sequence[Problem]] = lambda problems: problems,
) -> None:
    """Raises `InvalidSpec`. `nodes`: of the pool's cluster, where they are known. `on_lines`:
    finds the lines of problems, where the text is known."""
    places = _Places(written)
    _require_platforms(plan, pool, places, on_lines)
    gangs = [gang(group, pool) for group in plan.groups]
    problems = list(dict.fromkeys(_problems(plan, pool, gangs, nodes, priority, places)))
    if problems:
        raise refusal(on_lines(problems), plan.name)


def _require_platforms(
    plan: WorkflowPlan,
    pool: Pool,
    places: _Places,
    on_lines: Callable[[Sequence[Problem]], Sequence[Problem]],
) -> None:
    """OSMO's sentences first, as its clients know them; then where in the YAML. Raises
    `InvalidSpec`."""
    has = ", ".join(sorted(pool.platforms)) or "none"
    wrong: dict[str | None, Problem] = {}
    for at, position, _, task in _tasks(plan):
        name = task.resources.platform or pool.default_platform
        if name not in pool.platforms:
            place = (*places.resources(at, position), "platform")
            way_out = problem("RESOURCE", place, f"name one of its platforms: {has}.")
            wrong.setdefault(name, way_out)
    if not wrong:
        return
    sentences = [
        f"Pool {pool.name} has no default platform."
        if name is None
        else f"Platform {name} does not exist in pool {pool.name}!"
        for name in wrong
    ]
    problems = tuple(on_lines(list(wrong.values())))
    lines = [*sentences, *map(str, problems)]
    raise InvalidSpec("\n".join(lines), code="RESOURCE", problems=problems, kept_as=plan.name)


def _problems(
    plan: WorkflowPlan,
    pool: Pool,
    gangs: Sequence[Gang],
    nodes: Sequence[Node] | None,
    priority: Priority,
    places: _Places,
) -> Iterator[Problem]:
    tasks = {task.name: (at, position) for at, position, _, task in _tasks(plan)}
    positions = {group.name: at for at, group in enumerate(plan.groups)}
    for name, gpus in over_guarantee(pool, gangs, priority).items():
        yield problem("USAGE", places.group(positions[name]), _over(name, gpus, pool, priority))
    yield from _topology_problems(plan, pool, places)
    for at, position, _, task in _tasks(plan):
        platform = pool.platforms[task.resources.platform or pool.default_platform or ""]
        yield from _permission_problems(task, platform, pool, places.task(at, position))
    site = Site(pool, online=True, nodes=None if nodes is None else tuple(nodes))
    for name, why in impossible(site, gangs).items():
        yield problem("RESOURCE", places.resources(*tasks[name]), f"{why}.")
    checked = set()
    for one in gangs:
        for want in one.wants:
            kind = (want.platform, want.amounts)
            if kind in checked:
                continue
            checked.add(kind)
            for text in _failed(want, pool, site):
                yield problem("RESOURCE", places.resources(*tasks[want.task]), text)


def _tasks(plan: WorkflowPlan) -> Iterator[tuple[int, int, GroupPlan, TaskPlan]]:
    for at, group in enumerate(plan.groups):
        for position, task in enumerate(group.tasks):
            yield at, position, group, task


def _over(group: str, gpus: int, pool: Pool, priority: Priority) -> str:
    guarantee, maximum = pool.quota.guarantee, pool.quota.maximum
    room = f"borrows up to {maximum}" if maximum >= 0 else "borrows what is left over"
    return (
        f"Group {group} wants {gpus} GPUs at priority {priority}, but pool {pool.name} guarantees "
        f"{guarantee}. Ask for fewer, or submit it with priority LOW, which {room} and may be "
        "preempted."
    )


# What a platform allows -------------------------------------------------------------------------


def _permission_problems(
    task: TaskPlan, platform: Platform, pool: Pool, place: Location
) -> Iterator[Problem]:
    name = task.resources.platform or pool.default_platform
    where = f"on platform {name} of pool {pool.name}"
    if task.privileged and not platform.privileged_allowed:
        allowed = _allowing(pool, "privileged_allowed")
        yield problem(
            "RESOURCE",
            (*place, "privileged"),
            f"Privileged containers are not allowed {where}{allowed}. Take it out.",
        )
    if task.host_network and not platform.host_network_allowed:
        allowed = _allowing(pool, "host_network_allowed")
        yield problem(
            "RESOURCE",
            (*place, "hostNetwork"),
            f"The network of the node is not allowed {where}{allowed}. Take it out.",
        )
    for index, mount in enumerate(task.volume_mounts):
        source = mount.partition(":")[0]
        at = (*place, "volumeMounts", index)
        if source in platform.default_mounts:
            yield problem("RESOURCE", at, f"{source} is mounted {where} anyway. Take it out.")
        elif source not in platform.allowed_mounts:
            may = ", ".join(platform.allowed_mounts) or "none"
            text = f"{source} may not be mounted {where}. Allowed: {may}."
            yield problem("RESOURCE", at, text)


def _allowing(pool: Pool, permission: str) -> str:
    names = sorted(name for name, one in pool.platforms.items() if getattr(one, permission))
    return f", only on {', '.join(names)}" if names else ""


def _topology_problems(plan: WorkflowPlan, pool: Pool, places: _Places) -> Iterator[Problem]:
    """The levels of a topology are the pool's; all tasks of a workflow name the same ones, because
    a scheduler nests them."""
    known = [one.key for one in pool.topology_keys]
    has = ", ".join(known) or "none"
    used: dict[frozenset[str], str] = {}
    for at, position, _, task in _tasks(plan):
        keys = frozenset(one.key for one in task.resources.topology)
        used.setdefault(keys, task.name)
        for index, one in enumerate(task.resources.topology):
            if one.key not in known:
                yield problem(
                    "SUBMISSION",
                    (*places.resources(at, position), "topology", index, "key"),
                    f"{one.key} is no topology key of pool {pool.name}. Its keys: {has}.",
                )
    if len(used) > 1:
        said = "; ".join(
            f"{task}: {', '.join(sorted(keys)) or 'none'}" for keys, task in list(used.items())[:3]
        )
        yield problem(
            "RESOURCE",
            ("workflow", "resources"),
            f"All tasks of a workflow name the same topology keys, but these do not: {said}.",
        )


# Conditions -------------------------------------------------------------------------------------


def _failed(want: Want, pool: Pool, site: Site) -> list[str]:
    """What the pool's and the platform's conditions say against it. One node that satisfies all is
    enough; where none does, the node speaks that satisfies the most."""
    platform = pool.platforms[want.platform or ""]
    assertions = (*pool.assertions, *platform.assertions)
    mine = _values("USER", want.amounts)
    fixed = [one for one in assertions if _OF_NODES not in one.left + one.right]
    if failed := [_said(one, mine) for one in fixed if not _holds(one, mine)]:
        return failed
    of_nodes = [one for one in assertions if one not in fixed]
    nodes = nodes_of(platform, site.nodes or ())
    if not of_nodes or not nodes:
        return []
    tried = []
    for node in nodes:
        values = {**mine, **_values("K8", node.allocatable.minus(want.beside))}
        said = [_said(one, values) for one in of_nodes if not _holds(one, values)]
        if not said:
            return []
        tried.append((len(said), node.name, said))
    _, name, said = min(tried)
    return [f"{text} (node {name} of platform {want.platform})" for text in said]


def _values(prefix: str, amounts: Amounts) -> dict[str, Fraction]:
    return {
        f"{prefix}_CPU": Fraction(amounts.cpu, CORE),
        f"{prefix}_GPU": Fraction(amounts.gpu),
        f"{prefix}_MEMORY": Fraction(amounts.memory),
        f"{prefix}_STORAGE": Fraction(amounts.storage),
    }


def _holds(assertion: Assertion, values: Mapping[str, Fraction]) -> bool:
    left, right = (_operand(text, values) for text in (assertion.left, assertion.right))
    match assertion.operator:
        case "GT":
            return left > right
        case "GE":
            return left >= right
        case "LT":
            return left < right
        case "LE":
            return left <= right
        case "EQ":
            return left == right


def _operand(text: str, values: Mapping[str, Fraction]) -> Fraction:
    """`pools._assertion_problems` let nothing pass that is neither."""
    found = _VARIABLE.fullmatch(text.strip())
    return values[found[1]] if found else Fraction(size_in_bytes(text.strip()))


def _said(assertion: Assertion, values: Mapping[str, Fraction]) -> str:
    """The admin's sentence with the numbers in it."""

    def number(found: re.Match[str]) -> str:
        value = values.get(found[1])
        return found[0] if value is None else f"{float(value):g}"

    text = _VARIABLE.sub(number, assertion.message)
    return text or f"{assertion.left} is not {assertion.operator} {assertion.right}"
