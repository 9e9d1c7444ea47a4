import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.task_runtime.build import build
from tests.contract.task_runtime.pod import EXEC, Pod
from tests.unit.operators.task_runtime.services import Services, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not EXEC.exists() and "tests/contract/task_runtime" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="`make install` builds the wrapper"))


@pytest.fixture(autouse=True)
def signals_as_in_a_container() -> Iterator[None]:
    """`nohup` and a shell's `&` have signals ignored, which a command inherits and cannot trap."""
    ignored = [
        number
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session")
def ctrl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sidecar as it is put into an image."""
    image = tmp_path_factory.mktemp("image") / "task-runtime"
    build(image, interpreter=os.path.realpath(sys.executable), wrapper=EXEC)
    return image / "opt/xylem/bin/xylem-ctrl"


@pytest.fixture
def services() -> Iterator[Services]:
    services = Services()
    with serving(services):
        yield services


@pytest.fixture
def pod(tmp_path: Path, ctrl: Path, services: Services) -> Iterator[Pod]:
    pod = Pod(tmp_path / "pod", ctrl, services)
    yield pod
    pod.close()
