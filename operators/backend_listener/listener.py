"""The Backend Listener: what lists and watches show goes in, what is to be said and done comes out.

It keeps what it last concluded of each pod, so that only a change is news, and knows each pod's
name, which an acknowledgement does not. It decides who is let go of:

* a bound pod, when the service acknowledged an event of it that was itself terminal;
* any pod that the service does not know (`rejected unknown_entity`), which is deleted, too;
* a pod that was never bound: never here, whatever its phase. A cleanup does it, or the rule for
  forsaken pods at every listing (`operators.backend_listener.inventory`).

A pod that is gone is no news: only the answer to an `observe` says that something is lost.

Pods are not kept: ten thousand of them as dictionaries are half a gigabyte. What is kept of one
that is waited for is the part that `observe` reads, as text.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json

from operators.backend_listener.detail import Warnings
from operators.backend_listener.observe import observed, patience, verdict
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
    """Our finalizer off this pod. `finalizers`: what it was seen to carry."""

    name: str
    uid: str
    finalizers: tuple[str, ...] = ()


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
    finalizers: tuple[str, ...]
    said: PodObservation
    """Without its detail."""
    explained: bool
    """Whether a detail was told with this status: the first is news, a change of it is none."""


@dataclass(frozen=True, slots=True)
class _Waits:
    """A pod with a container that is waited for."""

    reason: str
    since: datetime
    """By our own clock, when we first saw it wait for this."""
    look_again_at: datetime | None
    pod: bytes


class Listener:
    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._waiting: dict[str, _Waits] = {}
        """Pods that will mean something else at a later moment, though nothing happens to them."""
        self._warnings = Warnings()

    @property
    def pods(self) -> int:
        return len(self._known)

    @property
    def wake_at(self) -> datetime | None:
        moments = (waits.look_again_at for waits in self._waiting.values())
        return min((moment for moment in moments if moment is not None), default=None)

    def seen(self, pod: Json, now: datetime) -> list[Want]:
        """A pod as a list or the watch shows it."""
        seen = self.observe(pod, now)
        if seen is None:
            return []
        before = self._known.get(seen.uid)
        said = seen if seen.detail is None else seen.model_copy(update={"detail": None})
        finalizers = tuple(pod["metadata"].get("finalizers") or ())
        explained, news = seen.detail is not None, True
        if before is not None and before.said == said:
            said, news = before.said, explained and not before.explained
            explained = explained or before.explained
        name = pod["metadata"]["name"]
        self._known[seen.uid] = _Known(name, was_bound(pod), finalizers, said, explained)
        return [News(seen)] if news else []

    def observe(self, pod: Json, now: datetime) -> PodObservation | None:
        """What this pod says, to whoever asks for it now; it may still be news after this. None:
        it is not one of ours."""
        uid = pod["metadata"]["uid"]
        reason = patience(pod)
        waits = self._waiting.get(uid)
        since = waits.since if waits is not None and waits.reason == reason else now
        judged = verdict(pod, now, since)
        seen = observed(pod, judged)
        if reason is None or seen is None:
            self._waiting.pop(uid, None)
        else:
            self._waiting[uid] = _Waits(reason, since, judged.look_again_at, kept(pod))
        if seen is None:
            return None
        detail = self._warnings.joined(uid, seen.detail)
        return seen if detail is seen.detail else seen.model_copy(update={"detail": detail})

    def warned(self, event: Json) -> None:
        """A cluster's event: told with what is said of its pod next."""
        self._warnings.heard(event)

    def gone(self, pod: Json, now: datetime) -> list[Want]:
        """The watch says that the pod was removed; its last state is told all the same."""
        wants = self.seen(pod, now)
        return [*wants, *self._forget(pod["metadata"]["uid"])]

    def listed(self, uids: Collection[str]) -> list[Want]:
        """A list ended: these are all that there are."""
        missing = [uid for uid in {*self._known, *self._waiting} if uid not in uids]
        return [want for uid in sorted(missing) for want in self._forget(uid)]

    def ticked(self, now: datetime) -> list[Want]:
        due = [
            waits.pod
            for waits in self._waiting.values()
            if waits.look_again_at is not None and now >= waits.look_again_at
        ]
        return [want for pod in due for want in self.seen(from_json(pod), now)]

    def settled(self, uid: str) -> list[Want]:
        """An event of this pod that was terminal is durable."""
        known = self._known.get(uid)
        if known is None or not known.bound or FINALIZER not in known.finalizers:
            return []
        return [LetGo(known.name, uid, known.finalizers)]

    def unknown(self, uid: str) -> list[Want]:
        """The service, by a consistent read, has no such task."""
        known = self._known.get(uid)
        return [] if known is None else [Discard(known.name, uid)]

    def _forget(self, uid: str) -> list[Want]:
        self._waiting.pop(uid, None)
        self._warnings.forget(uid)
        known = self._known.pop(uid, None)
        return [] if known is None else [Stir(known.said.group)]


def kept(pod: Json) -> bytes:
    """Of a pod, what `observe` and this Listener read."""
    metadata = pod["metadata"]
    kept = {
        "metadata": {
            key: metadata[key]
            for key in ("name", "uid", "annotations", "finalizers")
            if key in metadata
        },
        "spec": {"nodeName": (pod.get("spec") or {}).get("nodeName")},
        "status": pod.get("status"),
    }
    return json.dumps(kept, separators=(",", ":")).encode()
