"""What an admin writes of a cluster -> `BackendConfig`: OSMO's words.

OSMO has one type of scheduler, `kai`; here are three. Who sends back what he read sends also what
is found and not configured (`version`, `online`, ...), which is passed over, and texts for people,
which are kept.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import BackendName
from xylem.domain.node_conditions import DEFAULT_CONDITIONS, STATUSES, NodeConditions
from xylem.domain.pool import DEFAULT_SCHEDULER, Scheduler
from xylem.domain.pool_book import BackendConfig, PoolBook
from xylem.domain.values import replace
from xylem.spec.backend_tests import require_pods
from xylem.spec.validations import Text

TEXTS = ("description", "dashboard_url", "grafana_url", "router_address")

NAMES: dict[str, str] = {
    "default": DEFAULT_SCHEDULER.name,
    "kai": "kai-scheduler",
    "volcano": "volcano",
}
"""What pods call each by, unless it was installed under another name: kubernetes.io/docs (Configure
Multiple Schedulers), github.com/NVIDIA/KAI-Scheduler (Quick Start), volcano.sh/en/docs (Scheduler).
"""

SchedulerName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]


class SchedulerForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scheduler_type: Literal["default", "kai", "volcano"] = "kai"
    scheduler_name: SchedulerName | None = None
    scheduler_timeout: Annotated[int, Field(ge=1, le=86_400)] = 30


MOST_RULES = 50
MOST_TESTS = 20
RULE_CHARS = 200


class NodeConditionsForm(BaseModel):
    """`rules` null: OSMO's own, that a node has to be ready."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[dict[str, str], Field(max_length=MOST_RULES)] | None = None
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/$", max_length=254)] = (
        DEFAULT_CONDITIONS.prefix
    )


class BackendForm(BaseModel):
    """What is not named stays as it is."""

    model_config = ConfigDict(extra="forbid")

    description: Text | None = None
    dashboard_url: Text | None = None
    grafana_url: Text | None = None
    router_address: Text | None = None
    scheduler_settings: SchedulerForm | None = None
    k8s_uid: JsonValue = None
    k8s_namespace: JsonValue = None
    name: JsonValue = None
    version: JsonValue = None
    last_heartbeat: JsonValue = None
    created_date: JsonValue = None
    online: JsonValue = None
    joined: JsonValue = None
    draining: JsonValue = None
    registered_by: JsonValue = None
    tests: Annotated[list[str], Field(max_length=MOST_TESTS)] | None = None
    node_conditions: NodeConditionsForm | None = None


def put_backend(name: BackendName, form: BackendForm, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` with all that is wrong, each with its path."""
    if problems := list(_problems(form, book)):
        raise InvalidRequest("\n".join(problems), code="USER")
    before = book.backends.get(name, BackendConfig())
    after = replace(book, backends={**book.backends, name: _config(form, before)})
    require_pods(after)
    return after


def _problems(form: BackendForm, book: PoolBook) -> Iterator[str]:
    for index, test in enumerate(form.tests or ()):
        if test not in book.backend_tests:
            known = ", ".join(sorted(book.backend_tests)) or "none yet"
            yield f"configs.tests[{index}]: {test[:63]} is not known: known are {known}."
    rules = form.node_conditions.rules if form.node_conditions else None
    for type_, status in (rules or {}).items():
        where = f"configs.node_conditions.rules.{type_[:63]}"
        if not type_:
            yield f"{where}: it is empty: a rule is for the types that begin as it says."
        elif wrong := _wrong(type_) or _wrong(status):
            yield f"{where}: {wrong}"
        elif not any(re.fullmatch(status, one) for one in STATUSES):
            yield (
                f"{where}: {status} permits no status: one is {', '.join(STATUSES)}, several are "
                "True|Unknown."
            )


def _wrong(expression: str) -> str:
    """Empty: it is a regular expression."""
    if len(expression) > RULE_CHARS:
        return f"it has {len(expression)} characters; {RULE_CHARS} are the most."
    try:
        re.compile(expression)
    except (re.error, RecursionError, OverflowError) as error:
        return f"{expression} is no regular expression: {error}."
    return ""


def _config(form: BackendForm, before: BackendConfig) -> BackendConfig:
    said = {key: getattr(form, key) for key in TEXTS if getattr(form, key) is not None}
    chosen = form.scheduler_settings
    scheduler = before.scheduler
    if chosen is not None:
        name = chosen.scheduler_name or NAMES[chosen.scheduler_type]
        scheduler = Scheduler(chosen.scheduler_type, name, chosen.scheduler_timeout)
    conditions, tests = before.node_conditions, before.tests
    if form.node_conditions is not None:
        rules = form.node_conditions.rules or DEFAULT_CONDITIONS.rules
        conditions = NodeConditions(dict(rules), form.node_conditions.prefix)
    if form.tests is not None:
        tests = tuple(dict.fromkeys(form.tests))
    return replace(
        before,
        texts={**before.texts, **said},
        scheduler=scheduler,
        node_conditions=conditions,
        tests=tests,
    )


def scheduler_config(scheduler: Scheduler) -> dict[str, Any]:
    return {
        "scheduler_type": scheduler.type,
        "scheduler_name": scheduler.name,
        "scheduler_timeout": scheduler.timeout,
    }
