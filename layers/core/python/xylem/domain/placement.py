"""Which pool a workflow goes to, and why something does not start: from facts to sentences.

    a pool with its nodes (`Site`), what groups want (`Want`), their priority
        --impossible--> what no node of the pool will ever hold, task by task
        --outlook-----> whether they start now, and if not what is short, with the numbers
        --choose------> of several pools the one that starts them soonest, with what was known

All of it is pure and total: a pool without nodes, without facts or without its platform has an
outlook, too. Tasks are not placed on nodes here, that is the scheduler's: what fits is counted, by
kind of task and node, the largest first. A gang is counted as one, since it starts as one.

Facts are a minute old at the worst, and other submissions use the same. So a choice may be wrong,
and is recorded with its inputs; a wrong one waits in the pool's queue, it does not fail.

Quotas are the pool's `gpu` (OSMO's words): HIGH and NORMAL work lives within the guarantee, LOW
work borrows what nobody uses up to the maximum, and gives it back: where a scheduler keeps quotas,
what LOW work takes of a node is room for who wants no more than is guaranteed to him. What is used
is derived from the nodes' own facts (requests of our pods, by pool and priority), which a plain
write of one row keeps. A counter per pool in the commits that start and end groups would be exact a
second earlier; it would also be two more units in two commits of every group, and a row that all
commits of a pool fight for.

In the cluster the quota is kept by KAI, which knows each pool as a queue. With Kubernetes' own
scheduler nobody keeps it: there it is a check at submission and a hint for choosing, no more.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from xylem.domain.ids import PoolName, TaskName
from xylem.domain.node import CORE, RESOURCES, Amounts, Node, total, written
from xylem.domain.plan import GroupPlan, Resources
from xylem.domain.pool import SIDECAR, UNBOUNDED, Platform, Pool, wanted
from xylem.domain.values import dataclass, replace

Priority = str
"""HIGH, NORMAL or LOW."""

LOW: Priority = "LOW"

REASONS = 8
"""In one outlook. Whoever has more reads the first and mends that."""

NAMED = 3
"""Taints, tasks and nodes that a sentence names; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Want:
    """What one task wants of a node. `platform` None: the pool has no default. `task` empty: any
    of those that want the same. `beside`: what its pod wants besides."""

    task: TaskName
    platform: str | None
    amounts: Amounts
    excluded: tuple[str, ...] = ()
    beside: Amounts = SIDECAR
    """Nodes that the task will not have."""


@dataclass(frozen=True, slots=True)
class Gang:
    """A group's wants. `first`: it waits for no other group."""

    group: str
    wants: tuple[Want, ...]
    first: bool = True


@dataclass(frozen=True, slots=True)
class Site:
    """A pool with what is known of its cluster. `nodes` None: its operator does not tell, or never
    did; that is not the same as none. `since`: when its backend went away. `open`: groups are
    placed there; not while it is drained, or after it was removed."""

    pool: Pool
    online: bool
    nodes: tuple[Node, ...] | None = None
    since: datetime | None = None
    open: bool = True


@dataclass(frozen=True, slots=True)
class Usage:
    """GPUs of a pool. `guaranteed`: what its HIGH and NORMAL pods ask for; `borrowed`: its LOW
    ones. `capacity` and `free`: of the nodes that it may use."""

    guaranteed: int
    borrowed: int
    capacity: int
    free: int


Outcome = Literal["now", "unknown", "queue", "offline", "maintenance", "impossible"]

OUTCOMES: tuple[Outcome, ...] = ("now", "unknown", "queue", "offline", "maintenance", "impossible")
"""The soonest first. Of a cluster whose nodes are unknown nobody can say that it is full."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of the groups in one pool, and the numbers that it rests on: GPUs that are
    wanted at once, that the pool's nodes have free and in all, that its quota has left (None: it is
    not bounded); and how many tasks of the first groups do not fit now."""

    pool: PoolName
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    gpus_wanted: int = 0
    gpus_free: int = 0
    gpus_capacity: int = 0
    quota_left: int | None = None
    tasks_short: int = 0
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """`pool`: the one that was chosen, None where none can be; `considered`: all that were named,
    in the order in which they were preferred."""

    pool: PoolName | None
    considered: tuple[Outlook, ...]
    at: datetime


def gang(group: GroupPlan, pool: Pool) -> Gang:
    """What a group of a spec wants of this pool."""
    wants = tuple(
        _want(task.name, task.resources, pool, pool.platforms.get(name) if name else None, name)
        for task in group.tasks
        for name in (task.resources.platform or pool.default_platform,)
    )
    return Gang(group.name, wants, first=not group.upstream)


def _want(
    task: TaskName, asked: Resources, pool: Pool, platform: Platform | None, name: str | None
) -> Want:
    filled = wanted(asked, pool, platform)
    amounts = Amounts(
        cpu=_known(filled.cpu) * CORE,
        gpu=_known(filled.gpu),
        memory=_known(filled.memory),
        storage=_known(filled.storage),
    )
    beside = SIDECAR if platform is None else platform.beside
    return Want(task, name, amounts, asked.nodes_excluded, beside)


def _known(amount: int | None) -> int:
    assert amount is not None, "`wanted` leaves nothing open"
    return amount


# Nodes and platforms ----------------------------------------------------------------------------


def mismatch(platform: Platform, node: Node) -> str | None:
    """Why pods of this platform never go to this node; None: they may."""
    for key, value in platform.labels.items():
        has = node.labels.get(key)
        if has != value:
            return f"label {key} is {has or 'not set'}, not {value}"
    for taint in node.taints:
        if taint.effect == "PreferNoSchedule":
            continue
        if not any(toleration.tolerates(taint) for toleration in platform.tolerations):
            return f"taint {taint}"
    return None


def nodes_of(platform: Platform, nodes: Iterable[Node]) -> list[Node]:
    return [node for node in nodes if mismatch(platform, node) is None]


def nodes_of_pool(site: Site) -> list[Node]:
    """Those that any of its platforms may use, each once."""
    platforms = site.pool.platforms.values()
    return [
        node
        for node in site.nodes or ()
        if any(mismatch(platform, node) is None for platform in platforms)
    ]


def usage(site: Site) -> Usage:
    return survey(site).usage


@dataclass(frozen=True, slots=True)
class Survey:
    """What is the same for all that is asked of a site: worked out once, for a thousand questions.
    `free`: of nodes that take pods; `yielding`: with what LOW work takes of them. `foreign`: why
    other nodes are not a platform's, counted. Of the platform None, a default that is not there,
    there are neither."""

    site: Site
    usage: Usage
    free: Mapping[str, Amounts]
    yielding: Mapping[str, Amounts]
    nodes: Mapping[str | None, Sequence[Node]]
    foreign: Mapping[str | None, Counter[str]]
    count: int


def survey(site: Site) -> Survey:
    nodes: dict[str | None, list[Node]] = {}
    foreign: dict[str | None, Counter[str]] = {}
    for name, platform in site.pool.platforms.items():
        nodes[name], foreign[name] = [], Counter()
        for node in site.nodes or ():
            why = mismatch(platform, node)
            if why is None:
                nodes[name].append(node)
            else:
                foreign[name][why] += 1
    free = {node.name: node.free for node in site.nodes or () if node.available}
    low = {node.name: _low(node) for node in site.nodes or ()}
    mine = {node.name: node for found in nodes.values() for node in found}
    used = _used(site, [node for node in mine.values() if node.available], free)
    yielding = {name: room.plus(low[name]) for name, room in free.items()}
    return Survey(site, used, free, yielding, nodes, foreign, len(mine))


def _low(node: Node) -> Amounts:
    return total(use.amounts for use in node.uses if use.priority == LOW)


def _used(site: Site, nodes: Sequence[Node], free: Mapping[str, Amounts]) -> Usage:
    """Pods are counted where they are, also on nodes that the pool may use no longer."""
    mine = [use for node in site.nodes or () for use in node.uses if use.pool == site.pool.name]
    return Usage(
        guaranteed=sum(use.amounts.gpu for use in mine if use.priority != LOW),
        borrowed=sum(use.amounts.gpu for use in mine if use.priority == LOW),
        capacity=sum(node.allocatable.gpu for node in nodes),
        free=sum(free[node.name].gpu for node in nodes),
    )


# What can never be ------------------------------------------------------------------------------


def impossible(
    site: Site, gangs: Sequence[Gang], *, nodes: Mapping[str | None, Sequence[Node]] | None = None
) -> dict[TaskName, str]:
    """Tasks that no node of their platform would hold if it were empty, each with the numbers; of
    tasks that want the same, the first. `nodes`: by platform, where that was worked out.

    Empty where nothing is known: a cluster that is away may have grown meanwhile. A node that is
    not ready counts, because it may be again; a gang that is larger than all nodes together waits
    for them to become more."""
    whole = survey(site).nodes if nodes is None else nodes
    found: dict[TaskName, str] = {}
    for want, _ in _kinds(gangs):
        mine = _allowed(want, whole.get(want.platform, ()))
        why = _never(want, mine, "node") if mine else None
        if why is not None:
            found[want.task] = f"platform {want.platform}: {why}"
    return found


def _allowed(want: Want, nodes: Sequence[Node]) -> Sequence[Node]:
    if not want.excluded:
        return nodes
    return [node for node in nodes if node.host_name not in want.excluded]


def _kinds(gangs: Iterable[Gang]) -> list[tuple[Want, int]]:
    """Tasks that want the same are one kind: its first task, and how many there are. A workflow of
    10,000 tasks has a few."""
    counts: dict[tuple[str | None, Amounts, tuple[str, ...]], tuple[Want, int]] = {}
    for one in gangs:
        for want in one.wants:
            kind = (want.platform, want.amounts, want.excluded)
            first, count = counts.get(kind, (want, 0))
            counts[kind] = (first, count + 1)
    return list(counts.values())


def over_guarantee(pool: Pool, gangs: Sequence[Gang], priority: Priority) -> dict[str, int]:
    """Groups that want more GPUs than the pool guarantees, each with what it wants. LOW work lives
    from what others leave: it may want more."""
    guarantee = pool.quota.guarantee
    if guarantee == UNBOUNDED or priority == LOW:
        return {}
    return {one.group: gpus for one in gangs if (gpus := _wanted([one]).gpu) > guarantee}


def _never(want: Want, nodes: Sequence[Node], noun: str) -> str | None:
    """Why none of these nodes would hold it when it is empty."""
    needed = want.amounts.plus(want.beside)
    if any(node.allocatable.covers(needed) for node in nodes):
        return None
    return _largest(want, {node.allocatable for node in nodes}, noun)


def _largest(want: Want, amounts: Collection[Amounts], noun: str) -> str:
    """The sentence about the scarcest resource. Where each alone is there, on different nodes, it
    names the node that lacks the least."""
    needed = want.amounts.plus(want.beside)
    most = {one: max(each.of(one) for each in amounts) for one in RESOURCES}
    for one in RESOURCES:
        if most[one] < needed.of(one):
            room = " beside the runtime's own" if most[one] >= want.amounts.of(one) else ""
            return (
                f"largest {noun} has {written(one, most[one])}, "
                f"{_named(want)} wants {written(one, want.amounts.of(one))}{room}"
            )
    best = min(amounts, key=lambda each: (len(each.lacking(needed)), *(-n for n in _size(each))))
    lacking = best.lacking(needed)
    return (
        f"no {noun} has all of what {_named(want)} wants at once ({_list(want.amounts)}); "
        f"the best has {' and '.join(written(one, best.of(one)) for one in lacking)}"
    )


def _named(want: Want) -> str:
    return f"task {want.task}" if want.task else "a task"


def _like(want: Want) -> str:
    return f" like {want.task}" if want.task else ""


def _list(amounts: Amounts) -> str:
    return ", ".join(written(one, amounts.of(one)) for one in RESOURCES if amounts.of(one)) or (
        "nothing"
    )


# What would become of it ------------------------------------------------------------------------


def outlook(
    site: Site,
    gangs: Sequence[Gang],
    priority: Priority,
    *,
    admin: bool = False,
    surveyed: Survey | None = None,
) -> Outlook:
    """Of groups of one workflow in one pool. Those that wait for others do not decide when the
    workflow starts, only whether it ever can. `surveyed`: of this site, by whoever asks often."""
    pool = site.pool
    first = [one for one in gangs if one.first] or list(gangs)
    asked = _wanted(first).gpu
    base = Outlook(pool.name, "now", gpus_wanted=asked)
    if missing := _without_platform(pool, gangs):
        return replace(base, outcome="impossible", reasons=missing)
    if too_much := over_guarantee(pool, gangs, priority):
        return replace(base, outcome="impossible", reasons=_over(pool, too_much))
    if site.nodes is None:
        reasons: tuple[str, ...] = ("Nothing is known about the nodes of its cluster.",)
        numbers = base
        outcome: Outcome = "unknown"
    else:
        known = surveyed or survey(site)
        used = known.usage
        short, reasons = _short(known, first, known.free)
        bounds, left = _quota(pool, used, asked, priority)
        if short and not bounds and _takes_low_place(known, first, priority):
            short, reasons = 0, (_gives_way(short),)
        outcome = "queue" if short or bounds else "now"
        reasons = (*bounds, *reasons)
        numbers = replace(
            base,
            gpus_free=used.free,
            gpus_capacity=used.capacity,
            quota_left=left,
            tasks_short=short,
            nodes=known.count,
        )
        if never := impossible(site, gangs, nodes=known.nodes):
            sentences = tuple(dict.fromkeys(never.values()))
            return replace(numbers, outcome="impossible", reasons=sentences[:REASONS])
    if pool.maintenance and not admin:
        away = f"Pool {pool.name} is under maintenance: only administrators submit to it."
        return replace(numbers, outcome="maintenance", reasons=(away, *reasons)[:REASONS])
    if not site.online:
        return replace(numbers, outcome="offline", reasons=(_away(site), *reasons)[:REASONS])
    return replace(numbers, outcome=outcome, reasons=reasons[:REASONS])


def _without_platform(pool: Pool, gangs: Sequence[Gang]) -> tuple[str, ...]:
    names = dict.fromkeys(want.platform for one in gangs for want in one.wants)
    has = ", ".join(sorted(pool.platforms)) or "none"
    return tuple(
        f"Pool {pool.name} has no default platform. Its platforms: {has}."
        if name is None
        else f"Platform {name} does not exist in pool {pool.name}! Its platforms: {has}."
        for name in names
        if name not in pool.platforms
    )


def _over(pool: Pool, groups: Mapping[str, int]) -> tuple[str, ...]:
    guarantee = written("gpu", pool.quota.guarantee)
    return tuple(
        f"Group {name} wants {written('gpu', gpus)}, but pool {pool.name} guarantees {guarantee}."
        for name, gpus in groups.items()
    )


def _away(site: Site) -> str:
    backend = site.pool.backend
    if site.since is None:
        return f"Its backend {backend} has never been connected."
    return f"Its backend {backend} is away since {site.since:%Y-%m-%d %H:%M:%S} UTC."


def _quota(
    pool: Pool, used: Usage, asked: int, priority: Priority
) -> tuple[tuple[str, ...], int | None]:
    """What the quota forbids now, and how much of it is left."""
    quota = pool.quota
    if priority == LOW:
        bound, taken, word = quota.maximum, used.guaranteed + used.borrowed, "at most has"
    else:
        bound, taken, word = quota.guarantee, used.guaranteed, "is guaranteed"
    if bound == UNBOUNDED:
        return (), None
    left = max(bound - taken, 0)
    if asked <= left:
        return (), left
    who = "all work" if priority == LOW else "HIGH and NORMAL work"
    return (
        f"Quota: pool {pool.name} {word} {written('gpu', bound)}, {who} has taken {taken}, "
        f"and {priority} work here wants {asked}.",
    ), left


def _takes_low_place(known: Survey, gangs: Sequence[Gang], priority: Priority) -> bool:
    """Kubernetes' own scheduler preempts for single pods alone, and knows no quota."""
    kept = known.site.pool.scheduler.type != "default"
    return kept and priority != LOW and not _short(known, gangs, known.yielding)[0]


def _gives_way(tasks: int) -> str:
    return (
        f"{tasks} {'task takes' if tasks == 1 else 'tasks take'} the place of LOW work, which is "
        "preempted for it."
    )


def _short(
    known: Survey, gangs: Sequence[Gang], room: Mapping[str, Amounts]
) -> tuple[int, tuple[str, ...]]:
    """How many tasks do not fit into this room of each node, and why, in sentences."""
    free = dict(room)
    short = 0
    reasons: list[str] = []
    for want, count in sorted(_kinds(gangs), key=lambda kind: _size(kind[0].amounts), reverse=True):
        may = _allowed(want, known.nodes[want.platform])
        before = {free[node.name] for node in may if node.name in free}
        missing = _fill(free, may, want.amounts.plus(want.beside), count)
        short += missing
        if missing:
            reasons += _why_short(known, want, may, before, missing, count)
    return short, tuple(dict.fromkeys(reasons))


def _size(amounts: Amounts) -> tuple[int, ...]:
    return tuple(amounts.of(one) for one in RESOURCES)


def _fill(free: dict[str, Amounts], nodes: Sequence[Node], each: Amounts, count: int) -> int:
    """Takes room for `count` tasks of a kind; how many found none."""
    for node in nodes:
        if not count:
            return 0
        room = free.get(node.name)
        if room is None or not room.covers(each):
            continue
        fitting = min(count, _times(room, each))
        free[node.name] = room.minus(_multiple(each, fitting))
        count -= fitting
    return count


def _times(room: Amounts, each: Amounts) -> int:
    """`each` asks for something of everything but GPUs, which is its sidecar's."""
    return min(room.of(one) // each.of(one) for one in RESOURCES if each.of(one))


def _multiple(each: Amounts, count: int) -> Amounts:
    return Amounts(each.cpu * count, each.gpu * count, each.memory * count, each.storage * count)


def _why_short(
    known: Survey,
    want: Want,
    may: Sequence[Node],
    free: Collection[Amounts],
    missing: int,
    count: int,
) -> list[str]:
    head = f"platform {want.platform}"
    foreign = known.foreign[want.platform]
    reasons = []
    if not may:
        reasons.append(f"{head}: {_no_node(known.site, foreign)}")
    elif not free:
        away = [node.name for node in may]
        reasons.append(f"{head}: none of its {len(may)} nodes takes pods ({_some(away)})")
    elif any(amounts.covers(want.amounts.plus(want.beside)) for amounts in free):
        reasons.append(
            f"{head}: room for {count - missing} of {count} tasks{_like(want)}, "
            f"each wants {_list(want.amounts)}"
        )
    else:
        reasons.append(f"{head}: {_largest(want, free, 'free node')}")
    closed = [node.name for node in may if node.cordoned or not node.ready]
    if free and closed:
        unusable = f"{_counted(closed, 'node')} not ready or cordoned"
        reasons.append(f"{head}: {unusable} ({_some(closed)})")
    unfit = [f"{node.name}: {', '.join(node.unfit)}" for node in may if node.unfit]
    if unfit:
        reasons.append(f"{head}: {_counted(unfit, 'node')} kept out by conditions ({_some(unfit)})")
    tainted = Counter({why: number for why, number in foreign.items() if why.startswith("taint ")})
    if tainted and may:
        reasons.append(f"{head}: {_counted_taints(tainted)}")
    return reasons


def _no_node(site: Site, whys: Counter[str]) -> str:
    if not site.nodes:
        return f"backend {site.pool.backend} has no node"
    listed = ", ".join(f"{count} with {why}" for why, count in whys.most_common(NAMED))
    return f"none of the {len(site.nodes)} nodes of backend {site.pool.backend} matches ({listed})"


def _counted_taints(whys: Counter[str]) -> str:
    count = sum(whys.values())
    names = ", ".join(why.removeprefix("taint ") for why, _ in whys.most_common(NAMED))
    verb = "has a taint" if count == 1 else "have taints"
    return f"{count} node{'' if count == 1 else 's'} {verb} that it does not tolerate ({names})"


def _counted(names: Sequence[str], noun: str) -> str:
    return f"1 {noun} is" if len(names) == 1 else f"{len(names)} {noun}s are"


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _wanted(gangs: Sequence[Gang]) -> Amounts:
    return total(want.amounts for one in gangs for want in one.wants)


# Of several pools -------------------------------------------------------------------------------


def choose(outlooks: Sequence[Outlook], at: datetime) -> Choice:
    """The one that starts it soonest. Among those that start it now, the one that has the most GPUs
    left afterwards as a share of what it has; among those with a queue, the one that lacks room for
    the fewest tasks. What is the same to all of this is decided by the order of the request."""
    ordered = sorted(outlooks, key=_rank)
    possible = (one.pool for one in ordered if one.outcome not in ("maintenance", "impossible"))
    return Choice(next(possible, None), tuple(ordered), at)


def _rank(one: Outlook) -> tuple[int, int, float]:
    left = one.gpus_free - one.gpus_wanted
    return OUTCOMES.index(one.outcome), one.tasks_short, -left / max(one.gpus_capacity, 1)
