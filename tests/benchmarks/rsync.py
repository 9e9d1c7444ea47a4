"""How long files take into a running task and back: many small ones, and one that is large.

Against the stack that `xylem local up` started, in a task of its own, with the command line's own
code. Five thousand files of up to 4 KB show what a file costs beside its bytes, a GB what a byte
does; both go up, are compared there with what is here, and come back; then both are asked for once
more, when nothing is to be sent.
"""

import asyncio
import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rich.table import Table

from clients.sdk import rsync, sessions
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.login import Login
from operators.shared.session_io import SessionLine
from operators.shared.tree_sync import Outcome
from tests.benchmarks.reporting import options, progress_console, report
from tests.benchmarks.runs import a_login
from tests.benchmarks.sessions import SPEC, wait_for_running

MB = 1_000_000
SMALL_BYTES = 4_096
FOLDERS = 50
SUMS = "cd {folder} && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--pool", default="default")
    given = parser.parse_args(arguments)
    login = a_login()
    with Client(login) as client, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _make_small(folder / "small", given.files)
        _make_large(folder / "large", given.megabytes)
        name = client.submit(SubmitRequest(spec=SPEC, pool=given.pool)).name
        try:
            wait_for_running(client, name)
            measured = asyncio.run(measure(client, login, name, folder))
        finally:
            client.cancel(name, force=True)
    result = {"files": given.files, "megabytes": given.megabytes, **measured}
    report("rsync", result, [table(result)], given)
    return 0


async def measure(client: Client, login: Login, name: str, folder: Path) -> dict[str, float]:
    measured: dict[str, float] = {}
    grant = client.create_session(name, "main", purpose="rsync")
    async with sessions.attached(login, grant) as line:
        for what in ("small", "large"):
            source, back = folder / what, folder / "back"
            progress_console.print(f"{what}: up, and back")

            def up(source: Path = source) -> Awaitable[Outcome]:
                return rsync.upload(line, str(source), rsync.WORKSPACE, lambda _: None)

            def down(what: str = what, back: Path = back) -> Awaitable[Outcome]:
                return rsync.download(line, f"{rsync.WORKSPACE}/{what}", str(back), lambda _: None)

            measured[f"{what}_up_seconds"] = await _timed(up, source)
            if await _sums_there(line, what) != _sums_here(source):
                sys.exit(f"{what}: what arrived is not what was sent")
            measured[f"{what}_down_seconds"] = await _timed(down, source)
            if _sums_here(back / what) != _sums_here(source):
                sys.exit(f"{what}: what came back is not what was sent")
            measured[f"{what}_again_seconds"] = await _timed(up, None)
    return measured


async def _timed(move: Callable[[], Awaitable[Outcome]], sent: Path | None) -> float:
    """`sent`: whose bytes have to go over the line; of None nothing may."""
    begun = time.perf_counter()
    outcome = await move()
    seconds = time.perf_counter() - begun
    size = 0 if sent is None else sum(each.stat().st_size for each in _files(sent))
    if outcome.problems or outcome.progress.moved != size:
        sys.exit(f"{outcome.progress.moved} of {size} bytes were moved: {outcome.problems[:3]}")
    return round(seconds, 2)


async def _sums_there(line: SessionLine, what: str) -> str:
    said: list[bytes] = []
    words = ["sh", "-c", SUMS.format(folder=f"{rsync.WORKSPACE}/{what}")]
    await sessions.run_command(line, words, out=said.append, err=said.append)
    return b"".join(said).decode().split()[0]


def _sums_here(folder: Path) -> str:
    """As `sha256sum` prints them, in the order of `sort` in the C locale."""
    lines = []
    for path in sorted(_files(folder), key=lambda each: os.fsencode(str(each))):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  ./{path.relative_to(folder)}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


def _make_small(folder: Path, count: int) -> None:
    chance = random.Random(1)
    for number in range(count):
        path = folder / f"folder-{number % FOLDERS:02}/file-{number:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.randrange(SMALL_BYTES)))


def _make_large(folder: Path, megabytes: int) -> None:
    folder.mkdir(parents=True)
    chance = random.Random(2)
    with (folder / "large").open("wb") as file:
        for _ in range(megabytes):
            file.write(chance.randbytes(MB))


def table(result: dict[str, float]) -> Table:
    made = Table("figure", "value", title="files into a running task and back; seconds")
    for name, value in result.items():
        made.add_row(name, f"{value:g}")
    return made


if __name__ == "__main__":
    sys.exit(main())
