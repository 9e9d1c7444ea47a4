"""Configs of every kind and their history, for administrators.

Configs are plain data here, in OSMO's words: what one may say is the service's affair, which may be
newer than this client. A write may carry the number of the revision that its author saw, under
which it is done or refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import JsonValue

from clients.sdk.connection import Connection, Order, Parameter, moment, segment
from clients.sdk.errors import BadInput
from clients.sdk.models import Answer, Moment
from xylem.domain.config import ConfigKind

WHOLE = frozenset({ConfigKind.SERVICE, ConfigKind.WORKFLOW})
"""Of which there is one each, without a name."""


class Revision(Answer):
    config_type: str
    name: str = ""
    revision: int
    username: str
    created_at: Moment
    description: str = ""
    tags: list[str] | None = None
    data: JsonValue = None


class History(Answer):
    configs: list[Revision]


class Diff(Answer):
    first_data: JsonValue
    second_data: JsonValue


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a change. `seen`: the revision of its kind under which it was decided; it is
    refused (`STALE`) where that is no longer the newest."""

    description: str | None = None
    tags: Sequence[str] | None = None
    seen: int | None = None

    def body(self) -> dict[str, Any]:
        tags = None if self.tags is None else list(self.tags)
        said = {"description": self.description, "tags": tags, "expected_revision": self.seen}
        return {key: value for key, value in said.items() if value is not None}


NO_NOTE = Note()


class Configs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def show(self, kind: ConfigKind, name: str | None = None, *, verbose: bool = False) -> Any:
        """All of a kind, or one of its names. `verbose`: of pools, with what their names come
        to."""
        return self._connection.get(_path(kind, name), {"verbose": verbose or None}).json()

    def put(self, kind: ConfigKind, name: str | None, config: Any, *, note: Note = NO_NOTE) -> None:
        """In the place of what is there. Without a name all that is named in `config`; what is not
        stays. Raises `BadInput` where the kind has no such request."""
        method, key = ("PUT", "configs")
        match kind, name:
            case ConfigKind.BACKEND, None:
                raise BadInput("backends are configured one by one: name it")
            case ConfigKind.BACKEND, _:
                method = "POST"
            case ConfigKind.RESOURCE_VALIDATION, None:
                key = "configs_dict"
            case ConfigKind.DATASET, str():
                method, key = "PATCH", "configs_dict"
            case _:
                pass
        self._connection.send(method, _path(kind, name), json={**note.body(), key: config})

    def patch(
        self,
        kind: ConfigKind,
        name: str | None,
        changes: Mapping[str, Any],
        *,
        note: Note = NO_NOTE,
    ) -> None:
        """What is not named stays as it is. For SERVICE, WORKFLOW, and one POOL, BACKEND_TEST or
        bucket of DATASET."""
        body = {**note.body(), "configs_dict": dict(changes)}
        self._connection.send("PATCH", _path(kind, name), json=body)

    def delete(self, kind: ConfigKind, name: str, *, note: Note = NO_NOTE) -> None:
        self._connection.send("DELETE", _path(kind, name), json=note.body())

    def history(
        self,
        *,
        kinds: Sequence[ConfigKind] = (),
        name: str | None = None,
        revision: int | None = None,
        tags: Sequence[str] = (),
        at: datetime | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        data: bool = False,
        limit: int = 20,
        offset: int = 0,
        order: Order = "DESC",
    ) -> History:
        """The newest that match. `at`: what held then, one of each kind."""
        asked: dict[str, Parameter] = {
            "config_types": [kind.value for kind in kinds],
            "name": name,
            "revision": revision,
            "tags": tags,
            "at_timestamp": moment(at),
            "created_after": moment(after),
            "created_before": moment(before),
            "omit_data": not data,
            "limit": limit,
            "offset": offset,
            "order": order,
        }
        return self._connection.ask(History, "GET", "/api/configs/history", parameters=asked)

    def revision(self, kind: ConfigKind, number: int) -> Revision:
        """With its data. Raises `BadInput` where there is none of this number."""
        found = self.history(kinds=[kind], revision=number, data=True, limit=1).configs
        if not found:
            raise BadInput(f"{kind} has no revision {number}: see `xylem config history {kind}`")
        return found[0]

    def newest(self, kind: ConfigKind) -> int:
        """The number of the revision that holds."""
        return self.history(kinds=[kind], limit=1).configs[0].revision

    def diff(self, kind: ConfigKind, first: int, second: int) -> Diff:
        asked: dict[str, Parameter] = {
            "config_type": kind.value,
            "first_revision": first,
            "second_revision": second,
        }
        return self._connection.ask(Diff, "GET", "/api/configs/diff", parameters=asked)

    def roll_back(self, kind: ConfigKind, revision: int, *, note: Note = NO_NOTE) -> None:
        body = {**note.body(), "config_type": kind.value, "revision": revision}
        self._connection.send("POST", "/api/configs/history/rollback", json=body)

    def forget(self, kind: ConfigKind, revision: int) -> None:
        """Take a revision out of the history."""
        self._connection.send("DELETE", _revision(kind, revision))

    def tag(
        self,
        kind: ConfigKind,
        revision: int,
        *,
        put: Sequence[str] = (),
        delete: Sequence[str] = (),
    ) -> None:
        said = {"set_tags": list(put), "delete_tags": list(delete)}
        body = {key: value for key, value in said.items() if value}
        self._connection.send("POST", f"{_revision(kind, revision)}/tags", json=body)

    def rename(
        self, kind: Literal[ConfigKind.POOL], name: str, new_name: str, *, note: Note = NO_NOTE
    ) -> None:
        body = {**note.body(), "new_name": new_name}
        self._connection.send("PUT", f"{_path(kind, name)}/rename", json=body)


def _path(kind: ConfigKind, name: str | None = None) -> str:
    whole = f"/api/configs/{kind.value.lower()}"
    if name is None:
        return whole
    if kind in WHOLE:
        raise BadInput(f"there is one config {kind} alone: leave out {name}")
    return f"{whole}/{segment(name)}"


def _revision(kind: ConfigKind, number: int) -> str:
    return f"/api/configs/history/{kind.value}/revision/{number}"
