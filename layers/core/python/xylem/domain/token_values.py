"""What the special tokens of a task stand for, once its group has an id.

`{{host:x}}` is `<hostname>.<service>`. The service cannot know the namespace that the operator
works in, so OSMO's full name (`....<namespace>.svc.cluster.local`) is not written; within the
namespace, the search domains of every pod complete the short one.
"""

from collections.abc import Mapping
from uuid import UUID, uuid5

from xylem.domain.ids import GroupId, WorkflowId, WorkflowUuid, group_service, task_uuid
from xylem.domain.plan import DatasetInput, GroupPlan, TaskInput, TaskPlan
from xylem.domain.tokens import INPUT_FOLDER, OUTPUT_FOLDER


def token_values(
    task: TaskPlan,
    plan: GroupPlan,
    *,
    workflow: WorkflowId,
    workflow_uuid: WorkflowUuid,
    group: GroupId,
    incarnation: int,
) -> Mapping[str, str]:
    """By the tokens' keys."""
    values = {
        "workflow_id": str(workflow),
        "output": OUTPUT_FOLDER,
        "uuid": str(uuid5(UUID(workflow_uuid), task.name)),
    }
    for index, input in reversed(list(enumerate(task.inputs))):
        if isinstance(input, TaskInput):
            values[f"input:{input.task}"] = f"{INPUT_FOLDER}/{index}"
            if input.workflow is not None:
                values[f"input:{input.workflow}:{input.task}"] = f"{INPUT_FOLDER}/{index}"
        if isinstance(input, DatasetInput):
            name = input.dataset.rpartition("/")[2].partition(":")[0]
            values[f"input:{name}"] = f"{INPUT_FOLDER}/{index}"
    for index in range(len(task.inputs)):
        values[f"input:{index}"] = f"{INPUT_FOLDER}/{index}"
    for other in plan.tasks:
        host = f"{task_uuid(group, other.name)}.{group_service(group, incarnation)}"
        values[f"host:{other.name}"] = host
    return values
