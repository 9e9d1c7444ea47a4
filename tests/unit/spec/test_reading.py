import pytest
import yaml

from tests.builders_spec import a_file, a_task, refusal_of, yaml_of
from xylem import spec
from xylem.domain.errors import InvalidSpec


def stored(text: str) -> str:
    return spec.stored_text(spec.read(text), default_platform="default")


def test_environment_variables_of_the_request_reach_every_task_and_win() -> None:
    groups = [{"name": "g", "tasks": [a_task("a", lead=True, environment={"A": "0"}), a_task("b")]}]

    (group,) = spec.parse(yaml_of(groups=groups), env_vars=["A=1", "B=x=y"]).groups

    assert [task.environment for task in group.tasks] == [{"A": "1", "B": "x=y"}] * 2


@pytest.mark.parametrize("variable", ["A", "=x", "1A=x"])
def test_an_environment_variable_without_name_or_value_is_refused(variable: str) -> None:
    refused = refusal_of(yaml_of(), env_vars=[variable])

    assert str(refused).splitlines()[0] == (
        f"Environment variable {variable} is incorrectly formatted"
    )
    assert (refused.code, refused.workflow) == ("USAGE", None)


def test_labels_of_the_request_win_over_those_of_the_spec() -> None:
    plan = spec.parse(yaml_of(labels={"team": "a", "exp": "1"}), labels=["team=b"])

    assert plan.labels == {"team": "b", "exp": "1"}


def test_a_dry_run_shows_the_rendered_yaml_with_its_keys_sorted() -> None:
    text = "workflow:\n  name: dflt\n  tasks:\n  - {name: a, image: u, command: [echo]}\n"

    shown = spec.dry_run(text)

    assert shown == (
        "dflt",
        "workflow:\n  name: dflt\n  tasks:\n  - command:\n    - echo\n    image: u\n    name: a\n",
    )


def test_a_dry_run_checks_no_more_than_yaml_and_labels() -> None:
    assert spec.dry_run("workflow: {name: a, bogus: 1}").name == "a"
    with pytest.raises(InvalidSpec, match="Label team is incorrectly"):
        spec.dry_run("workflow: {name: a}", labels=["team"])
    with pytest.raises(InvalidSpec, match=r"workflow\.name: is required"):
        spec.dry_run("workflow: {}")


def test_the_stored_text_is_in_groups_with_leads_and_platforms_and_without_defaults() -> None:
    assert stored(yaml_of(a_task("a", args=["hi"], lead=False), name="good")) == (
        "version: 2\n"
        "workflow:\n"
        "  groups:\n"
        "  - name: a-group\n"
        "    tasks:\n"
        "    - args:\n"
        "      - hi\n"
        "      command:\n"
        "      - 'true'\n"
        "      image: ubuntu:22.04\n"
        "      lead: true\n"
        "      name: a\n"
        "  name: good\n"
        "  resources:\n"
        "    default:\n"
        "      platform: default\n"
    )


def test_the_stored_text_keeps_tokens_scripts_and_names_of_resources() -> None:
    script = "set -e\necho {{output}}\n"
    text = stored(
        yaml_of(
            a_task(files=[a_file(contents=script)], resource="big"),
            resources={"big": {"memory": "8Gi", "platform": "gpu"}},
        )
    )

    workflow = yaml.safe_load(text)["workflow"]
    assert workflow["groups"][0]["tasks"][0]["files"][0]["contents"] == script
    assert workflow["resources"] == {"big": {"memory": "8Gi", "platform": "gpu"}}
    assert "contents: |" in text


def test_the_stored_text_can_be_submitted_again_and_means_the_same() -> None:
    written = yaml_of(
        a_task("a", environment={"A": "on", "B": "007"}, inputs=[{"task": "b"}]),
        a_task("b"),
        labels={"team": "a"},
    )
    first = spec.read(written, env_vars=["C=1"], labels=["exp=2"])

    again = spec.parse(spec.render(spec.stored_text(first, default_platform=None)))

    assert again == first.plan


def test_values_shared_by_an_alias_are_written_where_they_stand() -> None:
    text = "workflow: {name: a, x: &x {k: v}, y: *x}"

    assert "&" not in spec.dry_run(text).text


def test_a_workflow_that_is_no_map_is_refused() -> None:
    assert "workflow: should be a map" in str(refusal_of("workflow: [1]"))
