"""Puts the Task Runtime's image together as a folder: `python -m operators.task_runtime.build`.

    build/task-runtime/opt/xylem/bin/xylem-exec   the wrapper, static (`operators/native`)
    build/task-runtime/opt/xylem/bin/xylem-ctrl   starts the sidecar
    build/task-runtime/opt/xylem/bin/xylem-rsync  and xylem-udp: what a session runs in it
    build/task-runtime/opt/xylem/lib/...          what the sidecar imports, compiled; and obstore,
                                                  for tasks with data at URLs

The desk cluster lays this folder over a container's root, the Dockerfile copies the same into an
image. The interpreter is written into the launcher: `env python3` may find a shell script that
looks for one (pyenv's), which costs more than the sidecar.
"""

import argparse
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution, version
from pathlib import Path

from operators.native.build import host_architecture, program

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "build" / "task-runtime"
CORE = ROOT / "layers" / "core" / "python"

MODULES = (
    (ROOT, "operators/__init__.py"),
    *(
        (ROOT, f"operators/task_runtime/{name}.py")
        for name in (
            "__init__",
            "__main__",
            "api",
            "checkpoints",
            "data",
            "datasets",
            "http1",
            "logs",
            "masking",
            "rsync",
            "runtime",
            "spool",
            "stores",
            "udp",
        )
    ),
    *(
        (ROOT, f"operators/shared/{name}.py")
        for name in (
            "__init__",
            "datagrams",
            "files",
            "object_stores",
            "patience",
            "tree_sync",
            "trees",
        )
    ),
    (CORE, "xylem/__init__.py"),
    *((CORE, f"xylem/{name}.py") for name in ("matching", "sandbox")),
    (CORE, "xylem/domain/__init__.py"),
    (CORE, "xylem/domain/values.py"),
    (CORE, "xylem/protocol/__init__.py"),
    (CORE, "xylem/protocol/masking.py"),
    (CORE, "xylem/protocol/spool.py"),
)

LAUNCHER = """\
#!{interpreter} -IS
import sys

sys.path.insert(0, sys.argv[0].rpartition("/bin/")[0] + "/lib")
from operators.task_runtime.{module} import main

main()
"""
"""Isolated (-I) and without site packages (-S): nothing of the host or the image is imported, and
nothing that would take its time."""

PROGRAMS = {"xylem-ctrl": "__main__", "xylem-rsync": "rsync", "xylem-udp": "udp"}

OBSTORE = "obstore"
"""A wheel for any CPython from 3.11 on, with a glibc of 2.28 or newer; it needs nothing else."""


def build(
    output: Path = OUTPUT,
    *,
    interpreter: str,
    wrapper: Path,
    architecture: str | None = None,
) -> Path:
    """Replaces the folder in one step: pods that start meanwhile find the old or the new."""
    fresh = output.with_name(f".{output.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    programs, library = fresh / "opt/xylem/bin", fresh / "opt/xylem/lib"
    programs.mkdir(parents=True)
    for root, name in MODULES:
        _lay(root / name, library, name)
    with _object_stores(architecture or host_architecture()) as package:
        for path in sorted(package.rglob("*")):
            if path.suffix in {".py", ".so"}:
                _lay(path, library, str(path.relative_to(package.parent)))
    shutil.copy(wrapper, programs / "xylem-exec")
    for name, module in PROGRAMS.items():
        (programs / name).write_text(LAUNCHER.format(interpreter=interpreter, module=module))
    for file in programs.iterdir():
        file.chmod(0o755)
    old = output.with_name(f".{output.name}.old.{os.getpid()}")
    if output.exists():
        output.rename(old)
    fresh.rename(output)
    shutil.rmtree(old, ignore_errors=True)
    return output


def _lay(source: Path, library: Path, name: str) -> None:
    target = library / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    if source.suffix == ".py":
        py_compile.compile(
            str(target),
            dfile=f"/opt/xylem/lib/{name}",
            doraise=True,
            # Never compared with the source's time, which a copy may change.
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


@contextmanager
def _object_stores(architecture: str) -> Iterator[Path]:
    """The package as it is installed here, or its wheel of the same release for another machine."""
    if architecture == host_architecture():
        yield Path(str(distribution(OBSTORE).locate_file(OBSTORE)))
        return
    with tempfile.TemporaryDirectory() as folder:
        uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
        wheels = [
            *("--target", folder, "--python-platform", f"{architecture}-manylinux_2_28"),
            *("--only-binary", ":all:", "--no-deps", f"{OBSTORE}=={version(OBSTORE)}"),
        ]
        subprocess.run([uv, "pip", "install", "--quiet", *wheels], check=True)
        yield Path(folder) / OBSTORE


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m operators.task_runtime.build", description=__doc__
    )
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--arch", default=host_architecture(), help="of the programs")
    parser.add_argument(
        "--python",
        default=os.path.realpath(sys.executable),
        help="the interpreter as it is called where the sidecar runs",
    )
    chosen = parser.parse_args()
    wrapper = program("xylem-exec", chosen.arch)
    if not wrapper.exists():
        print(f"{wrapper} is missing: run `python -m operators.native.build`", file=sys.stderr)
        return 1
    made = build(
        chosen.output, interpreter=chosen.python, wrapper=wrapper, architecture=chosen.arch
    )
    print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
