"""What the routes work with: made once per process, by the handler or a test."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from xylem.ports import Backends, Pools
from xylem.usecases.apply import Engine


@dataclass(frozen=True, slots=True)
class Services:
    engine: Engine
    pools: Pools
    backends: Backends


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Has = Annotated[Services, Depends(_services)]
