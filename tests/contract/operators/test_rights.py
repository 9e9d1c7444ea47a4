"""The chart's roles and what an operator asks of the API server, held against each other.

An operator works through a guard that refuses what the rendered roles do not allow. So it needs no
more than they give; and what nobody asked for is named, so they give no more than it needs.
"""

import asyncio
import signal
from pathlib import Path

import pytest

from operators.shared.anchor import ANCHOR_LABEL, anchor_of
from operators.shared.calls import ask
from operators.shared.kube import Kube
from operators.shared.release import remove_anchor
from operators.shared.resources import CONFIG_MAP
from tests.builders_chart import Grant, grants, rendered
from tests.contract.operators.guarded import Guard, asked_for
from tests.contract.operators.test_operator import (
    ROOT,
    SECONDS,
    a_running_pod,
    a_service,
    an_operator,
    kubeconfig,
    nodes_of,
)
from tests.unit.operators.jobs import a_cleanup, a_create, a_job, a_secret
from xylem.domain.status import TaskStatus

__all__ = ["kubeconfig"]

pytestmark = pytest.mark.skipif(
    not list(ROOT.glob("build/native/*/desk-shim")), reason="`make install` builds the desk's shim"
)

NAMESPACE = "default"


def given() -> set[Grant]:
    """Of the chart as it is, for tasks in the namespace where the test's operator has them."""
    return grants(rendered(tasks={"namespace": NAMESPACE, "createNamespace": False}))


def a_service_object() -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a-group"},
        "spec": {"clusterIP": "None", "selector": {"a": "b"}},
    }


def test_an_operator_does_its_work_with_the_rights_of_the_chart_and_uses_each_of_them(
    kubeconfig: Path, tmp_path: Path
) -> None:
    guard = Guard(kubeconfig, given())
    create = a_create(a_secret(), a_service_object(), a_running_pod("exit 3"))
    observe, cleanup = a_job("observe", ordinal=2), a_cleanup(ordinal=3)

    async def story() -> None:
        async with guard.open(tmp_path) as through, a_service() as (service, url):
            with an_operator(url, through) as process:
                await service.until(lambda: service.hellos)
                await service.until(lambda: nodes_of(service))
                await service.push(create)
                created = await service.until(lambda: service.answer(create))
                await service.until(lambda: service.seen(TaskStatus.FAILED))
                await service.push(observe, cleanup)
                cleaned = await service.until(lambda: service.answer(cleanup))
                async with asyncio.timeout(SECONDS):
                    await guard.until_used(("", "", "pods", "*", "list"))
                process.send_signal(signal.SIGTERM)
                await asyncio.to_thread(process.communicate, timeout=10)
            assert (created.status, cleaned.status) == ("done", "done")
            # A quarter of an hour after it was closed, which no test waits for.
            await asyncio.to_thread(remove_anchors, through)

    asyncio.run(story())

    assert guard.refused == []
    assert given() - guard.used == set(), "take these rights back from the chart"


def remove_anchors(through: Path) -> None:
    kube = Kube(namespace=NAMESPACE, kubeconfig=str(through), connections=1)
    for found in kube.page(CONFIG_MAP, f"{ANCHOR_LABEL}=true").items:
        anchor = anchor_of(found)
        assert anchor is not None
        steps = remove_anchor(anchor)
        try:
            call = next(steps)
            while True:
                call = steps.send(ask(kube, call))  # type: ignore[arg-type]  # none is `Together`
        except StopIteration:
            continue


@pytest.mark.parametrize("missing", ["list", "watch"])
def test_the_guard_refuses_what_no_role_allows(missing: str) -> None:
    some = {grant for grant in given() if grant[2:] != ("pods", "*", missing)}
    guard = Guard(Path("nowhere"), some)

    assert not guard.allows((NAMESPACE, "", "pods", "", missing))
    assert guard.allows((NAMESPACE, "", "pods", "a", "delete"))
    assert guard.refused == [(NAMESPACE, "", "pods", "", missing)]


@pytest.mark.parametrize(
    ("method", "path", "grant"),
    [
        ("GET", "/api/v1/namespaces/kube-system", ("", "", "namespaces", "kube-system", "get")),
        ("GET", "/api/v1/nodes", ("", "", "nodes", "", "list")),
        ("POST", "/api/v1/namespaces/a/pods", ("a", "", "pods", "", "create")),
        (
            "PUT",
            "/apis/coordination.k8s.io/v1/namespaces/a/leases/x",
            ("a", "coordination.k8s.io", "leases", "x", "update"),
        ),
        ("GET", "/api/v1/namespaces/a/pods/b/exec", ("a", "", "pods/exec", "b", "get")),
    ],
)
def test_a_request_takes_the_right_that_an_api_server_asks_for(
    method: str, path: str, grant: Grant
) -> None:
    assert asked_for(method, path) == grant


def test_a_watch_is_another_right_than_a_list() -> None:
    assert asked_for("GET", "/api/v1/nodes", watching=True)[4] == "watch"
