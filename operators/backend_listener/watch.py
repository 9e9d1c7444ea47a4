"""A watch, on our pods or on nodes: a thread that lists, then follows, and hands on what it sees.

A list comes in pages and ends with the uids of all that there are. The watch goes on from the
list's resourceVersion, or the newest event's or bookmark's, and begins anew from there when the API
server ends it (it does so every few minutes) or the connection breaks; a version that is too old
(410) means to list again. What the watch says may be late: it is news, never the ground for saying
that something is absent.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from operators.shared.kube import Kube
from operators.shared.resources import POD, Expired, Json, Kind, KubeError
from xylem.manifests.names import GROUP_LABEL

FIRST_PAUSE_SECONDS = 0.5
LAST_PAUSE_SECONDS = 30.0


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
class Interrupted:
    why: str


Sighting = Seen | Gone | Listed | Interrupted


class Watch:
    def __init__(
        self,
        kube: Kube,
        deliver: Callable[[Sighting], None],
        *,
        kind: Kind = POD,
        selector: str = GROUP_LABEL,
    ) -> None:
        """`deliver` is called in the watch's own thread, and may block it to slow it down."""
        self._kube = kube
        self._kind = kind
        self._selector = selector
        self._deliver = deliver
        self._ended = threading.Event()
        self._version = ""
        self._pause = FIRST_PAUSE_SECONDS

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"watch {self._kind.plural}", daemon=True).start()

    def end(self) -> None:
        """Nothing is delivered any more; the thread ends with the process."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if not self._version:
                    self._list()
                self._follow()
            except Expired:
                self._version = ""
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
        self._pause = FIRST_PAUSE_SECONDS

    def _follow(self) -> None:
        for event in self._kube.watch(self._kind, self._selector, self._version):
            if event.type == "DELETED":
                self._tell(Gone(event.object))
            elif event.type != "BOOKMARK":
                self._tell(Seen([event.object]))
            self._version = event.object["metadata"]["resourceVersion"]
            self._pause = FIRST_PAUSE_SECONDS

    def _rest(self, why: str) -> None:
        self._tell(Interrupted(why))
        self._ended.wait(self._pause)
        self._pause = min(self._pause * 2, LAST_PAUSE_SECONDS)

    def _tell(self, sighting: Sighting) -> None:
        if not self._ended.is_set():
            self._deliver(sighting)
