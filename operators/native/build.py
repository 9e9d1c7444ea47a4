"""Builds every program of this folder: `python -m operators.native.build [--arch x86_64|aarch64]`.

One C file is one program, named by the first words of its first comment (`/* desk-shim: ...`). It
is linked statically against musl by the compiler that comes as a wheel from PyPI (ziglang), so
neither a system compiler nor a cross toolchain has to be there. A program whose source and flags
are those of the last build is left alone: `make install` may run this every time. The first
compilation on a machine takes about a minute, in which zig builds its musl.

Rejected: wheels with binaries inside (a binary in git that nobody can review), gcc and musl-tools
(not everywhere, and not for the other architecture).
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import re
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent
OUTPUT = SOURCES.parents[1] / "build" / "native"
ARCHITECTURES = ("x86_64", "aarch64")
FLAGS = ("-static", "-Os", "-s", "-std=gnu11", "-Wall", "-Wextra", "-Werror")

_NAME = re.compile(r"/\* ([a-z][a-z0-9-]*):")


class BuildError(Exception):
    """A program could not be built; the text says why."""


def program_name(source: Path) -> str:
    named = _NAME.match(source.read_text())
    if named is None:
        raise BuildError(f"{source}: begin the file with /* name-of-the-program: what it is")
    return named[1]


def program(name: str, architecture: str | None = None) -> Path:
    """Where a built program is, whether it was built or not."""
    return OUTPUT / (architecture or host_architecture()) / name


def host_architecture() -> str:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower())
    return machine or platform.machine()


def build(source: Path, architecture: str, output: Path = OUTPUT) -> tuple[Path, bool]:
    """The program, and whether it had to be built."""
    target = output / architecture / program_name(source)
    stamp = target.with_suffix(".sha256")
    digest = _digest(source, architecture)
    if target.exists() and stamp.exists() and stamp.read_text() == digest:
        return target, False
    target.parent.mkdir(parents=True, exist_ok=True)
    # A running program cannot be overwritten, but it can be replaced.
    fresh = target.with_suffix(".new")
    command = [sys.executable, "-m", "ziglang", "cc", "-target", f"{architecture}-linux-musl"]
    done = subprocess.run(
        [*command, *FLAGS, "-o", str(fresh), str(source)], capture_output=True, text=True
    )
    if done.returncode:
        raise BuildError(f"{source.name} for {architecture}:\n{done.stderr.strip()}")
    fresh.replace(target)
    stamp.write_text(digest)
    return target, True


def _digest(source: Path, architecture: str) -> str:
    words = " ".join((architecture, *FLAGS))
    return hashlib.sha256(words.encode() + b"\0" + source.read_bytes()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m operators.native.build", description=__doc__)
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES, dest="architectures")
    chosen = parser.parse_args().architectures or [host_architecture()]
    try:
        for architecture in chosen:
            for source in sorted(SOURCES.glob("*.c")):
                target, built = build(source, architecture)
                print(f"{'built' if built else 'up to date'}: {target}")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
