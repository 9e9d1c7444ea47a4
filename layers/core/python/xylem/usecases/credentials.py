"""Users keep secrets with the service, and tasks get them.

Setting follows OSMO: a REGISTRY or DATA credential takes the place of the one with the same
profile, whatever that is called; any other with a name that is taken is refused, because whoever
overwrites a secret by accident cannot get it back.

    set, listed, delete    what a user does with them
    require                at submission: what a plan names is there, with the keys that it asks for
    of_group               at the start: what the pods of a group are to be given

What an admin keeps for a pool is used where the user has none of that name, or none for that URL or
that image. The image of the Task Runtime is the admin's: users' logins are not tried at it.
"""

from collections.abc import Callable, Iterable, Mapping

from xylem.domain.credential import Credential, KnownCredential, keeper_of, opening, pulling
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.ids import PoolName, UserName
from xylem.domain.plan import CredentialUse, GroupPlan, TaskPlan, UrlInput
from xylem.domain.values import dataclass, field
from xylem.ports.configs import Credentials
from xylem.ports.world import Clock

MOST_CREDENTIALS = 50
"""Of one user: all of them are read whenever one is set, or a URL wants its keys."""

ATTEMPTS = 5

Payloads = Mapping[str, Mapping[str, str]]


class Missing(Exception):
    """A credential that a group needs is not there any more, or lacks a key. Says which."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the pods of a group are given: `named` by the name in the spec, `stores` by the URL
    below which they open, `registries` by the name below which the images of the tasks lie;
    `runtime_registry` is the login for the Task Runtime's own image, empty without one. Its text
    leaves the values out."""

    named: Payloads = field(default_factory=dict, repr=False)
    stores: Payloads = field(default_factory=dict, repr=False)
    registries: Payloads = field(default_factory=dict, repr=False)
    runtime_registry: Mapping[str, str] = field(default_factory=dict, repr=False)


def set_credential(
    user: UserName, credential: Credential, *, credentials: Credentials, clock: Clock
) -> None:
    """Raises `InvalidRequest`; `Conflict` when others of the same user's were always faster."""
    for _ in range(ATTEMPTS):
        replaced = _replaced(credential, credentials.all(user))
        try:
            credentials.put(user, credential, replacing=replaced, now=clock())
        except Conflict:
            continue
        return
    raise Conflict(f"The credentials of {user} are being changed by others: try again.")


def _replaced(credential: Credential, known: list[KnownCredential]) -> str | None:
    """The name of the one whose place it takes. Raises `InvalidRequest`."""
    same = [one.name for one in known if one.profile and one.profile == credential.profile]
    replaced = credential.name if credential.name in same else next(iter(same), None)
    if any(one.name == credential.name for one in known) and replaced != credential.name:
        raise InvalidRequest(
            f"Credential {credential.name} exists already: delete it first, or choose another "
            "name.",
            code="USER",
        )
    if replaced is None and len(known) >= MOST_CREDENTIALS:
        raise InvalidRequest(
            f"You have {len(known)} credentials, which is the most: delete one first.", code="USER"
        )
    return replaced


def listed(user: UserName, *, credentials: Credentials) -> list[KnownCredential]:
    """In OSMO's order: kinds from R to D, then names."""
    by_name = credentials.all(user)
    return sorted(by_name, key=lambda one: one.kind, reverse=True)


def delete(user: UserName, name: str, *, credentials: Credentials) -> KnownCredential:
    """What was deleted. Raises `InvalidRequest` for what is not there."""
    for known in credentials.all(user):
        if known.name == name:
            credentials.delete(user, name)
            return known
    raise InvalidRequest(f"Credential {name[:100]} does not exist.", code="USER")


def of_group(
    plan: GroupPlan,
    user: UserName,
    *,
    pool: PoolName,
    runtime_image: str,
    credentials: Credentials,
) -> Secrets:
    """Raises `Missing`. Opens nothing for a group that needs none."""
    owners = (user, keeper_of(pool))
    opened: dict[tuple[UserName, str], Credential | None] = {}

    def payload(owner: UserName, name: str) -> Mapping[str, str] | None:
        if (owner, name) not in opened:
            opened[owner, name] = credentials.open(owner, name)
        found = opened[owner, name]
        return found.payload if found else None

    named = {}
    for task in plan.tasks:
        for use in task.credentials:
            found = next(filter(None, (payload(owner, use.name) for owner in owners)), None)
            if found is None:
                raise Missing(f"The credential {use.name} of {user} is not there any more.")
            if missing := lacking(use, found):
                raise Missing(
                    f"The credential {use.name} of {user} has no {', '.join(missing)} any more."
                )
            named[use.name] = found
    known = {owner: credentials.all(owner) for owner in owners}

    def first(
        wanted: Iterable[str], fits: Callable[[str, list[KnownCredential]], KnownCredential | None]
    ) -> Payloads:
        """By the profile of what fits."""
        by_profile: dict[str, Mapping[str, str]] = {}
        for one in sorted(set(wanted)):
            for owner, theirs in known.items():
                fitting = fits(one, theirs)
                if fitting and fitting.profile and (found := payload(owner, fitting.name)):
                    by_profile[fitting.profile] = found
                    break
        return by_profile

    keeper = keeper_of(pool)
    runtime = pulling(runtime_image, known[keeper])
    return Secrets(
        named,
        stores=first((url for task in plan.tasks for url in _urls(task)), opening),
        registries=first((task.image for task in plan.tasks), pulling),
        runtime_registry=(payload(keeper, runtime.name) if runtime else None) or {},
    )


def lacking(use: CredentialUse, keys: Iterable[str]) -> list[str]:
    return sorted(set(use.environment.values()) - set(keys))


def _urls(task: TaskPlan) -> list[str]:
    return [
        *(input.url for input in task.inputs if isinstance(input, UrlInput)),
        *(output.url for output in task.outputs),
        *(checkpoint.url for checkpoint in task.checkpoints),
    ]
