"""An admin's group template: what is taken, and what is refused with its path."""

from typing import Any

import pytest

from xylem.domain.errors import InvalidRequest
from xylem.domain.pool_book import PoolBook, with_pool
from xylem.domain.templates import Template
from xylem.spec.group_templates import delete_template, put_template, template_of
from xylem.spec.pools import PoolConfig, pool_of

DOMAIN: dict[str, Any] = {
    "apiVersion": "resource.nvidia.com/v1beta1",
    "kind": "ComputeDomain",
    "metadata": {"name": "domain-{{WF_GROUP_UUID}}"},
    "spec": {"numNodes": 0, "channel": {"resourceClaimTemplate": {"name": "{{TEAM}}"}}},
}


def refusal_of(config: Template) -> str:
    with pytest.raises(InvalidRequest) as refused:
        template_of(config)
    assert refused.value.code == "USAGE"
    return str(refused.value)


def a_book(**variables: str) -> PoolBook:
    """With `DOMAIN`, which the pool `p` names."""
    book = PoolBook(group_templates={"domain": DOMAIN})
    config = {
        "backend": "b",
        "platforms": {"a": {}},
        "common_group_templates": ["domain"],
        "common_default_variables": variables,
    }
    return with_pool(pool_of("p", PoolConfig.model_validate(config), book), book)


@pytest.mark.parametrize(
    "template",
    [DOMAIN, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}],
)
def test_an_object_of_any_kind_is_taken(template: Template) -> None:
    assert template_of(template) == template


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"apiVersion": None}, "configs.apiVersion: is missing: say which kind of object"),
        ({"kind": ""}, "configs.kind: is missing"),
        ({"kind": "Pod"}, "configs.kind: is Pod, but pods are made of tasks: use a pod template."),
        ({"kind": "Namespace"}, "configs.kind: a Namespace belongs to the whole cluster"),
        ({"metadata": []}, "configs.metadata: is no dictionary."),
        ({"metadata": {}}, "configs.metadata.name: is missing: name the object"),
        (
            {"metadata": {"name": "x", "finalizers": ["f"]}},
            "configs.metadata.finalizers: take it out, nothing of a group stays behind.",
        ),
        ({"status": {}}, "configs.status: take it out, only a cluster says it."),
        ({"metadata": {"name": "x", "labels": {"a": 1}}}, "configs.metadata.labels.a: is 1"),
        ({"spec": {"n": "{{ 1 + 1 }}"}}, "configs.spec.n: {{ 1 + 1 }} is more than variables"),
    ],
)
def test_what_could_not_be_made_or_would_stay_behind_is_refused(
    change: dict[str, Any], problem: str
) -> None:
    assert problem in refusal_of({**DOMAIN, **change})


def test_a_template_that_says_nothing_is_told_all_that_it_lacks() -> None:
    assert refusal_of({"a": 1}).count("is missing") == 3


def test_a_variable_that_no_group_has_needs_a_value_from_the_pool() -> None:
    with pytest.raises(InvalidRequest, match=r"common_group_templates\[0\].*{{TEAM}}.*no value"):
        a_book()
    assert a_book(TEAM="ml").naming_group_template("domain") == ["p"]


def test_a_template_is_not_changed_to_what_its_pool_cannot_fill_in() -> None:
    of_a_task = {**DOMAIN, "spec": {"task": "{{WF_TASK_NAME}}"}}

    with pytest.raises(InvalidRequest, match="pool p: .*{{WF_TASK_NAME}}"):
        put_template("domain", of_a_task, a_book(TEAM="ml"))


def test_a_template_goes_when_no_pool_names_it() -> None:
    book = a_book(TEAM="ml")

    with pytest.raises(InvalidRequest, match="used by pools: p"):
        delete_template("domain", book)
    with pytest.raises(InvalidRequest, match="Group Template other does not exist"):
        delete_template("other", book)
    free = PoolBook(group_templates=book.group_templates)
    assert delete_template("domain", free).group_templates == {}
