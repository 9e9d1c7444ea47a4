"""The datasets that a plan names, at its submission: each in its bucket, which there is, and which
may be written to where the task does. Which versions there will be is known when they are used."""

from collections.abc import Iterator

from xylem import spec
from xylem.domain.dataset_config import DatasetConfig, bucket_for, require_writable
from xylem.domain.errors import InvalidRequest, Problem
from xylem.domain.plan import DatasetInput, TaskPlan, WorkflowPlan
from xylem.domain.values import replace
from xylem.ports.catalog import DatasetConfigs


def pinned(
    plan: WorkflowPlan, configs: DatasetConfigs, *, of: spec.Specification | None = None
) -> WorkflowPlan:
    """Raises `InvalidSpec` with all that is wrong. Reads nothing for a plan without datasets."""
    tasks = [task for group in plan.groups for task in group.tasks]
    if not any(_has_datasets(task) for task in tasks):
        return plan
    config = configs.datasets()
    problems = [one for task in tasks for one in _problems(task, plan, config, of)]
    if problems:
        raise spec.refusal(of.on_lines(problems) if of else problems, kept_as=plan.name)
    groups = tuple(
        replace(group, tasks=tuple(_pinned(task, config) for task in group.tasks))
        for group in plan.groups
    )
    return replace(plan, groups=groups)


def _has_datasets(task: TaskPlan) -> bool:
    return bool(task.datasets) or any(isinstance(one, DatasetInput) for one in task.inputs)


def _problems(
    task: TaskPlan, plan: WorkflowPlan, config: DatasetConfig, of: spec.Specification | None
) -> Iterator[Problem]:
    at = spec.place_of(task.name, plan, of.written if of else None)
    read = [
        ("inputs", index, one.dataset)
        for index, one in enumerate(task.inputs)
        if isinstance(one, DatasetInput)
    ]
    written = [("outputs", index, one.dataset) for index, one in enumerate(task.datasets)]
    for key, index, name in [*read, *written]:
        try:
            bucket = _bucket(name, config)
            if key == "outputs" and bucket is not None:
                require_writable(bucket, config)
        except InvalidRequest as error:
            where = (*at, key, index) if key == "inputs" else (*at, key)
            yield spec.problem(error.code, where, f"{name}: {error}")


def _bucket(name: str, config: DatasetConfig) -> str | None:
    """None: it is known when its tokens are."""
    front, slash, _ = name.partition("/")
    if slash and "{{" in front:
        return None
    return bucket_for(front if slash else None, config)


def _pinned(task: TaskPlan, config: DatasetConfig) -> TaskPlan:
    def pin(name: str) -> str:
        return name if "/" in name else f"{_bucket(name, config)}/{name}"

    return replace(
        task,
        inputs=tuple(
            replace(one, dataset=pin(one.dataset)) if isinstance(one, DatasetInput) else one
            for one in task.inputs
        ),
        datasets=tuple(replace(one, dataset=pin(one.dataset)) for one in task.datasets),
    )
