"""The program itself, at the edges of its process: what it reads from, and what it writes to."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def program(
    home: Path, *arguments: str, stdin: bytes = b"", out: int = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    environ = {
        **os.environ,
        **{"LC_ALL": "C", "PYTHONIOENCODING": "ascii:surrogateescape"},
        **{"XYLEM_URL": "http://127.0.0.1:9", "XYLEM_USER": "u", "XYLEM_POOL": "default"},
        "XYLEM_HOME": str(home),
    }
    return subprocess.run(
        [sys.executable, "-m", "clients.cli", *arguments],
        cwd=ROOT,
        env=environ,
        input=stdin,
        stdout=out,
        stderr=subprocess.PIPE,
        check=False,
    )


def test_a_sign_that_the_terminal_lacks_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "operator.log").write_text("✓ done\n", encoding="utf-8")

    said = program(tmp_path, "local", "logs", "operator")

    assert (said.returncode, said.stdout) == (0, b"? done\n")


def test_standard_input_is_utf8_or_refused(tmp_path: Path) -> None:
    said = program(tmp_path, "workflow", "validate", "-", stdin=b"\xff\xfe")

    assert said.returncode == 2
    assert said.stderr == b"Error: standard input is not a text in UTF-8\n"


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        said = program(tmp_path, "local", "status", out=full)
    finally:
        os.close(full)

    assert said.returncode == 2
    assert said.stderr == b"Error: this machine refuses: No space left on device\n"
