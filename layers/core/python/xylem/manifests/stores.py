"""The keys of the object stores that a task's URLs lie in, as its sidecar finds them.

They are part of the attempt's own Secret, which is mounted into the sidecar alone: the task's
command never sees them.
"""

from collections.abc import Mapping

from xylem.domain.plan import TaskPlan, UrlInput
from xylem.manifests.facts import GroupFacts

Keys = dict[str, dict[str, str]]


def config(task: TaskPlan, facts: GroupFacts) -> Mapping[str, Keys]:
    """By the URL below which they open; only what this task's URLs need."""
    urls = [
        *(input.url for input in task.inputs if isinstance(input, UrlInput)),
        *(output.url for output in task.outputs),
        *(checkpoint.url for checkpoint in task.checkpoints),
    ]
    needed = {
        prefix: dict(keys)
        for prefix, keys in facts.stores.items()
        if any(f"{url}/".startswith(f"{prefix}/") for url in urls)
    }
    return {"stores": needed} if needed else {}
