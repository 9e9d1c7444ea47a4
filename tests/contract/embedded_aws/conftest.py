from collections.abc import Iterator

import pytest

from clients.local.embedded_aws import install
from tests.contract.embedded_aws.server import EmbeddedAws, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/contract/embedded_aws" in item.path.as_posix():
            item.add_marker("embedded")


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """The server that all tests share which do not end it."""
    install.install()
    with running(EmbeddedAws(tmp_path_factory.mktemp("embedded") / "state")) as server:
        yield server


@pytest.fixture
def own_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """A server for one test, which may kill it."""
    install.install()
    with running(EmbeddedAws(tmp_path_factory.mktemp("own") / "state")) as server:
        yield server
