"""The special tokens' values, now that the group has an id, and a task with all of them filled in.

`{{host:x}}` is `<hostname>.<service>`. The service cannot know the namespace that the operator
works in, so OSMO's full name (`....<namespace>.svc.cluster.local`) is not written; within the
namespace, the search domains of every pod complete the short one.
"""

from dataclasses import replace
from uuid import UUID, uuid5

from xylem.domain.ids import task_uuid
from xylem.domain.plan import GroupPlan, Input, TaskInput, TaskPlan
from xylem.domain.tokens import INPUT_FOLDER, OUTPUT_FOLDER, substitute
from xylem.manifests.facts import GroupFacts, service_name


def filled_in(task: TaskPlan, plan: GroupPlan, facts: GroupFacts) -> TaskPlan:
    values = {
        "workflow_id": str(facts.workflow),
        "output": OUTPUT_FOLDER,
        "uuid": str(uuid5(UUID(facts.workflow_uuid), task.name)),
    }
    for index, input in reversed(list(enumerate(task.inputs))):
        if isinstance(input, TaskInput):
            values[f"input:{input.task}"] = f"{INPUT_FOLDER}/{index}"
    for index in range(len(task.inputs)):
        values[f"input:{index}"] = f"{INPUT_FOLDER}/{index}"
    for other in plan.tasks:
        host = f"{task_uuid(facts.group, other.name)}.{service_name(facts)}"
        values[f"host:{other.name}"] = host

    def fill(text: str) -> str:
        return substitute(text, values)

    def filled(input: Input) -> Input:
        if isinstance(input, TaskInput):
            return replace(input, regex=fill(input.regex))
        return replace(input, url=fill(input.url), regex=fill(input.regex))

    return replace(
        task,
        image=fill(task.image),
        command=tuple(map(fill, task.command)),
        args=tuple(map(fill, task.args)),
        environment={name: fill(value) for name, value in task.environment.items()},
        files=tuple(
            replace(
                file,
                path=fill(file.path),
                contents=file.contents if file.base64 else fill(file.contents),
            )
            for file in task.files
        ),
        inputs=tuple(map(filled, task.inputs)),
    )
