"""What the routes work with: made once per process, by the handler or a test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from xylem.ports import Backends, Configs, Credentials, DeadLetters, Jobs, Pools
from xylem.usecases.apply import Engine
from xylem.usecases.placing import Clusters


@dataclass(frozen=True, slots=True)
class Services:
    """`dead_letters` is made when an admin asks for it: a client of SQS costs each cold start
    50 ms."""

    engine: Engine
    pools: Pools
    configs: Configs
    backends: Backends
    jobs: Jobs
    credentials: Credentials
    dead_letters: Callable[[], DeadLetters]

    @property
    def clusters(self) -> Clusters:
        return Clusters(self.backends, self.engine.clock)


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Has = Annotated[Services, Depends(_services)]
