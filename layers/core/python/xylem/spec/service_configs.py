"""What an admin writes of the service and of all workflows -> `ServiceConfig` and `WorkflowConfig`,
and back: OSMO's words, field for field.

What Xylem does not use is kept and reads back. No secret is kept: the service has a store of its
own and signs with keys of its own, so keys of OSMO's store, a registry or a mail server would open
nothing here. A mask where a secret was is passed over, so that what was read back can be written.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from xylem.domain.config import MOST_TASKS, ServiceConfig, WorkflowConfig
from xylem.domain.errors import InvalidRequest
from xylem.domain.versions import read_version
from xylem.spec.validations import Text

MASK = "**********"
ITEMS = 200
MOST_RETRIES = 1_000
BYTES = 300_000
"""Of one kind as it is kept: it has to fit a row of 400 KB."""

_DAYS = re.compile(r"(\d{1,5})d")

Texts = Annotated[list[Text], Field(max_length=ITEMS)]
Count = Annotated[int, Field(ge=0, le=2**31)]
Retries = Annotated[int, Field(ge=0, le=MOST_RETRIES)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RegistryForm(_Form):
    registry: Text = ""
    username: Text = ""
    auth: Text = ""


class ImagesForm(_Form):
    init: Text = ""
    client: Text = ""
    credential: RegistryForm = RegistryForm()


class MailForm(_Form):
    host: Text = ""
    sender: Text = ""
    password: Text = ""


class AlertsForm(_Form):
    slack_token: Text = ""
    smtp_settings: MailForm = MailForm()


class DataForm(_Form):
    credential: dict[Text, JsonValue] | None = None
    base_url: Text = ""
    websocket_timeout: Count = 1440
    data_timeout: Count = 10
    download_type: Text = "download"


class LogForm(_Form):
    credential: dict[Text, JsonValue] | None = None


class InfoForm(_Form):
    tags: Texts = []
    max_name_length: Count = 64


class CredentialsForm(_Form):
    disable_registry_validation: Texts = []
    disable_data_validation: Texts = []


class LimitsForm(_Form):
    max_num_workflows: Count | None = None
    max_num_tasks: Count | None = None
    jinja_sandbox_workers: Count = 2
    jinja_sandbox_max_time: float = 0.5
    jinja_sandbox_memory_limit: Count = 104_857_600


class RsyncForm(_Form):
    enabled: bool = False
    enable_telemetry: bool = False
    read_bandwidth_limit: Count = 2_621_440
    write_bandwidth_limit: Count = 2_621_440
    allowed_paths: Annotated[dict[Text, JsonValue], Field(max_length=ITEMS)] = {}
    daemon_debounce_delay: float = 30.0
    daemon_poll_interval: float = 120.0
    daemon_reconcile_interval: float = 60.0
    client_upload_rate_limit: Count = 2_097_152


class PluginsForm(_Form):
    rsync: RsyncForm = RsyncForm()


class LabelPolicyForm(_Form):
    key: Text
    allow_list: Texts = []
    enforcement: Literal["off", "warn", "enforce"] = "off"
    assert_message: Text = ""


class LabelsForm(_Form):
    policy: Annotated[list[LabelPolicyForm], Field(max_length=ITEMS)] = []
    pod_label_prefix: Text = ""


class WorkflowForm(_Form):
    """The last three are ours."""

    workflow_data: DataForm = DataForm()
    workflow_log: LogForm = LogForm()
    workflow_app: LogForm = LogForm()
    workflow_info: InfoForm = InfoForm()
    backend_images: ImagesForm = ImagesForm()
    workflow_alerts: AlertsForm = AlertsForm()
    credential_config: CredentialsForm = CredentialsForm()
    user_workflow_limits: LimitsForm = LimitsForm()
    plugins_config: PluginsForm = PluginsForm()
    labels_config: LabelsForm = LabelsForm()
    max_num_tasks: Annotated[int, Field(ge=1, le=MOST_TASKS)] = MOST_TASKS
    max_num_ports_per_task: Count = 30
    max_retry_per_task: Retries = 0
    max_retry_per_job: Count = 5
    default_schedule_timeout: Count = 30
    default_exec_timeout: Text = "60d"
    default_queue_timeout: Text = "60d"
    max_exec_timeout: Text = "60d"
    max_queue_timeout: Text = "60d"
    force_cleanup_delay: Text = "1h"
    max_log_lines: Count = 10_000
    max_task_log_lines: Count = 1_000
    max_error_log_lines: Count = 100
    max_event_log_lines: Count = 100
    task_heartbeat_frequency: Text = "10m"
    max_retry_disrupted: Retries = 3
    keep_refused_submissions: bool = False
    max_num_workflows_per_pool: Count | None = None


class LoginForm(_Form):
    device_endpoint: Text | None = None
    device_client_id: Text | None = None
    browser_endpoint: Text | None = None
    browser_client_id: Text | None = None
    token_endpoint: Text | None = None
    logout_endpoint: Text | None = None


class AuthForm(_Form):
    """`keys`, `active_key`, `issuer` and `audience` are the deployment's: what a config that was
    read back says of them is passed over."""

    keys: dict[Text, JsonValue] = {}
    active_key: Text = ""
    issuer: Text = ""
    audience: Text = ""
    user_roles: Texts = ["osmo-user"]
    ctrl_roles: Texts = ["osmo-user", "osmo-ctrl"]
    login_info: LoginForm = LoginForm()
    max_token_duration: Text = "365d"


class CliForm(_Form):
    latest_version: Text | None = None
    min_supported_version: Text | None = None
    client_install_url: Text | None = None


class ServiceForm(_Form):
    service_base_url: Text = ""
    service_auth: AuthForm = AuthForm()
    cli_config: CliForm = CliForm()
    max_pod_restart_limit: Text = "30m"
    agent_queue_size: Count = 1024


_SECRETS = ("auth", "slack_token", "password", "private_key", "access_key")
_OURS = (
    "max_num_tasks",
    "max_retry_per_task",
    "max_retry_disrupted",
    "keep_refused_submissions",
    "max_num_workflows_per_pool",
)
"""Which have an effect, and fields of their own."""
_OF_THE_DEPLOYMENT = ("keys", "active_key", "issuer", "audience")


def workflow_config(form: WorkflowForm) -> WorkflowConfig:
    """Raises `InvalidRequest` for a secret."""
    kept = _kept(form)
    kept.pop("workflow_info", None)
    if form.workflow_info.max_name_length != InfoForm().max_name_length:
        kept["workflow_info"] = {"max_name_length": form.workflow_info.max_name_length}
    for key in _OURS:
        kept.pop(key, None)
    kept.get("user_workflow_limits", {}).pop("max_num_workflows", None)
    return WorkflowConfig(
        max_num_workflows=form.user_workflow_limits.max_num_workflows,
        max_num_workflows_per_pool=form.max_num_workflows_per_pool,
        max_num_tasks=form.max_num_tasks,
        max_retry_per_task=form.max_retry_per_task,
        max_retry_disrupted=form.max_retry_disrupted,
        keep_refused_submissions=form.keep_refused_submissions,
        tags=tuple(form.workflow_info.tags),
        kept=kept,
    )


def workflow_form(config: WorkflowConfig) -> WorkflowForm:
    info = InfoForm.model_validate(config.kept.get("workflow_info", {}))
    return WorkflowForm.model_validate(
        {
            **config.kept,
            "workflow_info": {**info.model_dump(), "tags": list(config.tags)},
            "max_num_tasks": config.max_num_tasks,
            "max_retry_per_task": config.max_retry_per_task,
            "max_retry_disrupted": config.max_retry_disrupted,
            "keep_refused_submissions": config.keep_refused_submissions,
            "max_num_workflows_per_pool": config.max_num_workflows_per_pool,
            "user_workflow_limits": {
                **config.kept.get("user_workflow_limits", {}),
                "max_num_workflows": config.max_num_workflows,
            },
        }
    )


def service_config(form: ServiceForm) -> ServiceConfig:
    """Raises `InvalidRequest`."""
    days = _DAYS.fullmatch(form.service_auth.max_token_duration)
    if days is None or not int(days[1]):
        raise InvalidRequest(
            "service_auth.max_token_duration: write a number of days, e.g. 365d.", code="USAGE"
        )
    for key in ("latest_version", "min_supported_version"):
        version = getattr(form.cli_config, key)
        if version is not None and read_version(version) is None:
            raise InvalidRequest(f"cli_config.{key}: write a version, e.g. 6.4.0.", code="USAGE")
    kept = _kept(form)
    kept.get("service_auth", {}).pop("max_token_duration", None)
    for key in ("latest_version", "min_supported_version"):
        kept.get("cli_config", {}).pop(key, None)
    return ServiceConfig(
        max_token_days=int(days[1]),
        latest_version=form.cli_config.latest_version,
        min_supported_version=form.cli_config.min_supported_version,
        kept=kept,
    )


def service_form(config: ServiceConfig) -> ServiceForm:
    auth, cli = (config.kept.get(key, {}) for key in ("service_auth", "cli_config"))
    return ServiceForm.model_validate(
        {
            **config.kept,
            "service_auth": {**auth, "max_token_duration": f"{config.max_token_days}d"},
            "cli_config": {
                **cli,
                "latest_version": config.latest_version,
                "min_supported_version": config.min_supported_version,
            },
        }
    )


def patched(form: BaseModel, changes: Mapping[str, Any]) -> Any:
    """What is named is replaced, objects key by key, lists as a whole. Raises `InvalidRequest` in
    the words of pydantic, which are OSMO's."""
    try:
        return type(form).model_validate(merged(form.model_dump(), changes))
    except ValidationError as error:
        text = str(error).replace(type(form).__name__, _OSMOS[type(form)])
        raise InvalidRequest(text, code="USAGE") from None


_OSMOS: Mapping[type[BaseModel], str] = {
    ServiceForm: "ServiceConfig",
    WorkflowForm: "WorkflowConfig",
}


def merged(whole: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    after = dict(whole)
    for key, value in changes.items():
        known = after.get(key)
        after[key] = (
            merged(known, value)
            if isinstance(known, dict) and isinstance(value, Mapping)
            else value
        )
    return after


def masked(form: BaseModel) -> dict[str, Any]:
    """As OSMO answers: where a secret would be, a mask."""

    def mask(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: mask(one, name) for name, one in value.items()}
        return MASK if key in _SECRETS else value

    shown: dict[str, Any] = mask(form.model_dump())
    return shown


def _kept(form: BaseModel) -> dict[str, Any]:
    """What differs from the defaults, without what the deployment says. Raises
    `InvalidRequest`."""
    kept = _without_secrets(form.model_dump(exclude_defaults=True))
    if "service_auth" in kept:
        auth = kept["service_auth"]
        kept["service_auth"] = {
            key: one for key, one in auth.items() if key not in _OF_THE_DEPLOYMENT
        }
    size = len(repr(kept))
    if size > BYTES:
        raise InvalidRequest(f"The config has {size} characters; the most is {BYTES}.")
    return kept


def _without_secrets(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    left: dict[str, Any] = {}
    for key, one in value.items():
        if isinstance(one, dict):
            left[key] = _without_secrets(one, f"{path}{key}.")
        elif key not in _SECRETS:
            left[key] = one
        elif one not in ("", MASK, None):
            raise InvalidRequest(
                f"{path}{key}: no secret is kept in a config. Leave it out: Xylem has a store and "
                "keys of its own; a user's secrets are credentials.",
                code="USAGE",
            )
    return left


__all__ = [
    "LoginForm",
    "ServiceForm",
    "WorkflowForm",
    "masked",
    "patched",
    "service_config",
    "service_form",
    "workflow_config",
    "workflow_form",
]
