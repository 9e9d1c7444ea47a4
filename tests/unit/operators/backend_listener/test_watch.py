"""A watch lists, follows, and begins anew where it was, whatever the API server does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from operators.backend_listener.watch import (
    FIRST_PAUSE_SECONDS,
    LAST_PAUSE_SECONDS,
    Following,
    Gone,
    Interrupted,
    Listed,
    Seen,
    Sighting,
    Watch,
)
from operators.shared.resources import (
    POD,
    Expired,
    Json,
    Kind,
    KubeError,
    Page,
    Refused,
    Unreachable,
    WatchEvent,
)

Answer = Page | KubeError | list[WatchEvent | KubeError]


def pod(name: str, version: int = 1) -> Json:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


def event(
    type_: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"], name: str, version: int
) -> WatchEvent:
    return WatchEvent(type_, pod(name, version))


def page(*names: str, version: int = 1, more: str | None = None) -> Page:
    return Page([pod(name) for name in names], str(version), more)


@dataclass
class Script:
    """Answers in order, to lists and watches as they come; the end of the script is the watch's."""

    answers: list[Answer]
    asked: list[str] = field(default_factory=list)
    seen: list[Sighting] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)
    now: float = 0.0

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page:
        answer = self._next(f"list {following or ''}".strip())
        assert isinstance(answer, Page)
        return answer

    def watch(self, kind: Kind, selector: str, version: str) -> Iterator[WatchEvent]:
        answer = self._next(f"watch {version}")
        assert isinstance(answer, list)
        return self._events(answer)

    def _events(self, answer: list[WatchEvent | KubeError]) -> Iterator[WatchEvent]:
        for each in answer:
            self.now += 1
            if isinstance(each, KubeError):
                raise each
            yield each

    def _next(self, what: str) -> Answer:
        self.asked.append(what)
        answer: Answer = self.answers.pop(0) if self.answers else Unreachable("the end")
        if isinstance(answer, KubeError):
            raise answer
        return answer

    def run(self) -> list[Sighting]:
        watch = Watch(
            self, self.seen.append, kind=POD, rest=self._ends(lambda: watch), clock=lambda: self.now
        )
        watch.run()
        return self.seen

    def _ends(self, watch: Callable[[], Watch]) -> Callable[[float], Any]:
        def rest(seconds: float) -> None:
            self.rests.append(seconds)
            if not self.answers:
                watch().end()

        return rest


def script(*answers: Answer) -> Script:
    return Script(list(answers))


def test_a_list_comes_in_pages_and_ends_with_all_that_there_are() -> None:
    told = script(page("a", "b", more="next"), page("c", version=7))

    seen = told.run()

    assert seen[:3] == [
        Seen([pod("a"), pod("b")]),
        Seen([pod("c")]),
        Listed(frozenset({"uid-a", "uid-b", "uid-c"})),
    ]
    assert told.asked == ["list", "list next", "watch 7"]


def test_the_watch_goes_on_from_the_newest_event_or_bookmark() -> None:
    told = script(
        page("a", version=7),
        [event("MODIFIED", "a", 8), event("DELETED", "a", 9)],
        [event("BOOKMARK", "", 30)],
        [event("ADDED", "b", 31)],
    )

    seen = told.run()

    assert told.asked == ["list", "watch 7", "watch 9", "watch 30", "watch 31"]
    assert seen[2:-1] == [
        Following(),
        Seen([pod("a", 8)]),
        Gone(pod("a", 9)),
        Following(),
        Following(),
        Seen([pod("b", 31)]),
    ]


def test_a_version_that_is_too_old_means_to_list_again() -> None:
    gone = Expired(410, "too old resource version")
    told = script(
        page("a", version=7), [event("MODIFIED", "a", 8), gone], page("a", "b", version=40), gone
    )

    told.run()

    assert told.asked == ["list", "watch 7", "list", "watch 40"]


def test_a_list_that_expires_between_two_pages_begins_anew() -> None:
    told = script(page("a", more="next"), Expired(410, "expired"), page("a", "b", version=9))

    seen = told.run()

    assert told.asked == ["list", "list next", "list", "watch 9"]
    assert [each for each in seen if isinstance(each, Listed)] == [
        Listed(frozenset({"uid-a", "uid-b"}))
    ]


def test_a_connection_that_breaks_goes_on_where_it_was_and_says_so() -> None:
    told = script(
        page("a", version=7),
        [event("MODIFIED", "a", 8), Unreachable("cut")],
        [event("MODIFIED", "a", 9)],
    )

    seen = told.run()

    assert told.asked == ["list", "watch 7", "watch 8", "watch 9"]
    assert seen[4:6] == [Interrupted("cut"), Following()]


def test_an_api_server_that_has_nothing_but_errors_is_asked_more_and_more_seldom() -> None:
    told = script(*[Unreachable("down")] * 9)

    told.run()

    assert told.rests[:3] == [FIRST_PAUSE_SECONDS, 1.0, 2.0]
    assert told.rests[-1] == LAST_PAUSE_SECONDS


def test_versions_that_expire_at_once_list_ten_thousand_pods_more_and_more_seldom() -> None:
    answers: list[Answer] = [page("a"), Expired(410, "too old")]
    told = script(*answers * 4)

    told.run()

    assert told.rests[:4] == [0.5, 1.0, 2.0, 4.0]


def test_a_watch_that_heard_something_is_trusted_again() -> None:
    told = script(
        Unreachable("down"),
        Unreachable("down"),
        page("a", version=7),
        [event("MODIFIED", "a", 8), Unreachable("cut")],
    )

    told.run()

    assert told.rests[:3] == [0.5, 1.0, FIRST_PAUSE_SECONDS]


def test_a_proxy_that_ends_each_watch_at_once_is_not_asked_without_a_pause() -> None:
    told = script(page("a", version=7), [], [], [])

    told.run()

    assert told.asked == ["list", *["watch 7"] * 3]
    assert told.rests[:3] == [0.5, 1.0, 2.0]


def test_a_right_that_is_missing_does_not_end_the_watch() -> None:
    told = script(Refused(403, "events is forbidden"), page("a"))

    seen = told.run()

    assert seen[0] == Interrupted("events is forbidden")
    assert Listed(frozenset({"uid-a"})) in seen


def test_what_cannot_be_read_makes_it_list_again() -> None:
    told = script(
        page("a", version=7), [WatchEvent("MODIFIED", {"metadata": {}})], page("a", version=9)
    )

    told.run()

    assert told.asked == ["list", "watch 7", "list", "watch 9"]
