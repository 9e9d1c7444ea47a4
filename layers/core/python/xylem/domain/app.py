"""Apps: specs that are kept under a name, version by version, for others to submit.

An app is its owner's: only he renames it and takes versions away. Anybody adds a version. What was
taken away keeps its number, which is not used again; a name stays its app's.
"""

import re
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.values import dataclass, replace

NAME = r"^(?:[a-zA-Z0-9_-]+)$"
"""OSMO's."""

NAME_CHARS = 128
DESCRIPTION_CHARS = 1_000
MOST_VERSIONS = 1_000
"""Of one app: they are in one row, with some 100 bytes each."""

_TOP = re.compile(r"^workflow\s*:", re.MULTILINE)


class AppStatus(StrEnum):
    READY = "READY"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class AppVersion:
    number: int
    created_by: UserName
    created_at: datetime
    status: AppStatus = AppStatus.READY


@dataclass(frozen=True, slots=True)
class App:
    """`versions` by number, from 1."""

    uuid: str
    name: str
    owner: UserName
    description: str
    created_at: datetime
    versions: tuple[AppVersion, ...]

    @property
    def ready(self) -> list[AppVersion]:
        return [one for one in self.versions if one.status is AppStatus.READY]

    @property
    def makers(self) -> frozenset[UserName]:
        return frozenset(one.created_by for one in self.versions)


@dataclass(frozen=True, slots=True)
class AppUse:
    """Which version of which app a workflow was submitted from, as it was called then."""

    uuid: str
    owner: UserName
    name: str
    version: int


def new_app(
    uuid: str, name: str, description: str, text: str, *, by: UserName, now: datetime
) -> App:
    """Raises `InvalidRequest`."""
    require_name(name)
    require_spec(text)
    if len(description) > DESCRIPTION_CHARS:
        raise _wrong(f"A description has {DESCRIPTION_CHARS} characters at the most.")
    return App(uuid, name, by, description, now, (AppVersion(1, by, now),))


def with_version(app: App, text: str, *, by: UserName, now: datetime) -> App:
    """Raises `InvalidRequest`."""
    require_spec(text)
    if len(app.versions) >= MOST_VERSIONS:
        raise _wrong(f"App {app.name} has {MOST_VERSIONS} versions, which is the most.")
    return replace(app, versions=(*app.versions, AppVersion(len(app.versions) + 1, by, now)))


def renamed(app: App, name: str, *, by: UserName) -> App:
    """Raises `InvalidRequest`."""
    require_name(name)
    require_owner(app, by)
    return replace(app, name=name)


def without(app: App, numbers: Collection[int], *, by: UserName) -> App:
    """Raises `InvalidRequest`."""
    require_owner(app, by)
    versions = (
        replace(one, status=AppStatus.DELETED) if one.number in numbers else one
        for one in app.versions
    )
    return replace(app, versions=tuple(versions))


def version_of(app: App, number: int | None) -> AppVersion:
    """None: the newest that is there. Raises `InvalidRequest`."""
    if number is None:
        if not app.ready:
            raise _wrong(f"App {app.name} has no version any more.")
        return app.ready[-1]
    found = next((one for one in app.versions if one.number == number), None)
    if found is None:
        raise _wrong(f"App {app.name} has no version {number}.")
    return found


def ready_version(app: App, number: int | None) -> AppVersion:
    """Raises `InvalidRequest`."""
    found = version_of(app, number)
    if found.status is not AppStatus.READY:
        raise _wrong(f"Version {found.number} of app {app.name} is {found.status}.")
    return found


def require_owner(app: App, by: UserName) -> None:
    """An admin's roles change nothing here: a name that many submit by does not change hands.
    Raises `InvalidRequest`, as OSMO does."""
    if by != app.owner:
        raise _wrong(f"App {app.name} belongs to {app.owner}, who alone may do that.")


def require_name(name: str) -> None:
    """Raises `InvalidRequest`."""
    if re.fullmatch(NAME, name) is None or len(name) > NAME_CHARS:
        raise _wrong(
            f"{name[:NAME_CHARS]} is no name of an app: it has letters, digits, _ and -, and "
            f"{NAME_CHARS} characters at the most."
        )


def require_spec(text: str) -> None:
    """A template is no YAML yet, so no more is checked than that it means to be a spec. Raises
    `InvalidRequest`."""
    if _TOP.search(text) is None:
        raise InvalidRequest(
            "The app is no spec of a workflow: it has no line that begins with `workflow:`.",
            code="USAGE",
        )


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
