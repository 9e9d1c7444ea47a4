"""What a pod's containers agree on with the Task Runtime: folders, programs, the sidecar's orders.

Changing a word here changes it for `operators/task_runtime`; both travel in one image, whose tag is
the release's.
"""

from collections.abc import Mapping
from typing import Any

from xylem.domain.plan import DatasetInput, GroupPlan, Input, Limits, TaskInput, TaskPlan
from xylem.domain.tokens import INPUT_FOLDER, OUTPUT_FOLDER
from xylem.manifests.facts import GroupFacts

EXEC_IN_IMAGE = "/opt/xylem/bin/xylem-exec"
CTRL_IN_IMAGE = "/opt/xylem/bin/xylem-ctrl"
RSYNC_IN_IMAGE = "/opt/xylem/bin/xylem-rsync"
UDP_IN_IMAGE = "/opt/xylem/bin/xylem-udp"
"""What a session runs beside the sidecar, in its container."""

PROGRAMS = "/osmo/bin"
"""Where osmo-init installs the wrapper for the task's own container, whose image knows nothing."""

EXEC = f"{PROGRAMS}/xylem-exec"
RUN = "/osmo/run"
"""Where wrapper and sidecar meet: spool, state, signals."""

RUN_OF_TASK = f"{RUN}/task"
DATA = "/osmo/data"
TOKEN = "/osmo/token"
CONFIG = "/osmo/config"

TOKEN_FILE = "token"
CONFIG_FILE = "task.json"


LOOK_SECONDS = 10.0
LOOKS_PER_SECOND = 20
"""A pod of a gang asks so often whether another one is tried again; of a large gang so many ask
in a second."""


def waits(plan: GroupPlan, task: TaskPlan) -> bool:
    """The command starts when the sidecar says so, not before: there is something to download, or
    others to wait for. Without either it need not wait for the sidecar to come up at all."""
    return bool(task.inputs) or plan.waits_at_barrier


def command(plan: GroupPlan, task: TaskPlan, limits: Limits) -> list[str]:
    """The task's command, run by the wrapper, which keeps the limit of its run whether or not
    anybody hears of the pod."""
    wait = ["--wait"] if waits(plan, task) else []
    limit = ["--timeout", f"{limits.execution.total_seconds():.3f}"]
    return [EXEC, "run", "--run", RUN_OF_TASK, *wait, *limit, "--", *task.command, *task.args]


def config(plan: GroupPlan, task: TaskPlan, facts: GroupFacts) -> Mapping[str, Any]:
    """What the sidecar reads from `CONFIG_FILE`: where things are, never what opens them."""
    return {
        "api_url": facts.api_url,
        "workflow": facts.workflow,
        "group": facts.group,
        "incarnation": facts.incarnation,
        "task": task.name,
        "retry": facts.retries[task.name],
        "inputs": [
            {"index": index, **_source(input), "regex": input.regex}
            for index, input in enumerate(task.inputs)
        ],
        "outputs": [{"url": output.url, "regex": output.regex} for output in task.outputs],
        "datasets": [
            {
                "index": index,
                "dataset": one.dataset,
                "path": one.path,
                "regex": one.regex,
                "updates": one.updates,
                "paths": list(one.paths),
                "metadata": list(one.metadata),
                "labels": list(one.labels),
            }
            for index, one in enumerate(task.datasets)
        ],
        "checkpoints": [
            {
                "path": checkpoint.path,
                "url": checkpoint.url,
                "frequency": checkpoint.frequency.total_seconds(),
                "regex": checkpoint.regex,
            }
            for checkpoint in task.checkpoints
        ],
        "kpis": [{"index": kpi.index, "path": kpi.path} for kpi in task.kpis],
        "barrier": plan.waits_at_barrier,
        "gang": _gang(plan, facts),
        "input": INPUT_FOLDER,
        "output": OUTPUT_FOLDER,
        "wait": waits(plan, task),
    }


def _gang(plan: GroupPlan, facts: GroupFacts) -> Mapping[str, float] | None:
    size = len(plan.tasks)
    if size == 1:
        return None
    return {"restarts": facts.restarts, "look_every": max(LOOK_SECONDS, size / LOOKS_PER_SECOND)}


def _source(input: Input) -> Mapping[str, str]:
    if isinstance(input, DatasetInput):
        return {"dataset": input.dataset}
    if not isinstance(input, TaskInput):
        return {"url": input.url}
    earlier = {} if input.workflow is None else {"workflow": input.workflow}
    return {"task": input.task, **earlier}
