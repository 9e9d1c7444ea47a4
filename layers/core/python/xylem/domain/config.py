"""What an admin sets for all workflows (OSMO's config WORKFLOW), as far as this release has it."""

from xylem.domain.plan import Retries
from xylem.domain.values import dataclass

MOST_TASKS = 10_000
"""Of one workflow, whatever an admin allows."""


@dataclass(frozen=True, slots=True)
class WorkflowConfig:
    """`max_num_tasks`: of one workflow. `max_retry_per_task`: how often a task is tried again where
    an exit rule asks for it; `max_retry_disrupted`: and after what the infrastructure did to it.
    `keep_refused_submissions`: as FAILED_SUBMISSION with its reason, as OSMO does; without, what is
    refused leaves nothing."""

    max_num_tasks: int = MOST_TASKS
    max_retry_per_task: int = 0
    max_retry_disrupted: int = 3
    keep_refused_submissions: bool = False

    @property
    def retries(self) -> Retries:
        return Retries(disrupted=self.max_retry_disrupted, asked=self.max_retry_per_task)


DEFAULT_CONFIG = WorkflowConfig()
