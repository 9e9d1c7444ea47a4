"""Webhooks of a user: addresses that hear of each of his workflows that ends.

They are kept as credentials are, the secret sealed and the address in the open, under a name that
is no user's. The secret is ours and shown once: who makes it up himself makes it short.
"""

from collections.abc import Callable

from xylem.domain import credential
from xylem.domain.errors import InvalidRequest, NotFound
from xylem.domain.ids import UserName
from xylem.domain.notification import MOST_WEBHOOKS, webhooks_of
from xylem.domain.target import PUBLIC, Policy, target_of
from xylem.domain.values import dataclass, field
from xylem.ports.configs import Credentials
from xylem.ports.world import Clock
from xylem.usecases.credentials import set_credential


@dataclass(frozen=True, slots=True)
class Webhook:
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class NewWebhook:
    name: str
    url: str
    secret: str = field(repr=False)


def listed(user: UserName, *, credentials: Credentials) -> list[Webhook]:
    return [Webhook(one.name, one.profile or "") for one in credentials.all(webhooks_of(user))]


def create(
    user: UserName,
    name: str,
    url: str,
    *,
    secret: Callable[[], str],
    credentials: Credentials,
    clock: Clock,
    policy: Policy = PUBLIC,
) -> NewWebhook:
    """Raises `InvalidRequest`."""
    target_of(url, policy)
    known = listed(user, credentials=credentials)
    if any(one.name == name for one in known):
        raise _wrong(f"Webhook {name} exists already: delete it first, or choose another name.")
    if any(one.url == url for one in known):
        raise _wrong(f"{url} hears of your workflows already.")
    if len(known) >= MOST_WEBHOOKS:
        raise _wrong(f"You have {MOST_WEBHOOKS} webhooks, which is the most: delete one first.")
    made = NewWebhook(name, url, secret())
    kept = credential.webhook(name, url=url, secret=made.secret)
    set_credential(webhooks_of(user), kept, credentials=credentials, clock=clock)
    return made


def delete(user: UserName, name: str, *, credentials: Credentials) -> Webhook:
    """What was on its way to it is given up. Raises `NotFound`."""
    for one in listed(user, credentials=credentials):
        if one.name == name:
            credentials.delete(webhooks_of(user), name)
            return one
    raise NotFound(f"There is no webhook {name[: credential.NAME_CHARS]} of yours.")


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
