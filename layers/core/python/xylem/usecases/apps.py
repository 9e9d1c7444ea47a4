"""Apps are made, changed, listed, and submitted from.

The spec of an app's first version goes to the store before the row that names it, under an id that
nobody knows yet. Of a later one the row comes first: it decides who has the number, and so the
object's key. Whoever reads between the two is told to ask again; who crashes there leaves a version
without a spec, which is told the same until its owner deletes it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from xylem import spec
from xylem.domain import app as rules
from xylem.domain.app import App, AppUse, AppVersion
from xylem.domain.errors import Conflict, InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.values import dataclass
from xylem.ports.apps import Apps
from xylem.ports.blobs import Blobs
from xylem.ports.stored import Stored
from xylem.ports.world import Ids

ATTEMPTS = 5
MOST_APPS = 1_000
"""Of one page."""

FURTHEST_OFFSET = 100_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty: everything. `users`: the owners. `of`: what this user made a version of, or
    submitted."""

    name: str = ""
    users: Sequence[str] = ()
    of: UserName | None = None


@dataclass(frozen=True, slots=True)
class Page:
    apps: tuple[App, ...]
    more: bool


def create(
    name: str,
    description: str,
    text: str,
    *,
    apps: Apps,
    store: Blobs,
    ids: Ids,
    by: UserName,
    now: datetime,
) -> None:
    """Raises `InvalidRequest`."""
    spec.check_size(text, "The app")
    app = rules.new_app(ids(), name, description, text, by=by, now=now)
    _require_free(name, apps)
    store.put(spec_key(app.uuid, 1), text.encode())
    try:
        apps.save(None, app)
    except Conflict:
        raise _taken(name) from None


def find(name: str, *, apps: Apps) -> App:
    """Raises `InvalidRequest`."""
    return _find(name, apps).value


def add_version(
    name: str, text: str, *, apps: Apps, store: Blobs, by: UserName, now: datetime
) -> tuple[App, AppVersion]:
    """Raises `InvalidRequest`."""
    spec.check_size(text, "The app")

    app = _change(name, lambda app: rules.with_version(app, text, by=by, now=now), apps)
    made = app.versions[-1]
    store.put(spec_key(app.uuid, made.number), text.encode())
    return app, made


def rename(name: str, to: str, *, apps: Apps, by: UserName) -> None:
    """Raises `InvalidRequest`."""
    before = _find(name, apps)
    after = rules.renamed(before.value, to, by=by)
    if to == name:
        return
    _require_free(to, apps)
    apps.save(before, after)


def delete(name: str, version: int | None, *, every: bool, apps: Apps, by: UserName) -> list[int]:
    """The numbers of those that went. Raises `InvalidRequest`."""
    if version is None and not every:
        raise InvalidRequest(
            "Name a version, or say all_versions=true: nothing was deleted.", code="USER"
        )
    gone: list[int] = []

    def into(app: App) -> App:
        rules.require_owner(app, by)
        chosen = app.ready if every else [rules.ready_version(app, version)]
        gone[:] = [one.number for one in chosen]
        return rules.without(app, gone, by=by)

    _change(name, into, apps)
    return gone


def text_of(name: str, version: int | None, *, apps: Apps, store: Blobs) -> str:
    """Raises `InvalidRequest`."""
    app = find(name, apps=apps)
    number = rules.ready_version(app, version).number
    body = store.get(spec_key(app.uuid, number))
    if body is None:
        raise InvalidRequest(
            f"Version {number} of app {name} is being made: ask again in a moment.", code="USER"
        )
    return body.decode()


def used(uuid: str, version: int | None, *, apps: Apps, by: UserName) -> AppUse:
    """For a submission from it; who submits it is noted. Raises `InvalidRequest`."""
    found = apps.app(uuid[: rules.NAME_CHARS])
    if found is None:
        raise InvalidRequest(f"App {uuid[: rules.NAME_CHARS]} does not exist.", code="USER")
    app = found.value
    number = rules.ready_version(app, version).number
    apps.note_use(by, app.uuid)
    return AppUse(app.uuid, app.owner, app.name, number)


def page(wanted: Filter, *, apps: Apps, limit: int, offset: int, newest_first: bool) -> Page:
    """The newest that match and have a version that is there; the other way round unless
    `newest_first`, as with OSMO. Raises `InvalidRequest`."""
    if not 0 < limit <= MOST_APPS:
        raise InvalidRequest(f"limit is {limit}: it must be from 1 to {MOST_APPS}.")
    if not 0 <= offset <= FURTHEST_OFFSET:
        raise InvalidRequest(f"offset is {offset}: it must be from 0 to {FURTHEST_OFFSET}.")
    used_ones = apps.used_by(wanted.of) if wanted.of is not None else frozenset()
    matching = (
        app
        for app in apps.all()
        if app.ready
        and wanted.name in app.name
        and (not wanted.users or app.owner in wanted.users)
        and (wanted.of is None or wanted.of in app.makers or app.uuid in used_ones)
    )
    found = list(islice(matching, offset, offset + limit + 1))
    shown = found[:limit] if newest_first else found[:limit][::-1]
    return Page(tuple(shown), more=len(found) > limit)


def spec_key(uuid: str, version: int) -> str:
    return f"specs/apps/{uuid}/{version}.yaml"


def _find(name: str, apps: Apps) -> Stored[App]:
    """Raises `InvalidRequest`, in OSMO's recorded words."""
    found = apps.named(name) if len(name) <= rules.NAME_CHARS else None
    if found is None:
        raise InvalidRequest(f"App {name[: rules.NAME_CHARS]} does not exist.", code="USER")
    return found


def _require_free(name: str, apps: Apps) -> None:
    """Raises `InvalidRequest`."""
    if apps.named(name) is not None:
        raise _taken(name)


def _taken(name: str) -> InvalidRequest:
    return InvalidRequest(f"App name {name} already exists.", code="USER")


def _change(name: str, into: Callable[[App], App], apps: Apps) -> App:
    """Raises `Conflict` when others were faster too often."""
    for _ in range(ATTEMPTS):
        before = _find(name, apps)
        after = into(before.value)
        if after == before.value:
            return after
        try:
            apps.save(before, after)
        except Conflict:
            continue
        return after
    raise Conflict(f"app {name} was changed by {ATTEMPTS} others at the same time: try again")
