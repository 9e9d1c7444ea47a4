"""What the routes work with: made once per process, by the handler or a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from xylem.domain.access import Principal
    from xylem.domain.config import Note
    from xylem.domain.pool_book import PoolBook
    from xylem.domain.target import Policy
    from xylem.ports.answers import Answers
    from xylem.ports.apps import Apps
    from xylem.ports.backends import Backends
    from xylem.ports.configs import Configs, Credentials, Pools
    from xylem.ports.dead_letters import DeadLetters
    from xylem.ports.identity import Identity
    from xylem.ports.jobs import Jobs
    from xylem.ports.tokens import Providers, Signer
    from xylem.usecases import joining, sessions
    from xylem.usecases.apply import Engine
    from xylem.usecases.clusters import Clusters
    from xylem.usecases.datasets import Engine as DatasetEngine
    from xylem.usecases.limits import Limiter


class Services(Protocol):
    """Properties, so that a request builds only the ports that it comes to use: a client of SQS,
    which an admin alone needs here, takes 50 ms of a cold start."""

    @property
    def engine(self) -> Engine: ...
    @property
    def pools(self) -> Pools: ...
    @property
    def configs(self) -> Configs: ...
    @property
    def backends(self) -> Backends: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def joining(self) -> joining.Engine: ...
    @property
    def websocket_url(self) -> str: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def apps(self) -> Apps: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def signer(self) -> Signer: ...
    @property
    def providers(self) -> Providers: ...
    @property
    def limiter(self) -> Limiter: ...
    def new_secret(self) -> str:
        """Of an access token, which nobody can guess."""
        ...

    @property
    def entering(self) -> sessions.Has: ...
    @property
    def datasets(self) -> DatasetEngine: ...
    @property
    def answers(self) -> Answers: ...
    @property
    def receivers(self) -> Policy:
        """Whom webhooks may lead to."""
        ...

    @property
    def dead_letters(self) -> DeadLetters: ...


def clusters_of(has: Services) -> Clusters:
    from xylem.usecases.clusters import Clusters  # noqa: PLC0415 - a version needs no domain

    return Clusters(has.backends, has.engine.clock)


def change_configs(
    into: Callable[[PoolBook], PoolBook], who: Principal, has: Services, note: Note
) -> None:
    """Of what backend tests may be made: whoever has to make them is told."""
    from xylem.usecases import backend_tests  # noqa: PLC0415 - a version needs no domain

    backend_tests.change(
        into,
        pools=has.pools,
        backends=has.backends,
        links=has.engine.links,
        author=who.subject,
        now=has.engine.clock(),
        note=note,
    )


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Has = Annotated[Services, Depends(_services)]
