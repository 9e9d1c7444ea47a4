"""Installs what the embedded AWS runs on: `python -m clients.local.embedded_aws.install`.

Two folders below `build/embedded-aws`, both from requirement files with hashes beside this module:

* `venv`, a virtual environment for ministack alone. It pins botocore to one exact version, which
  the functions and the tools of this repository must not inherit.
* `runtime`, AWS's own `awslambdaric`, which every Lambda runs under. A plain folder, not an
  environment: a Lambda sees it, its code and its layers, and nothing of this repository
  (see `lambda_process`).

A folder carries a stamp, the hash of its requirements, of the interpreter and of this file, so that
a second run takes milliseconds. `uv` is used where it is found, pip otherwise. To move to other
versions, change them and write the files anew:

    echo ministack==… | uv pip compile --universal --python-version 3.11 --generate-hashes \\
        --no-header --no-annotate - -o server-requirements.txt
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build" / "embedded-aws"
VENV = BUILD / "venv"
RUNTIME = BUILD / "runtime"
PYTHON = VENV / "bin" / "python"

_PIP_FLAGS = ("--disable-pip-version-check", "--no-input", "--quiet")


class InstallFailed(Exception):
    """A step failed; the message has its last words."""


def install(*, python: str = sys.executable) -> None:
    """Bring both folders up to date with their requirements."""
    if sys.platform != "linux":
        raise InstallFailed(
            "the embedded AWS runs Lambdas under awslambdaric, which has wheels for Linux only: "
            "use a Linux machine, a virtual machine or a container"
        )
    server = HERE / "server-requirements.txt"
    if not _is_current(VENV, server, python):
        shutil.rmtree(VENV, ignore_errors=True)
        _create_venv(python)
        _install_into(["--python", str(PYTHON)], server, pip=str(PYTHON))
        _stamp(VENV, server, python)
    runtime = HERE / "runtime-requirements.txt"
    if not _is_current(RUNTIME, runtime, python):
        shutil.rmtree(RUNTIME, ignore_errors=True)
        target = ["--target", str(RUNTIME)]
        _install_into(["--python", python, *target], runtime, pip=str(PYTHON), pip_target=target)
        _stamp(RUNTIME, runtime, python)


def _fingerprint(requirements: Path, python: str) -> str:
    digest = hashlib.sha256(requirements.read_bytes())
    digest.update(Path(__file__).read_bytes())
    digest.update(f"{python} {sys.version}".encode())
    return digest.hexdigest()


def _is_current(folder: Path, requirements: Path, python: str) -> bool:
    stamp = folder / ".installed"
    return stamp.is_file() and stamp.read_text() == _fingerprint(requirements, python)


def _stamp(folder: Path, requirements: Path, python: str) -> None:
    (folder / ".installed").write_text(_fingerprint(requirements, python))


def _create_venv(python: str) -> None:
    VENV.parent.mkdir(parents=True, exist_ok=True)
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--no-project", "--python", python, str(VENV)])
    else:
        _run([python, "-m", "venv", str(VENV)])


def _install_into(
    uv_arguments: list[str], requirements: Path, *, pip: str, pip_target: list[str] | None = None
) -> None:
    wanted = ["--require-hashes", "--only-binary", ":all:", "-r", str(requirements)]
    if uv := shutil.which("uv"):
        # Compiled now, or each start compiles 200,000 lines where bytecode may not be written.
        _run([uv, "pip", "install", "--quiet", "--compile-bytecode", *uv_arguments, *wanted])
    else:
        _run([pip, "-m", "pip", "install", *_PIP_FLAGS, *(pip_target or []), *wanted])


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise InstallFailed(f"`{' '.join(command)}` failed: {result.stderr.strip()[-2000:]}")


def main() -> None:
    try:
        install()
    except InstallFailed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
