"""What a shell completes, as the program itself answers it."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.core import TyperGroup

from clients.cli import completion
from clients.cli.session import Session
from tests.unit.clients.answers import NOON, Service, a_workflow
from tests.unit.clients.cli.terminal import PROGRAM, ROOT, environment, served
from tests.unit.clients.cli.test_task_commands import with_workflow

LIST = "GET /api/workflow"
POOLS = "GET /api/pool"
A_POOL = {"name": "a", "backend": "b"}
SECOND = timedelta(seconds=1)


def completed(url: str, home: Path, shell: str, line: str) -> list[str]:
    """As each shell's own script asks."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
        },
    }[shell]
    said = subprocess.run(
        PROGRAM,
        cwd=ROOT,
        env={**environment(url, home), **asked, "_XYLEM_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stderr == ""
    return said.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_ids_of_workflows_are_completed(tmp_path: Path, shell: str) -> None:
    with served(with_workflow()) as url:
        found = completed(url, tmp_path, shell, "xylem workflow query he")

    assert any("hello-1" in word for word in found)


def test_tasks_of_the_workflow_before_them_and_pools_are_completed(tmp_path: Path) -> None:
    with served(with_workflow()) as url:
        tasks = completed(url, tmp_path, "bash", "xylem workflow logs hello-1 --task ")
        entered = completed(url, tmp_path, "bash", "xylem workflow exec hello-1 t")
        pools = completed(url, tmp_path, "bash", "xylem workflow submit x.yaml --pool d")

    assert (tasks, entered, pools) == (["one", "two"], ["two"], ["default"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("xylem wor", {"workflow"}),
        ("xylem config ", {"list", "show", "diff", "rollback", "tag"}),
        ("xylem task list --form", {"--format-type"}),
    ],
)
def test_words_are_completed_without_the_service(
    tmp_path: Path, line: str, words: set[str]
) -> None:
    assert words <= set(completed("http://127.0.0.1:9", tmp_path, "bash", line))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(tmp_path: Path, shell: str) -> None:
    said = subprocess.run(
        PROGRAM,
        cwd=ROOT,
        env={**environment("http://127.0.0.1:9", tmp_path), "_XYLEM_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"complete_{shell}" in said.stdout


class Keys:
    """Presses of a key, one after the other, with a clock between them."""

    def __init__(self, home: Path, service: httpx.BaseTransport) -> None:
        self.now = NOON
        self.service = service
        self.environ = {"XYLEM_URL": "https://xylem.example", "XYLEM_CACHE_DIR": str(home)}

    def press(self, incomplete: str, **parameters: Any) -> list[str]:
        session = Session(
            out=None,  # type: ignore[arg-type]  # a completion prints nothing
            err=None,  # type: ignore[arg-type]  # nor does it complain
            stdin=None,  # type: ignore[arg-type]  # nor is it asked anything
            environ=self.environ,
            transport=self.service,
            now=lambda: self.now,
        )
        context = typer.Context(TyperGroup(), obj=session)
        context.params = parameters
        complete = completion.task_names if parameters else completion.pool_names
        return complete(context, incomplete)


def test_what_was_asked_is_kept_for_the_next_keys(tmp_path: Path) -> None:
    service = Service({POOLS: {"pools": {"a": A_POOL, "b": A_POOL}}})
    keys = Keys(tmp_path, service)

    assert keys.press("") == ["a", "b"]
    assert keys.press("a") == ["a"]
    assert len(service.asked) == 1

    keys.now += completion.KEPT_SECONDS * SECOND
    assert keys.press("") == ["a", "b"]
    assert len(service.asked) == 2


def test_a_service_that_does_not_answer_is_no_error_and_what_was_known_helps(
    tmp_path: Path,
) -> None:
    gone = httpx.ConnectError("gone")
    keys = Keys(tmp_path, Service({POOLS: [{"pools": {"a": A_POOL}}, gone]}))

    assert keys.press("") == ["a"]
    keys.now += 3600 * SECOND
    assert keys.press("") == ["a"]
    assert Keys(tmp_path / "new", Service({POOLS: gone})).press("") == []


def test_it_is_asked_once_and_not_for_longer_than_a_second() -> None:
    service = Service({POOLS: httpx.Response(503)})
    keys = Keys(Path("/nonexistent"), service)

    assert keys.press("") == []
    assert len(service.requests) == 1
    assert set(service.requests[0].extensions["timeout"].values()) == {1.0}


def test_who_is_not_logged_in_gets_nothing(tmp_path: Path) -> None:
    keys = Keys(tmp_path, Service({}))
    keys.environ = {"XYLEM_CONFIG_DIR": str(tmp_path), "XYLEM_CACHE_DIR": str(tmp_path)}

    assert keys.press("") == []


def test_what_is_kept_is_of_one_login_and_nobody_else_reads_it(tmp_path: Path) -> None:
    keys = Keys(tmp_path, Service({POOLS: [{"pools": {"a": A_POOL}}, {"pools": {"b": A_POOL}}]}))

    assert keys.press("") == ["a"]
    keys.environ["XYLEM_TOKEN"] = "another"
    assert keys.press("") == ["b"]

    assert {oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {"0o600"}


def test_a_file_that_is_broken_is_asked_anew(tmp_path: Path) -> None:
    keys = Keys(tmp_path, Service({POOLS: {"pools": {"a": A_POOL}}}))
    keys.press("")
    [file] = tmp_path.iterdir()

    for text in ("{", "[]", '{"at": "x", "names": []}', '{"at": 1, "names": [1]}'):
        file.write_text(text)
        assert keys.press("") == ["a"]


def test_tasks_are_those_of_the_workflow(tmp_path: Path) -> None:
    keys = Keys(tmp_path, Service({f"{LIST}/hello-1": a_workflow()}))

    assert keys.press("h", workflow="hello-1") == ["hello"]
    assert keys.press("", workflow=None) == []
