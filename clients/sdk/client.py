"""`Client`: one method for each thing that can be asked of the service.

What everybody asks every day (workflows, their logs, pools) is a method of its own; what is asked
of one subject is below its word: `client.configs.history()`. Each subject is a module, which is
imported when its word is used first: nobody waits for the models of what he does not ask.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from clients.sdk.backends import BackendCalls
from clients.sdk.connection import Connection, error_of, parsed
from clients.sdk.credentials import CredentialCalls, CredentialKind
from clients.sdk.jobs import JobCalls
from clients.sdk.logs import LogCalls
from clients.sdk.models import Version
from clients.sdk.pools import PoolCalls
from clients.sdk.tasks import TaskCalls
from clients.sdk.workflows import SubmitRequest, WorkflowCalls

if TYPE_CHECKING:
    from clients.sdk.apps import Apps
    from clients.sdk.configs import Configs
    from clients.sdk.datasets import Datasets
    from clients.sdk.profile import Profiles
    from clients.sdk.tokens import Tokens
    from clients.sdk.users import Users
    from clients.sdk.webhooks import Webhooks


class Client(
    WorkflowCalls, LogCalls, TaskCalls, PoolCalls, BackendCalls, CredentialCalls, JobCalls
):
    @cached_property
    def datasets(self) -> "Datasets":
        from clients.sdk.datasets import Datasets  # noqa: PLC0415 - see above

        return Datasets(self.send)

    @cached_property
    def apps(self) -> "Apps":
        from clients.sdk.apps import Apps  # noqa: PLC0415 - see above

        return Apps(self)

    @cached_property
    def configs(self) -> "Configs":
        from clients.sdk.configs import Configs  # noqa: PLC0415 - see above

        return Configs(self)

    @cached_property
    def profile(self) -> "Profiles":
        from clients.sdk.profile import Profiles  # noqa: PLC0415 - see above

        return Profiles(self)

    @cached_property
    def tokens(self) -> "Tokens":
        from clients.sdk.tokens import Tokens  # noqa: PLC0415 - see above

        return Tokens(self)

    @cached_property
    def webhooks(self) -> "Webhooks":
        from clients.sdk.webhooks import Webhooks  # noqa: PLC0415 - see above

        return Webhooks(self)

    @cached_property
    def users(self) -> "Users":
        from clients.sdk.users import Users  # noqa: PLC0415 - see above

        return Users(self)

    def version(self) -> Version:
        return parsed(Version, self.get("/api/version", {}))


__all__ = ["Client", "Connection", "CredentialKind", "SubmitRequest", "error_of"]
