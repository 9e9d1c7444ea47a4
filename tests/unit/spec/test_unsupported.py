"""What is not carried out yet is refused; nothing is accepted and ignored."""

import pytest

from tests.builders_spec import a_task, plan_of, refusal_of, yaml_of
from xylem.spec.resources import ResourceSpec
from xylem.spec.unsupported import NOT_YET
from xylem.spec.workflow import (
    CheckpointSpec,
    FileSpec,
    GroupSpec,
    InputSpec,
    KpiSpec,
    OutputSpec,
    TaskSpec,
    WorkflowSpec,
)

MODELS = (
    *(WorkflowSpec, GroupSpec, TaskSpec, FileSpec, InputSpec, OutputSpec, CheckpointSpec),
    *(KpiSpec, ResourceSpec),
)


@pytest.mark.parametrize(
    ("task", "path"),
    [
        (a_task(inputs=[{"dataset": {"name": "d"}}]), "inputs[0].dataset"),
        (a_task(outputs=[{"dataset": {"name": "d"}}]), "outputs[0].dataset"),
        (a_task(outputs=[{"update_dataset": {"name": "d"}}]), "outputs[0].update_dataset"),
    ],
)
def test_it_is_refused_with_its_path_in_one_sentence(task: dict[str, object], path: str) -> None:
    (line,) = str(refusal_of(yaml_of(task))).splitlines()

    assert line.startswith(f"workflow.tasks[0].{path}: ")
    assert "is not supported yet" in line


def test_a_value_that_asks_for_nothing_is_no_reason_to_refuse() -> None:
    plain = plan_of(a_task())

    assert (
        plan_of(
            a_task(
                privileged=False,
                hostNetwork=False,
                outputs=[],
                inputs=[],
                credentials={},
                exitActions={},
                cacheSize=None,
                downloadType=None,
            ),
            timeout={},
            resources={"default": {"topology": [], "nodesExcluded": []}},
        )
        == plain
    )


def test_every_key_on_the_list_is_one_of_the_models_and_the_reverse() -> None:
    refusing = {
        name
        for model in MODELS
        for name, field in model.model_fields.items()
        if field.annotation is type(None)
    }

    assert refusing == {*NOT_YET, "localpath"}
