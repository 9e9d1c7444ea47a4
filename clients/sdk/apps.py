"""Apps: specs that are kept under a name, version by version, for others to submit."""

from collections.abc import Sequence

from clients.sdk.connection import Connection, Order, Parameter, segment
from clients.sdk.models import Answer, Moment


class ListedApp(Answer):
    uuid: str
    name: str
    description: str = ""
    created_date: Moment
    owner: str
    latest_version: int


class AppPage(Answer):
    apps: list[ListedApp]
    more_entries: bool = False


class AppVersion(Answer):
    """`status`: READY, or DELETED."""

    version: int
    created_by: str
    created_date: Moment
    status: str


class App(Answer):
    uuid: str
    name: str
    description: str = ""
    created_date: Moment
    owner: str
    versions: list[AppVersion] = []


class NewVersion(Answer):
    uuid: str
    version: int
    name: str


class DeletedVersions(Answer):
    versions: list[int]


class Apps:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed(
        self,
        *,
        name: str = "",
        users: Sequence[str] = (),
        all_users: bool = False,
        limit: int = 20,
        offset: int = 0,
        order: Order = "DESC",
    ) -> AppPage:
        """The newest; without users those that you made a version of, or submitted."""
        asked: dict[str, Parameter] = {
            "name": name or None,
            "users": users,
            "all_users": all_users or None,
            "limit": limit,
            "offset": offset,
            "order": order,
        }
        return self._connection.ask(AppPage, "GET", "/api/app", parameters=asked)

    def info(
        self, name: str, *, version: int | None = None, limit: int = 20, order: Order = "DESC"
    ) -> App:
        """With its newest versions."""
        asked: dict[str, Parameter] = {"version": version, "limit": limit, "order": order}
        return self._connection.ask(App, "GET", _path(name), parameters=asked)

    def spec(self, name: str, *, version: int | None = None) -> str:
        """Of the newest version, unless told."""
        return self._connection.get(_path(name, "spec"), {"version": version}).text

    def create(self, name: str, spec: str, *, description: str) -> None:
        asked = {"description": description}
        self._connection.send("POST", _path(name), parameters=asked, json=spec)

    def add_version(self, name: str, spec: str) -> NewVersion:
        return self._connection.ask(NewVersion, "PATCH", _path(name), json=spec)

    def delete(
        self, name: str, *, version: int | None = None, every: bool = False
    ) -> DeletedVersions:
        asked: dict[str, Parameter] = {"version": version, "all_versions": every}
        return self._connection.ask(DeletedVersions, "DELETE", _path(name), parameters=asked)

    def rename(self, name: str, new_name: str) -> None:
        self._connection.send("POST", _path(name, "rename"), json=new_name)


def _path(name: str, *rest: str) -> str:
    return "/".join(("/api/app/user", segment(name), *rest))
