import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from tests.builders_spec import a_plan, a_planned_task, facts_of
from xylem.domain.credential import registry
from xylem.domain.pool import PodScheduling
from xylem.domain.values import replace
from xylem.manifests import render


def a_login(host: str, user: str = "alice") -> dict[str, dict[str, str]]:
    payload = registry("r", host=host, username=user, auth="s3cret").payload
    return {payload["registry"]: dict(payload)}


def drawn(image: str, **facts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Its pod, and by their names the configurations that the kubelet is given."""
    plan = a_plan(replace(a_planned_task(), image=image))
    *others, pod = render(plan, facts_of(plan, **facts))
    configs = {
        each["metadata"]["name"]: json.loads(b64decode(each["data"][".dockerconfigjson"]))
        for each in others
        if each.get("type") == "kubernetes.io/dockerconfigjson"
    }
    return pod, configs


def named(pod: dict[str, Any]) -> list[str]:
    return [each["name"] for each in pod["spec"].get("imagePullSecrets", [])]


@pytest.mark.parametrize(
    ("image", "host", "server"),
    [
        ("nvcr.io/nvidia/cuda:12", "nvcr.io/nvidia", "nvcr.io/nvidia"),
        ("host:5000/x", "host:5000", "host:5000"),
        ("alpine", "docker.io", "https://index.docker.io/v1/"),
        ("team/x", "docker.io/team", "docker.io/team"),
    ],
)
def test_the_kubelet_finds_the_login_where_it_looks_for_the_image(
    image: str, host: str, server: str
) -> None:
    pod, configs = drawn(image, registries=a_login(host))

    (config,) = configs.values()
    assert named(pod) == list(configs)
    both = b64encode(b"alice:s3cret").decode()
    assert config == {"auths": {server: {"username": "alice", "password": "s3cret", "auth": both}}}


def test_only_the_nearest_login_is_given_and_none_for_an_image_elsewhere() -> None:
    both = {**a_login("nvcr.io"), **a_login("nvcr.io/nvidia", "near")}

    _, configs = drawn("nvcr.io/nvidia/x", registries=both)
    pod, none = drawn("elsewhere.io/x", registries=both)

    assert [list(one["auths"]) for one in configs.values()] == [["nvcr.io/nvidia"]]
    assert (named(pod), none) == ([], {})
    assert "imagePullSecrets" not in pod["spec"]


def test_the_tasks_login_and_the_runtimes_at_one_registry_are_two() -> None:
    """The kubelet tries both; in one configuration there is room for one of them."""
    runtime = a_login("nvcr.io", "admin")["nvcr.io"]

    pod, configs = drawn("nvcr.io/x", registries=a_login("nvcr.io"), runtime_registry=runtime)

    users = [one["auths"]["nvcr.io"]["username"] for one in configs.values()]
    assert users == ["alice", "admin"]
    assert named(pod) == list(configs)


def test_secrets_that_a_template_names_are_named_beside_ours() -> None:
    template = {"spec": {"imagePullSecrets": [{"name": "of-the-cluster"}]}}

    pod, configs = drawn(
        "nvcr.io/x",
        registries=a_login("nvcr.io"),
        scheduling={"": PodScheduling(template=template)},
    )

    assert named(pod) == [*configs, "of-the-cluster"]


def test_no_container_sees_a_login() -> None:
    pod, configs = drawn("nvcr.io/x", registries=a_login("nvcr.io"))
    (name,) = configs

    del pod["spec"]["imagePullSecrets"]
    assert name not in json.dumps(pod)
    assert "s3cret" not in json.dumps(pod)
