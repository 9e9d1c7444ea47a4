"""A workflow of thousands of tasks, followed in a terminal of 24 lines by the program itself."""

import re
from pathlib import Path

import httpx

from tests.unit.clients.answers import a_page
from tests.unit.clients.cli.service_world import ServiceWorld
from tests.unit.clients.cli.terminal import in_a_terminal, served

LINES, COLUMNS = 24, 80
_UP = re.compile(rb"(?:\x1b\[1A\x1b\[2K)+")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def a_big_spec(folder: Path, groups: int = 100, of: int = 50) -> str:
    tasks = [
        f"    - {{name: t{group}-{task}, lead: {str(task == 0).lower()}, image: alpine,"
        " command: [echo]}\n"
        for group in range(groups)
        for task in range(of)
    ]
    text = "workflow:\n  name: big\n  groups:\n" + "".join(
        f"  - name: g{group}\n    tasks:\n{''.join(tasks[group * of : (group + 1) * of])}"
        for group in range(groups)
    )
    path = folder / "big.yaml"
    path.write_text(text)
    return str(path)


class Log:
    """What the Logger answers: `pages` of nothing new, then the end."""

    def __init__(self, pages: int) -> None:
        self.left = pages

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/logs/follow"):
            return None
        self.left -= 1
        return httpx.Response(200, json=a_page(cursor="c", closed=self.left <= 0))


def frames(drawn: bytes) -> list[list[str]]:
    """What stood on the screen between two drawings, escapes taken out."""
    return [
        _ESCAPES.sub("", frame.decode()).replace("\r", "").rstrip("\n").split("\n")
        for frame in _UP.split(drawn)
    ]


def test_five_thousand_tasks_are_followed_within_the_terminal(tmp_path: Path) -> None:
    spec = a_big_spec(tmp_path)

    with served(ServiceWorld(), Log(2)) as url:
        code, drawn = in_a_terminal(
            url, tmp_path, "workflow", "submit", spec, "--follow", lines=LINES, columns=COLUMNS
        )

    assert code == 0
    assert "Submitted big-1." in drawn.decode()
    ups = [found.count(b"\x1b[1A") for found in _UP.findall(drawn)]
    assert ups, "it is drawn in its place"
    assert max(ups) < LINES
    for frame in frames(drawn):
        assert max(len(line) for line in frame) <= COLUMNS
    last = frames(drawn)[-1]
    counted = next(line for line in last if re.match(r"\d+ [A-Z]", line))
    assert sum(int(count) for count in re.findall(r"(\d+) [A-Z_]+", counted)) == 5000
    assert any(line.startswith("and 4981 more") for line in last)


def test_a_workflow_that_fits_is_drawn_as_its_tree(tmp_path: Path) -> None:
    spec = a_big_spec(tmp_path, groups=2, of=3)

    with served(ServiceWorld(), Log(1)) as url:
        _, drawn = in_a_terminal(url, tmp_path, "workflow", "submit", spec, "--follow")

    assert "more:" not in drawn.decode()
    assert "└──" in drawn.decode()


def test_who_interrupts_gets_his_prompt_back_and_the_workflow_goes_on(tmp_path: Path) -> None:
    world = ServiceWorld()
    spec = a_big_spec(tmp_path, groups=2, of=3)

    with served(world, Log(1000)) as url:
        code, drawn = in_a_terminal(
            url, tmp_path, "workflow", "submit", spec, "--follow", interrupt_at="└──".encode()
        )

    assert code == 130
    assert b"big-1 goes on: xylem workflow query big-1" in drawn
    assert drawn.rindex(b"\x1b[?25h") > drawn.rindex(b"\x1b[?25l"), "its cursor is there again"
    assert "POST /api/workflow/big-1/cancel" not in world.asked
