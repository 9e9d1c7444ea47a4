"""What an admin writes of a cluster -> `BackendConfig`: OSMO's words.

OSMO has one type of scheduler, `kai`; here are three. Who sends back what he read sends also what
is found and not configured (`version`, `online`, ...), which is passed over, and texts for people,
which are kept.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from xylem.domain.pool import DEFAULT_SCHEDULER, Scheduler
from xylem.domain.pool_book import BackendConfig
from xylem.domain.values import replace
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
    tests: JsonValue = None
    node_conditions: JsonValue = None


def backend_of(form: BackendForm, before: BackendConfig) -> BackendConfig:
    said = {key: getattr(form, key) for key in TEXTS if getattr(form, key) is not None}
    chosen = form.scheduler_settings
    scheduler = before.scheduler
    if chosen is not None:
        name = chosen.scheduler_name or NAMES[chosen.scheduler_type]
        scheduler = Scheduler(chosen.scheduler_type, name, chosen.scheduler_timeout)
    return replace(before, texts={**before.texts, **said}, scheduler=scheduler)


def scheduler_config(scheduler: Scheduler) -> dict[str, Any]:
    return {
        "scheduler_type": scheduler.type,
        "scheduler_name": scheduler.name,
        "scheduler_timeout": scheduler.timeout,
    }
