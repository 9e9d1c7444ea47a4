"""What the routes work with: made once per process, by the handler or a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from xylem.usecases.logs import KnownEnds
from xylem.usecases.masks import KnownMasks
from xylem.usecases.shared_pages import SharedPages

if TYPE_CHECKING:
    from xylem.ports.blobs import Blobs
    from xylem.ports.configs import Configs
    from xylem.ports.followers import Broadcast, Followers
    from xylem.ports.jobs import Jobs
    from xylem.ports.logs import Logs
    from xylem.ports.task_secrets import TaskSecrets
    from xylem.ports.task_tokens import TaskTokens
    from xylem.ports.workflows import Workflows
    from xylem.ports.world import Clock, Ids
    from xylem.usecases.datasets import Engine


class Services(Protocol):
    """Properties, so that a request builds only the ports that it comes to use."""

    @property
    def workflows(self) -> Workflows: ...
    @property
    def configs(self) -> Configs: ...
    @property
    def logs(self) -> Logs: ...
    @property
    def store(self) -> Blobs: ...
    @property
    def data(self) -> Blobs: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def task_tokens(self) -> TaskTokens: ...
    @property
    def task_secrets(self) -> TaskSecrets: ...
    @property
    def followers(self) -> Followers: ...
    @property
    def links(self) -> Broadcast: ...
    @property
    def datasets(self) -> Engine: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def websocket_url(self) -> str: ...


class Remembered:
    """What a process knows from one request to the next."""

    def __init__(self) -> None:
        self.ends = KnownEnds()
        self.masks = KnownMasks()
        self.pages = SharedPages()
