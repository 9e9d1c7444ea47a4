"""Which pool a workflow is submitted to: the one that is named, or the best of several.

One pool is checked, and takes the workflow or says why not; a full one lets it wait. Of several the
one is chosen that starts it soonest, by what is known at this moment (`domain.placement`), and the
choice is kept with the numbers that it rests on. A pool that would refuse the workflow alone is no
candidate; where all would, each says why.
"""

from collections.abc import Sequence

from xylem import spec
from xylem.domain.errors import InvalidRequest, InvalidSpec
from xylem.domain.placement import Choice, Outlook, Priority, Site, choose, gang, outlook
from xylem.domain.pool import Pool
from xylem.domain.values import replace
from xylem.ports.configs import Pools
from xylem.usecases.clusters import Clusters

MOST_POOLS = 8
"""In one submission: their numbers are kept in the workflow's row."""

_KEPT_CHARS = 200
"""Of one pool's reasons, in that row."""


def named(text: str, pools: Pools) -> list[Pool]:
    """The pools of `a,b`, in that order. Names of pools have no commas. Raises `UnknownPool`."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    if len(names) > MOST_POOLS:
        raise InvalidRequest(f"{len(names)} pools are named: name {MOST_POOLS} at the most.")
    return [pools.pool(name) for name in names]


def place(
    specification: spec.Specification,
    pools: Sequence[Pool],
    priority: Priority,
    *,
    clusters: Clusters | None = None,
    admin: bool = False,
) -> tuple[Pool, Choice | None]:
    """The pool, and how it was chosen from several. Raises `InvalidSpec`."""
    if len(pools) == 1:
        [pool] = pools
        site = Site(pool, online=True)
        if clusters is not None:
            nodes, opened = clusters.nodes(pool), clusters.is_open(pool.backend)
            site = Site(pool, online=True, nodes=nodes, open=opened)
        _admit(specification, site, priority, admin=admin)
        return pool, None
    if clusters is None:
        raise InvalidRequest("Name one pool: nothing is known about clusters here.")
    refused: dict[str, InvalidSpec] = {}
    outlooks = []
    for site in clusters.sites(pools):
        try:
            _admit(specification, site, priority, admin=admin)
        except InvalidSpec as error:
            refused[site.pool.name] = error
            reasons = tuple(str(error).splitlines())
            outlooks.append(Outlook(site.pool.name, "impossible", reasons))
        else:
            gangs = [gang(group, site.pool) for group in specification.plan.groups]
            outlooks.append(outlook(site, gangs, priority, admin=admin))
    choice = choose(outlooks, clusters.clock())
    if choice.pool is None:
        raise _nowhere(specification, refused)
    return next(pool for pool in pools if pool.name == choice.pool), _small(choice)


def _admit(
    specification: spec.Specification, site: Site, priority: Priority, *, admin: bool
) -> None:
    pool = site.pool
    if pool.maintenance and not admin:
        raise InvalidSpec(
            f"Pool {pool.name} is under maintenance: submit to another one, or try again later."
        )
    if not site.open:
        raise InvalidSpec(
            f"Pool {pool.name} takes no new work, because its backend {pool.backend} is drained: "
            "submit to another one, or try again later."
        )
    spec.check_pool(
        specification.plan,
        pool,
        nodes=site.nodes,
        priority=priority,
        written=specification.written,
        on_lines=specification.on_lines,
    )


def _nowhere(specification: spec.Specification, refused: dict[str, InvalidSpec]) -> InvalidSpec:
    lines = ["None of the pools can run it."]
    for name, error in refused.items():
        lines += [f"pool {name}: {line}" for line in str(error).splitlines()]
    first = next(iter(refused.values()))
    return InvalidSpec("\n".join(lines), code=first.code, workflow=specification.plan.name)


def _small(choice: Choice) -> Choice:
    """As it is kept: the numbers, and the first reason of each pool."""
    return replace(
        choice,
        considered=tuple(
            replace(one, reasons=tuple(reason[:_KEPT_CHARS] for reason in one.reasons[:1]))
            for one in choice.considered
        ),
    )
