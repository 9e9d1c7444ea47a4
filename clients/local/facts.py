"""What is there: the folder, the processes and the code, looked at once per `up`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clients.local import stack
from clients.local.fingerprint import fingerprint
from clients.local.parts import Part, parts_of
from clients.local.plan import Facts
from clients.local.processes import find_leftovers
from clients.local.settings import Settings
from clients.local.supervisor import Running, Supervisor, configuration
from clients.sdk.login import load, token_expiry

_RENEWED_BEFORE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Look:
    facts: Facts
    parts: tuple[Part, ...]
    running: Mapping[str, Running]
    configuration: str
    app: str
    """The fingerprint of the CDK app."""


def look(settings: Settings, *, now: datetime) -> Look:
    parts = parts_of(settings)
    made_of = {part.name.value: fingerprint(settings.root, part.sources) for part in parts}
    wanted = configuration(settings, parts, made_of)
    running = Supervisor(settings).running()
    app = stack.app_fingerprint(settings)
    deployed = stack.deployment(settings)
    facts = Facts(
        supervised=running is not None,
        as_wanted=_text_of(settings) == wanted,
        started=all(
            part.name in (running or {}) and (running or {})[part.name].up for part in parts
        ),
        leftovers=bool(find_leftovers(settings.home, supervised=running is not None)),
        synthesised=stack.is_synthesised(settings, app),
        bootstrapped=deployed.bootstrapped,
        deployed=deployed.assembly == app,
        tokens_last=_tokens_last(settings, now),
        finished=deployed.finished,
        desk=settings.own_kubeconfig is None,
    )
    return Look(facts, parts, running or {}, wanted, app)


def _text_of(settings: Settings) -> str | None:
    try:
        return settings.supervisor_configuration.read_text()
    except FileNotFoundError:
        return None


def _tokens_last(settings: Settings, now: datetime) -> bool:
    login = load(settings.login_folder)
    if login is None or login.token is None or not settings.operator_token.is_file():
        return False
    tokens = (login.token, settings.operator_token.read_text().strip())
    ends = [token_expiry(token) or datetime.min.replace(tzinfo=UTC) for token in tokens]
    return min(ends) > now + _RENEWED_BEFORE
