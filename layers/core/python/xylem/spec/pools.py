"""What an admin writes of a pool -> `Pool`, and back: OSMO's words, field for field.

The models say what one value may be; `pool_of` what the values say about each other, every problem
with its path below `configs`. What OSMO's configs may say and Xylem does not use is kept as it is,
and reads back (`KEPT`); what neither knows is refused, because a misspelt key would do nothing.

Pod templates and resource validations are configs of their own (`xylem.spec.pod_templates`,
`xylem.spec.validations`), of which a pool has the names. Conditions may also come with the config
itself, as the `parsed_resource_validations` that OSMO derives.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from xylem.domain.errors import InvalidRequest
from xylem.domain.exits import ACTIONS, ExitRule, parse_codes
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.node import Toleration
from xylem.domain.plan import Resources
from xylem.domain.pool import (
    UNBOUNDED,
    Assertion,
    GpuQuota,
    Kept,
    Platform,
    Pool,
    PoolLimits,
    Timeouts,
    TopologyKey,
)
from xylem.domain.pool_book import PoolBook
from xylem.domain.templates import Value
from xylem.spec import group_templates, pod_templates
from xylem.spec.resources import size_in_bytes
from xylem.spec.timeout import time_of
from xylem.spec.validations import (
    VARIABLES,
    AssertionConfig,
    Text,
    assertion_problems,
    assertions_of,
    config_of_assertions,
)

NAME = r"^[a-zA-Z]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$"
"""Of a pool, a backend, a platform; OSMO's."""

ITEMS = 200
"""Of any list in a config, and of the platforms of a pool. All pools are one row of 400 KB."""

KEPT = ("download_type",)
"""Kept and given back, without an effect."""

_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "exec": "execution",
        "queue": "queue",
        "start": "start",
        "waiting": "waiting",
        "processing": "processing",
    }
)
"""Of each, `default_..._timeout` and `max_..._timeout`: the limits that they are of."""

_TIMEOUTS = tuple(f"{which}_{kind}" for which in ("default", "max") for kind in _LIMITS)
_OSMOS_TIMEOUTS = {"default_exec", "default_queue", "max_exec", "max_queue"}
NOTHING_BUT_SHIPPED = PoolBook()
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")


Name = Annotated[str, Field(pattern=NAME, max_length=63)]
Texts = Annotated[list[Text], Field(max_length=ITEMS)]
Variables = Annotated[dict[Text, JsonValue], Field(max_length=ITEMS)]
Bound = Annotated[int, Field(ge=UNBOUNDED, le=10**6)]


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TolerationConfig(_Config):
    key: Text = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: Text | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: Annotated[int, Field(ge=0)] | None = None


class PlatformConfig(_Config):
    description: Text = ""
    host_network_allowed: bool = False
    privileged_allowed: bool = False
    allowed_mounts: Texts = []
    default_mounts: Texts = []
    tolerations: Annotated[list[TolerationConfig], Field(max_length=ITEMS)] = []
    labels: Annotated[dict[Text, Text], Field(max_length=ITEMS)] = {}
    default_variables: Variables = {}
    resource_validations: Texts = []
    parsed_resource_validations: Annotated[list[AssertionConfig], Field(max_length=ITEMS)] = []
    override_pod_template: Texts = []
    parsed_pod_template: dict[str, JsonValue] = {}
    parsed_pod_template_for_accounting: dict[str, JsonValue] = {}


class GpuConfig(_Config):
    guarantee: Bound = UNBOUNDED
    maximum: Bound = UNBOUNDED
    weight: Annotated[int, Field(ge=0, le=10**6)] = 1


class QuotaConfig(_Config):
    gpu: GpuConfig | None = None


class TopologyKeyConfig(_Config):
    key: Text
    label: Text


class PoolConfig(_Config):
    """`status` and `last_heartbeat` are found, not configured: what a config that was read back
    says of them is passed over."""

    name: Text = ""
    description: Text = ""
    status: Text | None = None
    last_heartbeat: Text | None = None
    download_type: Text | None = None
    enable_maintenance: bool = False
    backend: Name
    default_platform: Text | None = None
    default_exec_timeout: Text = ""
    default_queue_timeout: Text = ""
    max_exec_timeout: Text = ""
    max_queue_timeout: Text = ""
    default_start_timeout: Text = ""
    default_waiting_timeout: Text = ""
    default_processing_timeout: Text = ""
    max_start_timeout: Text = ""
    max_waiting_timeout: Text = ""
    max_processing_timeout: Text = ""
    default_exit_actions: Annotated[dict[Text, Text], Field(max_length=ITEMS)] = {}
    resources: QuotaConfig = QuotaConfig()
    topology_keys: Annotated[list[TopologyKeyConfig], Field(max_length=ITEMS)] = []
    common_default_variables: Variables = {}
    common_resource_validations: Texts = []
    parsed_resource_validations: Annotated[list[AssertionConfig], Field(max_length=ITEMS)] = []
    common_pod_template: Texts = []
    common_group_templates: Texts = []
    parsed_pod_template: dict[str, JsonValue] = {}
    parsed_pod_template_for_accounting: dict[str, JsonValue] = {}
    parsed_group_templates: Annotated[list[JsonValue], Field(max_length=ITEMS)] = []
    platforms: Annotated[dict[Name, PlatformConfig], Field(max_length=ITEMS)] = {}


def pool_of(name: str, config: PoolConfig, book: PoolBook = NOTHING_BUT_SHIPPED) -> Pool:
    """Raises `InvalidRequest` with all that does not fit together, or not with what `book` has."""
    problems = list(_problems(name, config, book))
    if problems:
        raise InvalidRequest("\n".join(problems))
    pool = _pool(name, config)
    unknown = [
        *pod_templates.unknown_variables(pool, book),
        *group_templates.unknown_variables(pool, book),
    ]
    if unknown:
        raise InvalidRequest("\n".join(unknown))
    return pool


def _pool(name: str, config: PoolConfig) -> Pool:
    gpu = config.resources.gpu
    return Pool(
        name=PoolName(name),
        backend=BackendName(config.backend),
        description=config.description,
        default_platform=config.default_platform or None,
        platforms={key: _platform(one) for key, one in config.platforms.items()},
        maintenance=config.enable_maintenance,
        timeouts=Timeouts(**{key: _written(config, key) for key in _TIMEOUTS}),
        default_limits=_limits(config, "default"),
        max_limits=_limits(config, "max"),
        exit_actions=config.default_exit_actions,
        exit_rules=tuple(
            ExitRule(ACTIONS[key.upper()], parse_codes(codes))
            for key, codes in config.default_exit_actions.items()
        ),
        gpu=GpuQuota(gpu.guarantee, gpu.maximum, gpu.weight) if gpu else None,
        topology_keys=tuple(TopologyKey(one.key, one.label) for one in config.topology_keys),
        variables=_values(config.common_default_variables),
        defaults=_defaults(config.common_default_variables),
        resource_validations=tuple(config.common_resource_validations),
        assertions=assertions_of(config.parsed_resource_validations),
        pod_templates=tuple(config.common_pod_template),
        group_templates=tuple(config.common_group_templates),
        kept=_kept(config),
    )


def _platform(config: PlatformConfig) -> Platform:
    return Platform(
        description=config.description,
        host_network_allowed=config.host_network_allowed,
        privileged_allowed=config.privileged_allowed,
        allowed_mounts=tuple(config.allowed_mounts),
        default_mounts=tuple(config.default_mounts),
        labels=config.labels,
        tolerations=tuple(
            Toleration(one.key, one.operator, one.value or "", one.effect, one.tolerationSeconds)
            for one in config.tolerations
        ),
        variables=_values(config.default_variables),
        defaults=_defaults(config.default_variables),
        resource_validations=tuple(config.resource_validations),
        assertions=assertions_of(config.parsed_resource_validations),
        pod_templates=tuple(config.override_pod_template),
    )


def _values(variables: Mapping[str, JsonValue]) -> dict[str, Value]:
    """`_variable_problems` lets no others pass."""
    return {
        key: value
        for key, value in variables.items()
        if value is None or isinstance(value, str | int | float | bool)
    }


def _kept(config: PoolConfig) -> dict[str, Kept]:
    given = {key: getattr(config, key) for key in KEPT}
    return {
        key: value if isinstance(value, str) else tuple(value)
        for key, value in given.items()
        if value
    }


def _defaults(variables: Mapping[str, JsonValue]) -> Resources:
    """Raises `ValueError` for what is no amount."""
    found = {
        key: _amount(key, variables[key]) for key in VARIABLES if variables.get(key) is not None
    }
    return Resources(
        cpu=found.get("USER_CPU"),
        gpu=found.get("USER_GPU"),
        memory=found.get("USER_MEMORY"),
        storage=found.get("USER_STORAGE"),
    )


def _amount(key: str, value: JsonValue) -> int:
    if key in ("USER_MEMORY", "USER_STORAGE"):
        return size_in_bytes(str(value))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no number.")
    number = float(value)
    if number < 0 or number != int(number):
        raise ValueError(f"{value!r} is no whole number.")
    return int(number)


def _limits(config: PoolConfig, which: str) -> PoolLimits:
    return PoolLimits(
        **{name: _time(_written(config, f"{which}_{kind}")) for kind, name in _LIMITS.items()}
    )


def _written(config: PoolConfig, key: str) -> str:
    text: str = getattr(config, f"{key}_timeout")
    return text


def _time(text: str) -> timedelta | None:
    """Raises `PydanticCustomError`."""
    return time_of(text) if text else None


# What does not fit together ---------------------------------------------------------------------


def _problems(name: str, config: PoolConfig, book: PoolBook) -> Iterator[str]:
    if config.name and config.name != name:
        yield f"configs.name: is {config.name}, but the pool is {name}. Leave it out."
    if config.default_platform and config.default_platform not in config.platforms:
        has = ", ".join(sorted(config.platforms)) or "of which there are none"
        yield (
            f"configs.default_platform: is {config.default_platform}, but must be one of the "
            f"pool's platforms, {has}."
        )
    for key in _TIMEOUTS:
        try:
            _time(_written(config, key))
        except PydanticCustomError as error:
            yield f"configs.{key}_timeout: {error.message()}"
    yield from _exit_problems(config.default_exit_actions)
    gpu = config.resources.gpu
    if gpu and UNBOUNDED < gpu.maximum < gpu.guarantee:
        yield (
            f"configs.resources.gpu: the guarantee is {gpu.guarantee}, but the maximum "
            f"{gpu.maximum}: nothing is guaranteed beyond the maximum."
        )
    keys = [one.key for one in config.topology_keys]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"configs.topology_keys: {key} is there more than once."
    yield from _variable_problems(
        "configs.common_default_variables", config.common_default_variables
    )
    path = "configs.common_pod_template"
    yield from _name_problems(path, config.common_pod_template, book.pod_templates)
    path = "configs.common_group_templates"
    yield from _name_problems(path, config.common_group_templates, book.group_templates)
    path = "configs.common_resource_validations"
    if not config.parsed_resource_validations:
        yield from _name_problems(
            path, config.common_resource_validations, book.resource_validations
        )
    yield from assertion_problems(
        "configs.parsed_resource_validations", config.parsed_resource_validations
    )
    for key, platform in config.platforms.items():
        yield from _platform_problems(f"configs.platforms.{key}", platform, book)


def _platform_problems(path: str, config: PlatformConfig, book: PoolBook) -> Iterator[str]:
    for key in ("allowed_mounts", "default_mounts"):
        for index, mount in enumerate(getattr(config, key)):
            if not mount.startswith("/") or ":" in mount or ".." in mount.split("/"):
                where = f"{path}.{key}[{index}]"
                yield f"{where}: {mount} is no folder of a node: write its whole path."
    for label, value in config.labels.items():
        key = label.rpartition("/")[2]
        if not _is_label(key) or (value and not _is_label(value)):
            yield f"{path}.labels.{label}: {label}={value} is no label that a node can have."
    for index, one in enumerate(config.tolerations):
        if not one.key and one.operator == "Equal":
            yield f"{path}.tolerations[{index}]: without a key its operator must be Exists."
        if one.operator == "Exists" and one.value:
            yield f"{path}.tolerations[{index}]: with the operator Exists it has no value."
    yield from _variable_problems(f"{path}.default_variables", config.default_variables)
    yield from _name_problems(
        f"{path}.override_pod_template", config.override_pod_template, book.pod_templates
    )
    if not config.parsed_resource_validations:
        yield from _name_problems(
            f"{path}.resource_validations", config.resource_validations, book.resource_validations
        )
    yield from assertion_problems(
        f"{path}.parsed_resource_validations", config.parsed_resource_validations
    )


def _name_problems(path: str, names: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Each once: what a template says twice, it says wrongly."""
    for index, name in enumerate(names):
        if name not in known:
            has = ", ".join(sorted(known)) or "none"
            yield f"{path}[{index}]: {name} is not known: known are {has}. Put it first."
        elif name in names[:index]:
            yield f"{path}[{index}]: {name} is there more than once."


def _is_label(text: str) -> bool:
    return len(text) <= 63 and _LABEL.fullmatch(text) is not None


def _exit_problems(actions: Mapping[str, str]) -> Iterator[str]:
    for key, codes in actions.items():
        path = f"configs.default_exit_actions.{key}"
        if key.upper() not in ACTIONS:
            yield f"{path}: is no action: known are {', '.join(ACTIONS)}."
        try:
            parse_codes(codes)
        except ValueError as error:
            yield f"{path}: {error}"


def _variable_problems(path: str, variables: Mapping[str, JsonValue]) -> Iterator[str]:
    for key, value in variables.items():
        if isinstance(value, list | dict):
            yield f"{path}.{key}: is text, a number, true or false."
        elif key in VARIABLES and value is not None:
            try:
                _amount(key, value)
            except ValueError as error:
                yield f"{path}.{key}: {error}"


# And back ---------------------------------------------------------------------------------------


def config_of(pool: Pool) -> dict[str, Any]:
    """As OSMO answers `GET /api/configs/pool/{name}`, but for `status`, which is no config. Of a
    pool as it was put: what its names come to is not its own word."""
    return {
        "name": pool.name,
        "description": pool.description,
        "download_type": pool.kept.get("download_type"),
        "enable_maintenance": pool.maintenance,
        "backend": pool.backend,
        "default_platform": pool.default_platform,
        **timeouts_of(pool),
        "default_exit_actions": dict(pool.exit_actions),
        "resources": {"gpu": gpu_of(pool.gpu)},
        "topology_keys": [{"key": one.key, "label": one.label} for one in pool.topology_keys],
        "common_default_variables": dict(pool.variables),
        "common_resource_validations": list(pool.resource_validations),
        "common_pod_template": list(pool.pod_templates),
        "common_group_templates": list(pool.group_templates),
        "platforms": {name: _config_of(one) for name, one in pool.platforms.items()},
        **_parsed(pool.assertions),
    }


def timeouts_of(pool: Pool) -> dict[str, str]:
    """OSMO's four always; ours, which its clients do not know, where there are some."""
    written = {key: getattr(pool.timeouts, key) for key in _TIMEOUTS}
    return {
        f"{key}_timeout": text for key, text in written.items() if text or key in _OSMOS_TIMEOUTS
    }


def gpu_of(quota: GpuQuota | None) -> dict[str, int] | None:
    if quota is None:
        return None
    return {"guarantee": quota.guarantee, "maximum": quota.maximum, "weight": quota.weight}


def _config_of(platform: Platform) -> dict[str, Any]:
    """Labels and tolerations are derived from templates with OSMO: only where there are some."""
    own = {
        "labels": dict(platform.labels),
        "tolerations": [one.manifest for one in platform.tolerations],
        "default_mounts": list(platform.default_mounts),
    }
    return {
        "description": platform.description,
        "host_network_allowed": platform.host_network_allowed,
        "privileged_allowed": platform.privileged_allowed,
        "allowed_mounts": list(platform.allowed_mounts),
        "default_variables": dict(platform.variables),
        "resource_validations": list(platform.resource_validations),
        "override_pod_template": list(platform.pod_templates),
        **{key: value for key, value in own.items() if value},
        **_parsed(platform.assertions),
    }


def _parsed(assertions: Sequence[Assertion]) -> dict[str, Any]:
    """Conditions that came with the config."""
    return {"parsed_resource_validations": config_of_assertions(assertions)} if assertions else {}
