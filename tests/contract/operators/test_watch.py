"""The watch over the real client, against an API server that is a script: what no fake in memory
can get wrong. Pages, chunks that end anywhere, bookmarks, 410 in three places, a cut, a refusal."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from operators.backend_listener.watch import Following, Gone, Interrupted, Listed, Seen, Watch
from operators.shared.kube import PAGE, Kube
from operators.shared.resources import POD, POD_WARNING, Expired, Json, Unreachable
from xylem.manifests.names import GROUP_LABEL

SECONDS = 20
Query = dict[str, str]
Reply = tuple[int, str | list[str]]
"""Status, and a body, or the chunks of one that is cut off after the last."""

CUT = "cut"


class Api:
    """Answers by what it is asked; `asked` has the queries in order."""

    def __init__(self, answer: Callable[[Query, int], Reply]) -> None:
        self.asked: list[Query] = []
        self._answer = answer

    def reply(self, query: Query) -> Reply:
        self.asked.append(query)
        return self._answer(query, len(self.asked))


@contextmanager
def serving(api: Api, folder: Path) -> Iterator[Kube]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            status, body = api.reply({key: values[-1] for key, values in asked.items()})
            self.send_response(status)
            if isinstance(body, str):
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in body:
                if chunk == CUT:
                    self.close_connection = True
                    return
                self.wfile.write(f"{len(chunk.encode()):x}\r\n{chunk}\r\n".encode())
            self.wfile.write(b"0\r\n\r\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    path = folder / "kubeconfig"
    host = f"http://127.0.0.1:{server.server_address[1]}"
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": host}}],
        "users": [{"name": "it", "user": {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(told))
    try:
        yield Kube(namespace="default", kubeconfig=str(path), connections=4)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(SECONDS)


def pod(number: int, version: int = 1) -> Json:
    names = {"name": f"pod-{number}", "uid": f"uid-{number}"}
    return {"metadata": {**names, "resourceVersion": str(version)}}


def a_list(*numbers: int, version: int = 7, following: str = "") -> Reply:
    metadata = {"resourceVersion": str(version), "continue": following}
    return 200, json.dumps({"metadata": metadata, "items": [pod(number) for number in numbers]})


def line(type_: str, object_: Json) -> str:
    return json.dumps({"type": type_, "object": object_}) + "\n"


def too_old() -> str:
    return line("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})


def watched(kube: Kube, enough: Callable[[list[Any]], bool], kind: Any = POD) -> list[Any]:
    """What was delivered until there was enough of it."""
    seen: list[Any] = []
    done = threading.Event()

    def deliver(sighting: Any) -> None:
        seen.append(sighting)
        if enough(seen):
            watch.end()
            done.set()

    selector = GROUP_LABEL if kind is POD else ""
    watch = Watch(kube, deliver, kind=kind, selector=selector, rest=lambda seconds: None)
    watch.start()
    assert done.wait(SECONDS)
    return seen


def test_ten_thousand_pods_come_in_pages_and_each_is_asked_with_the_token_of_the_one_before(
    tmp_path: Path,
) -> None:
    def answer(query: Query, number: int) -> Reply:
        if "watch" in query:
            return 200, []
        start = int(query.get("continue", "0"))
        end = start + int(query["limit"])
        return a_list(*range(start, end), following=str(end) if end < 10_000 else "")

    api = Api(answer)
    with serving(api, tmp_path) as kube:
        seen = watched(kube, lambda seen: isinstance(seen[-1], Listed))

    pages = [each for each in seen if isinstance(each, Seen)]
    assert len(pages) == 10_000 / PAGE
    assert {len(each.objects) for each in pages} == {PAGE}
    assert len(seen[-1].uids) == 10_000
    listed = api.asked[: len(pages)]
    assert {query["labelSelector"] for query in listed} == {GROUP_LABEL}
    assert not any("resourceVersion" in query for query in listed), "a quorum read"


def test_events_are_read_however_their_bytes_are_cut(tmp_path: Path) -> None:
    text = line("ADDED", pod(1, 8)) + line("MODIFIED", pod(1, 9)) + line("DELETED", pod(1, 10))
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]

    def answer(query: Query, number: int) -> Reply:
        return (200, pieces) if "watch" in query else a_list()

    with serving(Api(answer), tmp_path) as kube:
        seen = watched(kube, lambda seen: isinstance(seen[-1], Gone))

    assert seen[2:] == [Following(), Seen([pod(1, 8)]), Seen([pod(1, 9)]), Gone(pod(1, 10))]


def test_a_watch_goes_on_from_a_bookmark_and_asks_for_them(tmp_path: Path) -> None:
    bookmark = line("BOOKMARK", {"metadata": {"resourceVersion": "99"}})

    def answer(query: Query, number: int) -> Reply:
        return (200, [bookmark]) if "watch" in query else a_list()

    api = Api(answer)
    with serving(api, tmp_path) as kube:
        watched(kube, lambda seen: seen.count(Following()) == 2)

    first, second = api.asked[1:3]
    assert (first["resourceVersion"], second["resourceVersion"]) == ("7", "99")
    assert first["allowWatchBookmarks"] == "true"
    assert int(first["timeoutSeconds"]) > 0


@pytest.mark.parametrize(
    "expired",
    [(200, [too_old()]), (410, '{"message": "too old"}')],
    ids=["as an event", "as a status"],
)
def test_a_version_that_is_too_old_lists_again(tmp_path: Path, expired: Reply) -> None:
    def answer(query: Query, number: int) -> Reply:
        if "watch" not in query:
            return a_list(1, version=7 if number == 1 else 50)
        return expired

    api = Api(answer)
    with serving(api, tmp_path) as kube:
        watched(kube, lambda seen: sum(isinstance(each, Listed) for each in seen) == 3)

    versions = [query["resourceVersion"] for query in api.asked if "watch" in query]
    assert versions[:2] == ["7", "50"]


def test_a_page_whose_token_expired_lists_again_from_the_first(tmp_path: Path) -> None:
    def answer(query: Query, number: int) -> Reply:
        if number == 2:
            return 410, '{"message": "The provided continue parameter is too old"}'
        return a_list(1, following="next" if number == 1 else "")

    api = Api(answer)
    with serving(api, tmp_path) as kube:
        seen = watched(kube, lambda seen: isinstance(seen[-1], Listed))

    assert [query.get("continue") for query in api.asked[:3]] == [None, "next", None]
    assert seen[-1] == Listed(frozenset({"uid-1"}))


def test_a_connection_that_is_cut_goes_on_where_it_was(tmp_path: Path) -> None:
    def answer(query: Query, number: int) -> Reply:
        if "watch" not in query:
            return a_list()
        if query["resourceVersion"] == "7":
            return 200, [line("ADDED", pod(1, 8)), line("ADDED", pod(2, 9))[:20], CUT]
        return 200, [line("ADDED", pod(2, 9))]

    api = Api(answer)
    with serving(api, tmp_path) as kube:
        seen = watched(kube, lambda seen: Seen([pod(2, 9)]) in seen)

    assert [query.get("resourceVersion") for query in api.asked[:3]] == [None, "7", "8"]
    assert any(isinstance(each, Interrupted) for each in seen)
    assert seen[-2:] == [Following(), Seen([pod(2, 9)])]


def test_of_the_clusters_events_only_warnings_about_pods_are_asked_for(tmp_path: Path) -> None:
    api = Api(lambda query, number: a_list())
    with serving(api, tmp_path) as kube:
        watched(kube, lambda seen: isinstance(seen[-1], Listed), POD_WARNING)

    assert api.asked[0]["fieldSelector"] == "involvedObject.kind=Pod,type=Warning"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_later_is_no_refusal(tmp_path: Path, status: int) -> None:
    api = Api(lambda query, number: (status, '{"message": "later"}'))
    with serving(api, tmp_path) as kube, pytest.raises(Unreachable):
        kube.watch(POD, GROUP_LABEL, "7")


def test_a_version_that_expired_is_known_when_the_watch_is_asked_for(tmp_path: Path) -> None:
    api = Api(lambda query, number: (410, '{"message": "too old"}'))
    with serving(api, tmp_path) as kube, pytest.raises(Expired):
        kube.watch(POD, GROUP_LABEL, "7")


def test_an_answer_that_is_no_json_is_no_answer(tmp_path: Path) -> None:
    api = Api(lambda query, number: (200, '{"items": [{"metadata"'))
    with serving(api, tmp_path) as kube, pytest.raises(Unreachable):
        kube.page(POD, GROUP_LABEL)
