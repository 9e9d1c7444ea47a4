"""One synthesis for each environment and session: starting CDK's engine takes seconds."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra_cdk.environments import ENVIRONMENTS
from tests.infra.synthesized import NAMES, Synthesized, synthesize

Synthesize = Callable[[str], Synthesized]


@pytest.fixture(scope="session")
def synthesized() -> Iterator[Synthesize]:
    # Not pytest's tmp_path_factory: it keeps three sessions' worth of a 50 MB layer.
    with TemporaryDirectory() as folder:

        @cache
        def once(name: str) -> Synthesized:
            with_assets = name == "local"
            return synthesize(ENVIRONMENTS[name], Path(folder, name), with_assets=with_assets)

        yield once


@pytest.fixture(params=NAMES)
def stacks(request: pytest.FixtureRequest, synthesized: Synthesize) -> Synthesized:
    """Each environment in turn."""
    return synthesized(request.param)


@pytest.fixture
def local(synthesized: Synthesize) -> Synthesized:
    return synthesized("local")


@pytest.fixture
def dev(synthesized: Synthesize) -> Synthesized:
    return synthesized("dev")


@pytest.fixture
def prod(synthesized: Synthesize) -> Synthesized:
    return synthesized("prod")
