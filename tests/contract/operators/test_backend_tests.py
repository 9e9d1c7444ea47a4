"""What a test is made of in the cluster, held against the models of Kubernetes' official client: it
has no field that an API server would not know, and none of another type."""

from typing import Any

import pytest
from kubernetes import client

from operators.backend_test.run import Owner, daemon_set
from operators.backend_worker.backend_tests import Runner, set_tests
from operators.shared.resources import CRON_JOB, Json
from tests.fakes.kube import FakeKube, run
from tests.unit.operators.backend_worker.test_backend_tests import a_test
from tests.unit.operators.jobs import in_office

PLAIN = {"str": str, "int": int, "bool": bool, "object": object}


def unknown(body: Any, kind: str, path: str) -> list[str]:
    """The paths of what is not of this type, as the client writes types: `List[V1Container]`."""
    if kind in PLAIN:
        return [] if isinstance(body, PLAIN[kind]) else [path]
    if kind.startswith("List["):
        inner = kind.removeprefix("List[").removesuffix("]")
        return [
            one for at, item in enumerate(body) for one in unknown(item, inner, f"{path}[{at}]")
        ]
    if kind.startswith("Dict["):
        inner = kind.removeprefix("Dict[str, ").removesuffix("]")
        return [one for key, item in body.items() for one in unknown(item, inner, f"{path}.{key}")]
    model = getattr(client, kind)
    types = {key: model.openapi_types[name] for name, key in model.attribute_map.items()}
    strange = [f"{path}.{key}" for key in body if key not in types]
    known = [key for key in body if key in types]
    return strange + [
        one for key in known for one in unknown(body[key], types[key], f"{path}.{key}")
    ]


def made() -> list[tuple[str, Json]]:
    kube = FakeKube()
    run(kube, set_tests([a_test()], Runner("east", "operator:1", "tester"), in_office(kube)))
    cron_job = kube.read(CRON_JOB, "xylem-test-gpu")
    return [("V1CronJob", cron_job), ("V1DaemonSet", daemon_set(a_test(), Owner("pod", "uid")))]


@pytest.mark.parametrize(("kind", "body"), made(), ids=["CronJob", "DaemonSet"])
def test_kubernetes_knows_every_field_of_it(kind: str, body: Json) -> None:
    assert unknown(body, kind, kind) == []


def test_a_field_that_kubernetes_does_not_know_would_be_seen() -> None:
    [(kind, body), _] = made()
    template = body["spec"]["jobTemplate"]["spec"]["template"]
    template["spec"]["container"] = []
    body["spec"]["schedule"] = 5

    assert unknown(body, kind, "") == [
        ".spec.schedule",
        ".spec.jobTemplate.spec.template.spec.container",
    ]
