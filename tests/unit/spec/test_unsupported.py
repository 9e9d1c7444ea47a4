"""What is not carried out yet is refused; nothing is accepted and ignored."""

import pytest
from pydantic.alias_generators import to_camel

from tests.builders_spec import a_task, plan_of, refusal_of, yaml_of
from xylem.spec.resources import ResourceSpec
from xylem.spec.unsupported import NOT_YET
from xylem.spec.workflow import GroupSpec, InputSpec, TaskSpec, WorkflowSpec

MODELS = (WorkflowSpec, GroupSpec, TaskSpec, InputSpec, ResourceSpec)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (yaml_of(a_task(exitActions={"COMPLETE": "1"})), "workflow.tasks[0].exitActions"),
        (yaml_of(a_task(checkpoint=[{"path": "/x"}])), "workflow.tasks[0].checkpoint"),
        (yaml_of(a_task(kpis=[{"index": "a", "path": "b"}])), "workflow.tasks[0].kpis"),
        (yaml_of(a_task(credentials={"c": "/creds"})), "workflow.tasks[0].credentials"),
        (yaml_of(a_task(outputs=[{"url": "s3://b/k"}])), "workflow.tasks[0].outputs"),
        (yaml_of(a_task(inputs=[{"url": "s3://b/k"}])), "workflow.tasks[0].inputs[0].url"),
        (
            yaml_of(a_task(inputs=[{"dataset": {"name": "d"}}])),
            "workflow.tasks[0].inputs[0].dataset",
        ),
        (yaml_of(a_task(inputs=[{"task": "w-1:a"}])), "workflow.tasks[0].inputs[0]"),
        (yaml_of(a_task(volumeMounts=["/data"])), "workflow.tasks[0].volumeMounts"),
        (yaml_of(a_task(hostNetwork=True)), "workflow.tasks[0].hostNetwork"),
        (yaml_of(a_task(privileged=True)), "workflow.tasks[0].privileged"),
        (yaml_of(a_task(cacheSize="90%")), "workflow.tasks[0].cacheSize"),
        (yaml_of(a_task(downloadType="download")), "workflow.tasks[0].downloadType"),
        (
            yaml_of(resources={"default": {"topology": [{"key": "rack"}]}}),
            "workflow.resources.default.topology",
        ),
        (
            yaml_of(resources={"default": {"nodesExcluded": ["n1"]}}),
            "workflow.resources.default.nodesExcluded",
        ),
    ],
)
def test_it_is_refused_with_its_path_in_one_sentence(text: str, path: str) -> None:
    (line,) = str(refusal_of(text)).splitlines()

    assert line.startswith(f"{path}: ")
    assert "is not supported yet" in line


def test_a_value_that_asks_for_nothing_is_no_reason_to_refuse() -> None:
    plain = plan_of(a_task())

    assert (
        plan_of(
            a_task(privileged=False, hostNetwork=False, outputs=[], credentials={}, cacheSize=None),
            timeout={},
            resources={"default": {"topology": [], "nodesExcluded": []}},
        )
        == plain
    )


def test_every_key_on_the_list_is_one_of_the_models_and_the_reverse() -> None:
    refusing = {
        to_camel(name)
        for model in MODELS
        for name, field in model.model_fields.items()
        if field.annotation is type(None)
    }

    assert refusing == set(NOT_YET)
