"""A watch, on our pods, on nodes or on warnings: a thread that lists, then follows, and hands on
what it sees.

A list comes in pages and ends with the uids of all that there are. The watch goes on from the
list's resourceVersion, or the newest event's or bookmark's, and begins anew from there when the API
server ends it (it does so every few minutes) or the connection breaks; a version that is too old
(410) means to list again. What the watch says may be late: it is news, never the ground for saying
that something is absent.

Whatever goes wrong, it is tried again, after a pause that doubles until the API server has said
something of use: ten thousand pods are not listed twice a second because their versions expire at
once.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from operators.shared.resources import Expired, Json, Kind, KubeError, Page, WatchEvent

FIRST_PAUSE_SECONDS = 0.5
LAST_PAUSE_SECONDS = 30.0
SHORT_SECONDS = 1.0
"""A watch that ends sooner, without a word, is none: a proxy that allows no long answers."""


@dataclass(frozen=True, slots=True)
class Seen:
    objects: list[Json]


@dataclass(frozen=True, slots=True)
class Gone:
    object: Json


@dataclass(frozen=True, slots=True)
class Listed:
    """The end of a list; since now the watch follows."""

    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Following:
    """The API server took up the watch: what happens is seen from here on."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    why: str


Sighting = Seen | Gone | Listed | Following | Interrupted


class Watched(Protocol):
    """What a watch needs of `operators.shared.kube.Kube`."""

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page: ...
    def watch(self, kind: Kind, selector: str, resource_version: str) -> Iterator[WatchEvent]: ...


class Watch:
    def __init__(
        self,
        kube: Watched,
        deliver: Callable[[Sighting], None],
        *,
        kind: Kind,
        selector: str = "",
        rest: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`deliver` is called in the watch's own thread, and may block it to slow it down; `rest`
        waits so many seconds, at most until `end`."""
        self._kube = kube
        self._kind = kind
        self._selector = selector
        self._deliver = deliver
        self._ended = threading.Event()
        self._wait = self._ended.wait if rest is None else rest
        self._clock = clock
        self._version = ""
        self._pause = FIRST_PAUSE_SECONDS

    def start(self) -> None:
        threading.Thread(target=self.run, name=f"watch {self._kind.plural}", daemon=True).start()

    def end(self) -> None:
        """Nothing is delivered any more; the thread ends with the process."""
        self._ended.set()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                if not self._version:
                    self._list()
                self._follow()
            except Expired as expired:
                self._version = ""
                self._rest(f"the version is too old: {expired}")
            except KubeError as error:
                self._rest(str(error))
            except Exception as error:  # the operator would go on, blind, without this thread
                self._version = ""
                self._rest(repr(error))

    def _list(self) -> None:
        uids: set[str] = set()
        following: str | None = None
        while True:
            page = self._kube.page(self._kind, self._selector, following)
            uids |= {each["metadata"]["uid"] for each in page.items}
            self._tell(Seen(page.items))
            following = page.next
            if following is None:
                break
        self._tell(Listed(frozenset(uids)))
        self._version = page.resource_version

    def _follow(self) -> None:
        begun = self._clock()
        heard = False
        events = self._kube.watch(self._kind, self._selector, self._version)
        self._tell(Following())
        for event in events:
            if event.type == "DELETED":
                self._tell(Gone(event.object))
            elif event.type != "BOOKMARK":
                self._tell(Seen([event.object]))
            self._version = event.object["metadata"]["resourceVersion"]
            self._pause = FIRST_PAUSE_SECONDS
            heard = True
        if not heard and self._clock() - begun < SHORT_SECONDS:
            self._rest("the watch ended as soon as it had begun")
        else:
            self._pause = FIRST_PAUSE_SECONDS

    def _rest(self, why: str) -> None:
        self._tell(Interrupted(why))
        self._wait(self._pause)
        self._pause = min(self._pause * 2, LAST_PAUSE_SECONDS)

    def _tell(self, sighting: Sighting) -> None:
        if not self._ended.is_set():
            self._deliver(sighting)
