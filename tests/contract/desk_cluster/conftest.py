from collections.abc import Iterator

import pytest

from operators.native.build import program
from tests.contract.desk_cluster.cluster import Client, DeskCluster, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    built = program("desk-shim").exists()
    for item in items:
        if not built and "tests/contract/desk_cluster" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="`make install` builds the desk's shim"))


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskCluster]:
    """The cluster that all tests share which do not end it."""
    with running(DeskCluster(tmp_path_factory.mktemp("desk") / "state")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kube(desk: DeskCluster) -> Client:
    return desk.client()


@pytest.fixture(scope="module")
def mortal_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskCluster]:
    with running(DeskCluster(tmp_path_factory.mktemp("own") / "state")) as cluster:
        yield cluster


@pytest.fixture
def own_desk(mortal_desk: DeskCluster) -> DeskCluster:
    """A cluster for the tests of a module which kill it and start it again."""
    if mortal_desk.process is None:
        mortal_desk.start()
    return mortal_desk
