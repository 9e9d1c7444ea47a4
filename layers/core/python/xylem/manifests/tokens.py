"""A task with the values of the special tokens (`domain/token_values.py`) filled in.

As with OSMO, every text that a task says something with has its tokens filled in; names by which
others know a thing (of the task, a resource, a credential, a variable) have none.
"""

from collections.abc import Callable

from xylem.domain.plan import DatasetInput, GroupPlan, Input, TaskInput, TaskPlan
from xylem.domain.token_values import token_values
from xylem.domain.tokens import OUTPUT_FOLDER, substitute
from xylem.domain.values import replace
from xylem.manifests.facts import GroupFacts


def filled_in(task: TaskPlan, plan: GroupPlan, facts: GroupFacts) -> TaskPlan:
    values = token_values(
        task,
        plan,
        workflow=facts.workflow,
        workflow_uuid=facts.workflow_uuid,
        group=facts.group,
        incarnation=facts.incarnation,
    )

    def fill(text: str) -> str:
        return substitute(text, values)

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
        inputs=tuple(_filled(input, fill) for input in task.inputs),
        outputs=tuple(
            replace(output, url=fill(output.url), regex=fill(output.regex))
            for output in task.outputs
        ),
        datasets=tuple(
            replace(
                each,
                dataset=fill(each.dataset),
                path=_in_output(fill(each.path)),
                regex=fill(each.regex),
                paths=tuple(_in_output(fill(one)) for one in each.paths),
                metadata=tuple(_in_output(fill(one)) for one in each.metadata),
                labels=tuple(_in_output(fill(one)) for one in each.labels),
            )
            for each in task.datasets
        ),
        credentials=tuple(
            replace(use, mount=None if use.mount is None else fill(use.mount))
            for use in task.credentials
        ),
        checkpoints=tuple(
            replace(each, path=fill(each.path), url=fill(each.url), regex=fill(each.regex))
            for each in task.checkpoints
        ),
        kpis=tuple(replace(kpi, index=fill(kpi.index), path=fill(kpi.path)) for kpi in task.kpis),
        volume_mounts=tuple(map(fill, task.volume_mounts)),
    )


def _filled(input: Input, fill: Callable[[str], str]) -> Input:
    if isinstance(input, TaskInput):
        return replace(input, regex=fill(input.regex))
    if isinstance(input, DatasetInput):
        return replace(input, dataset=fill(input.dataset), regex=fill(input.regex))
    return replace(input, url=fill(input.url), regex=fill(input.regex))


def _in_output(path: str) -> str:
    """`{{output}}/a` is `a`: what a dataset is made of lies in the output."""
    return path.removeprefix(OUTPUT_FOLDER).lstrip("/") if path.startswith(OUTPUT_FOLDER) else path
