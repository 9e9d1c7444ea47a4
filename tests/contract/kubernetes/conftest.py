"""Which cluster the suite asks.

    pytest tests/contract/kubernetes                        a desk cluster, started for it
    KUBECONFIG=... pytest tests/contract/kubernetes         that cluster
    XYLEM_CONTRACT_KUBECONFIG=... pytest                    that cluster, whatever else is tested

KUBECONFIG counts only where this folder is what pytest was asked for: a developer's own, which is
set for something else, is not to be found by `make test`. The suite works in a namespace of its own
with a random name and deletes it at the end. Nodes are everybody's: only with
XYLEM_CONTRACT_NODES=1 is one of them cordoned and tainted, in a cluster that we did not start.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.native.build import program
from tests.contract.desk_cluster.cluster import DeskCluster, running
from tests.contract.kubernetes.cluster import Cluster, own_namespace

FOLDER = Path(__file__).parent


def _given(config: pytest.Config) -> str | None:
    if chosen := os.environ.get("XYLEM_CONTRACT_KUBECONFIG"):
        return chosen
    asked = [Path(config.invocation_params.dir, arg.partition("::")[0]) for arg in config.args]
    if asked and all(path.resolve().is_relative_to(FOLDER) for path in asked):
        return os.environ.get("KUBECONFIG") or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    there = _given(config) or program("desk-shim").exists()
    for item in items:
        if not there and item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.skip(reason="`make install` builds the desk's shim"))


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    given = _given(request.config)
    if given is not None:
        touch = os.environ.get("XYLEM_CONTRACT_NODES") == "1"
        with own_namespace(given, may_touch_nodes=touch) as theirs:
            yield theirs
        return
    desk = DeskCluster(tmp_path_factory.mktemp("contract") / "state")
    with running(desk), own_namespace(str(desk.kubeconfig), may_touch_nodes=True) as ours:
        yield ours
