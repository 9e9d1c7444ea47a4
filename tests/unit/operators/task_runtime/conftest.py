from collections.abc import Iterator

import pytest

from operators.task_runtime.api import Api, Token
from tests.unit.operators.task_runtime.patience import Patience
from tests.unit.operators.task_runtime.services import FIRST_TOKEN, Services, serving


@pytest.fixture
def services() -> Iterator[Services]:
    services = Services()
    with serving(services):
        yield services


@pytest.fixture
def patience() -> Patience:
    return Patience()


@pytest.fixture
def api(services: Services, patience: Patience) -> Api:
    return Api(f"{services.url}/api", Token(FIRST_TOKEN), patience)
