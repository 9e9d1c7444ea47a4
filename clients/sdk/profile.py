"""Who asks, as the service knows him, and what he set for himself."""

from clients.sdk.connection import Connection
from clients.sdk.models import Answer, Moment


class Settings(Answer):
    username: str | None = None
    email_notification: bool | None = None
    slack_notification: bool | None = None
    pool: str | None = None


class TokenOfLogin(Answer):
    name: str
    expires_at: Moment | None = None


class Profile(Answer):
    """`pools`: where he may submit. `token`: the access token with which he asked, if it is one."""

    profile: Settings
    roles: list[str]
    pools: list[str]
    token: TokenOfLogin | None = None


class Profiles:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> Profile:
        return self._connection.ask(Profile, "GET", "/api/profile/settings")

    def set(
        self, *, pool: str | None = None, email: bool | None = None, slack: bool | None = None
    ) -> None:
        """What is not said stays as it is."""
        said = {"pool": pool, "email_notification": email, "slack_notification": slack}
        body = {key: value for key, value in said.items() if value is not None}
        self._connection.send("POST", "/api/profile/settings", json=body)
