"""`xylem workflow artifacts …`: what the service lists, and what the store hands out."""

import json
from hashlib import md5
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from clients.transfer.presigned import Signatures, Signed
from operators.shared.files import TransferFailed
from tests.unit.clients.answers import Service, a_workflow
from tests.unit.clients.cli.world import xylem

LIST = "GET /api/workflow/hello-1/artifacts"
STORE = "https://store.example"
NO_LOGS = "--no-logs"


def an_artifact(path: str, content: bytes, *, task: str = "train", url: str = "") -> dict[str, Any]:
    url = url or f"{STORE}/{task}/{path}?signature=1"
    return {"task": task, "retry": 0, "path": path, "size": len(content), "url": url}


def a_page(*artifacts: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"artifacts": list(artifacts), "cursor": cursor}


def stored(content: bytes, status: int = 200, *, tag: bytes | None = None) -> httpx.Response:
    digest = md5(content if tag is None else tag, usedforsecurity=False).hexdigest()
    return httpx.Response(status, content=content, headers={"ETag": f'"{digest}"'})


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_artifacts_of_all_pages_come_as_task_and_path(tmp_path: Path) -> None:
    service = Service(
        {
            LIST: [
                a_page(an_artifact("deep/a", b"aa"), cursor="next"),
                a_page(an_artifact("b", b"bb", task="test")),
            ],
            "GET /train/deep/a": stored(b"aa"),
            "GET /test/b": stored(b"bb"),
        }
    )

    said = xylem(
        "workflow", "artifacts", "download", "hello-1", str(tmp_path), NO_LOGS, service=service
    )

    assert said.code == 0, said.err
    assert files(tmp_path) == {"train/deep/a": b"aa", "test/b": b"bb"}
    assert said.out.startswith("Downloaded 2 files, 4 bytes in ")
    assert not [one for one in service.requests if "cookie" in one.headers]


def test_the_store_is_not_told_who_asks(tmp_path: Path) -> None:
    service = Service({LIST: a_page(an_artifact("a", b"a")), "GET /train/a": stored(b"a")})
    environ = {"XYLEM_URL": "https://xylem.example", "XYLEM_TOKEN": "the-token"}
    words = ("workflow", "artifacts", "download", "hello-1", str(tmp_path), NO_LOGS)

    xylem(*words, service=service, environ=environ)

    tokens = {one.url.host: one.headers.get("authorization") for one in service.requests}
    assert tokens == {"xylem.example": "Bearer the-token", "store.example": None}


def test_a_url_that_has_expired_is_asked_for_anew(tmp_path: Path) -> None:
    service = Service(
        {
            LIST: [
                a_page(an_artifact("a", b"a")),
                a_page(an_artifact("a", b"a", url=f"{STORE}/fresh")),
            ],
            "GET /train/a": stored(b"expired", 403),
            "GET /fresh": stored(b"a"),
        }
    )

    said = xylem(
        "workflow", "artifacts", "download", "hello-1", str(tmp_path), NO_LOGS, service=service
    )

    assert said.code == 0, said.err
    assert files(tmp_path) == {"train/a": b"a"}


def test_what_is_there_already_is_asked_for_by_its_checksum(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a").write_bytes(b"aa")
    service = Service({LIST: a_page(an_artifact("a", b"aa")), "GET /train/a": stored(b"", 304)})

    said = xylem(
        *("workflow", "artifacts", "download", "hello-1", str(tmp_path), NO_LOGS, "--resume"),
        service=service,
    )

    tag = md5(b"aa", usedforsecurity=False).hexdigest()
    assert said.code == 0, said.err
    assert service.requests[-1].headers["if-none-match"] == f'"{tag}"'
    assert files(tmp_path) == {"train/a": b"aa"}
    assert "1 there already" in said.out


@pytest.mark.parametrize(
    "path", ["../escaped", "/etc/escaped", "a/../../../escaped", "./a", "a//b", "a\0b"]
)
def test_no_path_of_a_service_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    evil = an_artifact(path, b"evil", url=f"{STORE}/evil")
    service = Service({LIST: a_page(evil), "GET /evil": stored(b"evil")})
    folder = tmp_path / "deep/folder"

    said = xylem(
        "workflow", "artifacts", "download", "hello-1", str(folder), NO_LOGS, service=service
    )

    assert (said.code, files(tmp_path)) == (2, {})
    assert "outside" in said.err


def test_logs_are_files_of_their_attempts(tmp_path: Path) -> None:
    service = Service(
        {
            LIST: a_page(),
            "GET /api/workflow/hello-1": a_workflow(),
            "GET /api/workflow/hello-1/logs": "the log\n",
        }
    )

    said = xylem("workflow", "artifacts", "download", "hello-1", str(tmp_path), service=service)

    assert said.code == 0, said.err
    assert set(files(tmp_path).values()) == {b"the log\n"}
    assert all(name.startswith("_logs/") for name in files(tmp_path))


def test_a_list_says_where_files_come_from_and_hands_out_no_url() -> None:
    service = Service(
        {LIST: a_page(an_artifact("a", b"aa")), "GET /api/workflow/hello-1": a_workflow()}
    )

    said = xylem("workflow", "artifacts", "list", "hello-1", service=service)
    as_json = xylem(
        *("workflow", "artifacts", "list", "hello-1", "--format-type", "json", "-x", "^train/"),
        service=service,
    )

    assert "train/a" in said.out
    assert "signature" not in said.out + as_json.out
    assert json.loads(as_json.out)["artifacts"] == [
        {"task": "train", "retry": 0, "path": "a", "size": 2}
    ]


def test_a_file_that_came_damaged_is_fetched_again_and_never_taken(tmp_path: Path) -> None:
    one = Signed("a", 5, f"{STORE}/a")
    wrong = stored(b"wrong", tag=b"right")
    once, always = Service({"GET /a": [wrong, stored(b"right")]}), Service({"GET /a": wrong})

    with Signatures(
        tmp_path / "once", resume=False, transport=once, stop=NoPatience()
    ) as signatures:
        signatures.take([one], lambda: [one])
    with (
        Signatures(tmp_path / "never", resume=False, transport=always, stop=NoPatience()) as other,
        pytest.raises(TransferFailed, match="a: it came damaged"),
    ):
        other.take([one], lambda: [one])

    assert files(tmp_path) == {"once/a": b"right"}


class NoPatience(Event):
    """Waits between tries take no time."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()
