"""An admin's pod template: what is taken, and what is refused with its path."""

from typing import Any

import pytest

from xylem.domain.errors import InvalidRequest
from xylem.domain.pool_book import SHIPPED_TEMPLATES, PoolBook, with_pool
from xylem.domain.templates import Template
from xylem.spec.object_templates import DEPTH
from xylem.spec.pod_templates import delete_template, put_template, template_of
from xylem.spec.pools import PoolConfig, pool_of

SHARED_MEMORY: dict[str, Any] = {
    "spec": {
        "containers": [
            {
                "name": "{{USER_CONTAINER_NAME}}",
                "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
            }
        ],
        "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "{{SHM}}"}}],
    }
}


def refusal_of(config: Template) -> str:
    with pytest.raises(InvalidRequest) as refused:
        template_of(config)
    assert refused.value.code == "USAGE"
    return str(refused.value)


def spec(**fields: Any) -> Template:
    return {"spec": fields}


def a_book(name: str, *, platforms: dict[str, Any] | None = None, **fields: Any) -> PoolBook:
    """With `SHARED_MEMORY`, which the pool `p` of these fields names."""
    book = PoolBook(pod_templates={**SHIPPED_TEMPLATES, name: SHARED_MEMORY})
    config = {"backend": "b", "platforms": platforms or {"a": {}}, **fields}
    pool = pool_of("p", PoolConfig.model_validate(config), book)
    return with_pool(pool, book)


@pytest.mark.parametrize("template", [*SHIPPED_TEMPLATES.values(), SHARED_MEMORY, {"spec": {}}, {}])
def test_templates_of_osmo_are_taken(template: Template) -> None:
    assert template_of(template) == template


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"specs": {}}, "configs.specs: is no part of a pod: a template has metadata and spec."),
        ({"kind": "Job"}, "configs.kind: is Job, but this is a template of pods."),
        ({"spec": []}, "configs.spec: is no dictionary."),
        ({"metadata": {"name": "x"}}, "configs.metadata.name: take it out, a pod is named by"),
        ({"metadata": {"finalizers": []}}, "configs.metadata.finalizers: take it out, they hold"),
        (spec(schedulingGates=[]), "configs.spec.schedulingGates: take it out, they let a group"),
        (spec(nodeName="n"), "configs.spec.nodeName: take it out, it passes the scheduler by"),
        (spec(restartPolicy="Always"), "configs.spec.restartPolicy: take it out"),
        (spec(schedulerName="x"), "configs.spec.schedulerName: take it out, it is the backend's"),
        ({"metadata": {"labels": {"a": 1}}}, "configs.metadata.labels.a: is 1, but no text."),
        ({"metadata": {"annotations": []}}, "configs.metadata.annotations: is no dictionary."),
        (spec(nodeSelector={"a": True}), "configs.spec.nodeSelector.a: is true, but no text."),
        (spec(containers={}), "configs.spec.containers: is no list."),
        (spec(containers=[{"image": "x"}]), "configs.spec.containers[0]: has no name, by which"),
        (spec(volumes=["x"]), "configs.spec.volumes[0]: is no dictionary."),
        (spec(tolerations=[1]), "configs.spec.tolerations[0]: is no dictionary."),
        (
            spec(priority="{{ USER_CPU * 2 }}"),
            "configs.spec.priority: {{ USER_CPU * 2 }} is more than variables: only {{NAME}} is",
        ),
        (spec(a=["{% if USER_GPU %}x{% endif %}"]), "configs.spec.a[0]: {% if USER_GPU %}x{% en"),
        (spec(a={"{{X}}": "b"}), "configs: the key {{X}} has variables, which only values may"),
        (spec(a="\ud800"), "configs: a text holds half of a surrogate pair."),
        (spec(a="x" * 40_000), "configs: it has 40017 bytes; a template has 32768 at the most."),
    ],
)
def test_what_would_go_wrong_later_is_refused_with_its_path(config: Template, problem: str) -> None:
    assert problem in refusal_of(config)


def test_all_that_is_wrong_is_told_at_once() -> None:
    config = {"x": 1, "metadata": {"name": "n"}, "spec": {"containers": [{}], "hostname": "h"}}

    assert len(refusal_of(config).splitlines()) == 4


def test_a_template_is_as_deep_as_a_pod_and_no_deeper() -> None:
    deep: Any = "x"
    for _ in range(DEPTH + 1000):
        deep = {"a": deep}

    assert refusal_of({"spec": deep}) == f"configs: it is nested more than {DEPTH} deep."


def test_a_variable_of_ones_own_gets_its_value_in_each_pool_that_names_it() -> None:
    with pytest.raises(InvalidRequest) as refused:
        a_book("shm", common_pod_template=["default_user", "shm"], platforms={"a": {}, "b": {}})

    assert str(refused.value) == (
        "configs.common_pod_template[1]: template shm has {{SHM}} at "
        "spec.volumes[0].emptyDir.sizeLimit, which has no value on platform a, b: give it one in "
        "default_variables."
    )
    of_pool = {"common_default_variables": {"SHM": "1Gi"}}
    assert a_book("shm", common_pod_template=["shm"], **of_pool).naming_template("shm") == ["p"]
    of_platform = {"a": {"override_pod_template": ["shm"], "default_variables": {"SHM": "1Gi"}}}
    assert a_book("shm", platforms=of_platform).naming_template("shm") == ["p"]


def test_a_template_that_is_changed_still_gets_all_its_values() -> None:
    book = a_book(
        "shm", common_pod_template=["shm"], common_default_variables={"SHM": "1Gi", "MORE": 1}
    )

    assert put_template("shm", spec(x="{{MORE}}"), book).pod_templates["shm"] == spec(x="{{MORE}}")
    with pytest.raises(InvalidRequest, match=r"pool p: configs\.common_pod_template\[0\]: .*LESS"):
        put_template("shm", spec(x="{{LESS}}"), book)


def test_a_template_that_nobody_names_may_have_any_variable() -> None:
    assert "free" in put_template("free", spec(x="{{LESS}}"), a_book("shm")).pod_templates


def test_a_template_that_a_pool_names_is_not_deleted() -> None:
    book = a_book("shm", common_pod_template=["shm"], common_default_variables={"SHM": "1Gi"})

    with pytest.raises(InvalidRequest) as used:
        delete_template("shm", book)
    with pytest.raises(InvalidRequest) as unknown:
        delete_template("zz", book)

    assert (used.value.code, str(used.value)) == (
        "USER",
        "Pod Template shm is used by pools: p. Take it out of them first.",
    )
    assert (unknown.value.code, str(unknown.value)) == (
        "USER",
        "Pod Template zz does not exist.",
    )
    assert "default_ctrl" not in delete_template("default_ctrl", book).pod_templates
