"""Configs: what admins set for the whole service, of several kinds, and the revisions of each.

A kind is one value (all pools, all roles, all of what holds for workflows). Each change of a kind
is a revision of it, numbered from 1, which is what a new installation has; the newest is what
holds. A revision says who made it, why, and under which tags; it is never changed in what it holds.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from xylem.domain.ids import UserName
from xylem.domain.plan import Retries
from xylem.domain.values import dataclass, field

MOST_TASKS = 10_000
"""Of one workflow, whatever an admin allows."""


class ConfigKind(StrEnum):
    """OSMO's words for them."""

    SERVICE = "SERVICE"
    WORKFLOW = "WORKFLOW"
    BACKEND = "BACKEND"
    POOL = "POOL"
    POD_TEMPLATE = "POD_TEMPLATE"
    GROUP_TEMPLATE = "GROUP_TEMPLATE"
    RESOURCE_VALIDATION = "RESOURCE_VALIDATION"
    BACKEND_TEST = "BACKEND_TEST"
    ROLE = "ROLE"
    DATASET = "DATASET"


FIRST = 1
INSTALLER = UserName("system")
SHIPPED_AT = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when the first revision holds: nobody set it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a change. `name`: what of the kind it was about; empty: all of it. `kind`:
    what was written, also where that was there already. `expected`: the newest revision of the
    kind as whoever asks saw it; others have changed it where that is another by now."""

    kind: ConfigKind | None = None
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] | None = None
    expected: int | None = None


NO_NOTE = Note()


@dataclass(frozen=True, slots=True)
class Revision:
    """`data`: all of the kind, as JSON. `deleted_by`: who took it out of the history; its number
    is not used again."""

    kind: ConfigKind
    number: int
    author: UserName
    at: datetime
    data: str
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] | None = None
    deleted_by: UserName | None = None


@dataclass(frozen=True, slots=True)
class WorkflowConfig:
    """`max_num_tasks`: of one workflow. `max_retry_per_task`: how often a task is tried again where
    an exit rule asks for it; `max_retry_disrupted`: and after what the infrastructure did to it.
    `keep_refused_submissions`: as FAILED_SUBMISSION with its reason, as OSMO does; without, what is
    refused leaves nothing. `max_num_workflows`: of one user, that have not ended; and of one pool
    (None: as many as one likes). `tags`: those that workflows may be given. `kept`: what OSMO's
    config says besides, without an effect."""

    max_num_tasks: int = MOST_TASKS
    max_retry_per_task: int = 0
    max_retry_disrupted: int = 3
    keep_refused_submissions: bool = False
    max_num_workflows: int | None = None
    max_num_workflows_per_pool: int | None = None
    tags: tuple[str, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def retries(self) -> Retries:
        return Retries(disrupted=self.max_retry_disrupted, asked=self.max_retry_per_task)


DEFAULT_CONFIG = WorkflowConfig()

DAYS_OF_A_TOKEN = 365


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """`max_token_days`: how far from now an access token may expire. `min_supported_version`:
    clients that say they are older are refused; `latest_version`: those that are older are told so.
    `kept`: what OSMO's config says besides, without an effect."""

    max_token_days: int = DAYS_OF_A_TOKEN
    latest_version: str | None = None
    min_supported_version: str | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


DEFAULT_SERVICE = ServiceConfig()
