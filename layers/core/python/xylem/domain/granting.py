"""What may be handed on: nobody gives, to himself or another, what he may not do himself.

Whoever may write roles, or give them to users, could otherwise make himself an admin by a policy
that he adds, a role that he takes, or a denial that he takes away. Kubernetes stops that by the
same rule (https://kubernetes.io/docs/reference/access-authn-authz/rbac/, "Privilege escalation
prevention and bootstrapping").

A pattern is within another where each action and resource that it stands for is. What several
policies cover only together counts as not covered, and so does what a denial of the giver touches
anywhere: that errs towards refusing, and an admin is never refused.
"""

from collections.abc import Callable, Iterable

from xylem.domain.access import Principal
from xylem.domain.errors import Forbidden
from xylem.domain.role import EVERYBODY, NOWHERE, OURS, Policy, Role, Roles

Patterns = Iterable[tuple[str, str]]
"""Of actions, and of resources that they are done to."""


def require(who: Principal, patterns: Patterns, stored: Callable[[], Roles]) -> None:
    """`patterns`: what somebody would come to be allowed. Raises `Forbidden`."""
    wanted = list(patterns)
    if not wanted:
        return
    mine = named({*who.roles, EVERYBODY}, stored()) if who.kind == "user" else []
    for action, resource in wanted:
        if not covers(mine, action, resource):
            on = f" on {resource}" if resource else ""
            raise Forbidden(
                f"{who.subject} would allow {action}{on} without being allowed to do that: ask an "
                "admin to do it."
            )


def gained(before: Roles, after: Roles) -> Patterns:
    """What bearers of roles may do, as patterns of actions and resources, when `after` holds that
    they could not be sure to do before."""
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was is not None and now is not None and _names(was) != _names(now):
            yield from given([now])  # a provider's people come to have it
            continue
        had = was.policies if was is not None else ()
        has = now.policies if now is not None else ()
        yield from _patterns(
            [one for one in has if one.effect == "Allow" and one not in had]
            + [one for one in had if one.effect == "Deny" and one not in has]
        )


def _names(role: Role) -> tuple[str, frozenset[str]]:
    return role.sync_mode, frozenset(role.external_roles)


def given(roles: Iterable[Role]) -> Patterns:
    """What somebody may do who comes to have these."""
    for role in roles:
        allowing = [one for one in role.policies if one.effect == "Allow"]
        yield from _patterns([*allowing, *_ours(role)])


def taken(roles: Iterable[Role]) -> Patterns:
    """What somebody may do again who has these no more: what they denied."""
    for role in roles:
        yield from _patterns([one for one in role.policies if one.effect == "Deny"])


def named(names: Iterable[str], roles: Roles) -> list[Role]:
    return [roles[name] for name in names if name in roles]


def covers(mine: Iterable[Role], action: str, resource: str) -> bool:
    policies = [policy for role in mine for policy in (*role.policies, *_ours(role))]
    return any(
        one.effect == "Allow"
        and any(_within_action(action, mine) for mine in one.actions)
        and (resource == NOWHERE or any(_within(resource, mine) for mine in one.resources))
        for one in policies
    ) and not any(
        one.effect == "Deny"
        and any(_meet_action(action, mine) for mine in one.actions)
        and (resource == NOWHERE or any(_meet(resource, mine) for mine in one.resources))
        for one in policies
    )


def _ours(role: Role) -> tuple[Policy, ...]:
    return (OURS[role.name],) if role.name in OURS else ()


def _patterns(policies: Iterable[Policy]) -> Patterns:
    for policy in policies:
        for action in policy.actions:
            for resource in policy.resources or (NOWHERE,):
                yield action, resource


def _halves(action: str) -> tuple[str, str]:
    kind, colon, verb = action.partition(":")
    return (kind, verb) if colon else (kind, kind)  # `*` alone stands for both


def _within_action(one: str, other: str) -> bool:
    return all(mine in ("*", its) for its, mine in zip(_halves(one), _halves(other), strict=True))


def _meet_action(one: str, other: str) -> bool:
    halves = zip(_halves(one), _halves(other), strict=True)
    return all("*" in (a, b) or a == b for a, b in halves)


def _within(one: str, other: str) -> bool:
    return one.startswith(other[:-1]) if other.endswith("*") else one == other


def _meet(one: str, other: str) -> bool:
    return _within(one, other) or _within(other, one)
