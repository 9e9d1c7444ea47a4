"""Access tokens: secrets with which a program asks in a user's name."""

import json
from collections.abc import Sequence
from datetime import date

from clients.sdk.connection import Connection, Parameter, segment
from clients.sdk.models import Answer, Moment
from clients.sdk.users import GivenRole


class AccessToken(Answer):
    user_name: str
    token_name: str
    expires_at: Moment
    description: str = ""
    roles: list[str] = []


class TokenRoles(Answer):
    user_name: str
    token_name: str
    roles: list[GivenRole]


class Tokens:
    """Yours, or with `user` those of another, which an administrator alone may ask."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed(self, *, user: str | None = None) -> list[AccessToken]:
        answer = self._connection.get(_path(user), {})
        return [AccessToken.model_validate(one) for one in json.loads(answer.content)]

    def create(
        self,
        name: str,
        *,
        expires: date,
        description: str = "",
        roles: Sequence[str] = (),
        user: str | None = None,
    ) -> str:
        """The secret itself, which is told this once. Without roles it has all of its user's."""
        asked: dict[str, Parameter] = {
            "expires_at": expires.isoformat(),
            "description": description,
            "roles": roles,
        }
        answer = self._connection.send_once("POST", _path(user, name), parameters=asked)
        return str(json.loads(answer.content))

    def delete(self, name: str, *, user: str | None = None) -> None:
        self._connection.send("DELETE", _path(user, name))

    def roles(self, name: str) -> TokenRoles:
        return self._connection.ask(TokenRoles, "GET", f"{_path(None, name)}/roles")


def _path(user: str | None, *name: str) -> str:
    base = "/api/auth" if user is None else f"/api/auth/user/{segment(user)}"
    return "/".join((base, "access_token", *(segment(one) for one in name)))
