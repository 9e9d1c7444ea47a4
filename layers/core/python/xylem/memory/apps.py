"""Apps in dictionaries."""

from collections.abc import Iterator

from xylem.domain.app import App
from xylem.domain.errors import Conflict
from xylem.domain.ids import UserName
from xylem.ports.stored import Stored


class MemoryApps:
    def __init__(self) -> None:
        self._apps: dict[str, Stored[App]] = {}
        self._used: set[tuple[UserName, str]] = set()

    def named(self, name: str) -> Stored[App] | None:
        return next((one for one in self._apps.values() if one.value.name == name), None)

    def app(self, uuid: str) -> Stored[App] | None:
        return self._apps.get(uuid)

    def all(self) -> Iterator[App]:
        apps = [one.value for one in self._apps.values()]
        return iter(sorted(apps, key=lambda app: (app.created_at, app.uuid), reverse=True))

    def used_by(self, user: UserName) -> frozenset[str]:
        return frozenset(uuid for of, uuid in self._used if of == user)

    def note_use(self, user: UserName, uuid: str) -> None:
        self._used.add((user, uuid))

    def save(self, before: Stored[App] | None, after: App) -> None:
        holder = self.named(after.name)
        if self._apps.get(after.uuid) != before or (
            holder is not None and holder.value.uuid != after.uuid
        ):
            raise Conflict(f"app {after.name}: somebody else was faster")
        self._apps[after.uuid] = Stored(after, before.version + 1 if before is not None else 1)
