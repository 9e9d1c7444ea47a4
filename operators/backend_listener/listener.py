"""The Backend Listener: what lists and watches show goes in, what is to be said and done comes out.

It keeps what it last concluded of each pod, so that only a change is news, and knows each pod's
name, which an acknowledgement does not. It decides who is let go of:

* a bound pod, when the service acknowledged an event of it that was itself terminal;
* any pod that the service does not know (`rejected unknown_entity`), which is deleted, too;
* a pod that was never bound: never here, whatever its phase. A cleanup does it, or the rule for
  forsaken pods at every listing (`operators.backend_listener.inventory`).

A pod that is gone is no news: only the answer to an `observe` says that something is lost.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from operators.backend_listener.observe import observed, verdict
from operators.shared.anchor import was_bound
from operators.shared.resources import Json
from xylem.domain.ids import GroupId
from xylem.manifests.names import FINALIZER
from xylem.protocol.agent import PodObservation


@dataclass(frozen=True, slots=True)
class News:
    pod: PodObservation


@dataclass(frozen=True, slots=True)
class LetGo:
    """Our finalizer off this pod."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete this pod and let go of it."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Stir:
    """A pod of this group has gone: a cleanup may be waiting for that."""

    group: GroupId


Want = News | LetGo | Discard | Stir


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    bound: bool
    held: bool
    """It carries our finalizer."""
    seen: PodObservation


class Listener:
    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._undecided: dict[str, tuple[datetime, Json]] = {}
        """Pods that will mean something else at a later moment, though nothing happens to them."""

    @property
    def wake_at(self) -> datetime | None:
        return min((moment for moment, _ in self._undecided.values()), default=None)

    def seen(self, pod: Json, now: datetime) -> list[Want]:
        """A pod as a list or the watch shows it."""
        uid = pod["metadata"]["uid"]
        self._undecided.pop(uid, None)
        said = verdict(pod, now)
        seen = observed(pod, said)
        if seen is None:
            return []
        if said.look_again_at is not None:
            self._undecided[uid] = (said.look_again_at, pod)
        before = self._known.get(uid)
        held = FINALIZER in (pod["metadata"].get("finalizers") or ())
        self._known[uid] = _Known(pod["metadata"]["name"], was_bound(pod), held, seen)
        return [] if before is not None and before.seen == seen else [News(seen)]

    def gone(self, pod: Json, now: datetime) -> list[Want]:
        """The watch says that the pod was removed; its last state is told all the same."""
        wants = self.seen(pod, now)
        return [*wants, *self._forget(pod["metadata"]["uid"])]

    def listed(self, uids: Collection[str]) -> list[Want]:
        """A list ended: these are all that there are."""
        missing = [uid for uid in self._known if uid not in uids]
        return [want for uid in missing for want in self._forget(uid)]

    def ticked(self, now: datetime) -> list[Want]:
        due = [pod for moment, pod in self._undecided.values() if now >= moment]
        return [want for pod in due for want in self.seen(pod, now)]

    def settled(self, uid: str) -> list[Want]:
        """An event of this pod that was terminal is durable."""
        known = self._known.get(uid)
        if known is None or not known.bound or not known.held:
            return []
        return [LetGo(known.name, uid)]

    def unknown(self, uid: str) -> list[Want]:
        """The service, by a consistent read, has no such task."""
        known = self._known.get(uid)
        return [] if known is None else [Discard(known.name, uid)]

    def _forget(self, uid: str) -> list[Want]:
        self._undecided.pop(uid, None)
        known = self._known.pop(uid, None)
        return [] if known is None else [Stir(known.seen.group)]
