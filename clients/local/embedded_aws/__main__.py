"""`python -m clients.local.embedded_aws serve --port 4566 --state DIR`

Runs with the interpreter of ministack's own environment (see `install`) and the repository's root
as PYTHONPATH. Ready when `GET /_ministack/ready` answers 200. Ends at SIGTERM.
"""

import argparse
import asyncio
import dataclasses
import errno
import importlib
import logging
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from clients.local.embedded_aws import install, seams
from clients.local.embedded_aws.seams import WrongMinistack
from clients.local.embedded_aws.settings import LOOPBACK, Settings, ministack_environment
from clients.local.embedded_aws.state_lock import StateInUse, lock_state

REPOSITORY = Path(__file__).parents[3]


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        _serve(options)
    except (StateInUse, WrongMinistack, _CannotServe) as error:
        sys.exit(str(error))


class _CannotServe(Exception):
    """Something outside is not as it has to be; the message says what to do."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clients.local.embedded_aws", description="The embedded AWS of Xylem."
    )
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve")
    serve.add_argument("--port", type=int, default=4566, help="0 takes a free one")
    serve.add_argument("--state", type=Path, required=True, help="folder of everything it keeps")
    serve.add_argument(
        "--lambda-python",
        type=Path,
        default=REPOSITORY / ".venv" / "bin" / "python",
        help="interpreter of the functions",
    )
    serve.add_argument(
        "--lambda-runtime", type=Path, default=install.RUNTIME, help="folder with awslambdaric"
    )
    serve.add_argument("--region", default="us-east-1")
    serve.add_argument(
        "--websocket-idle", type=float, default=600.0, metavar="SECONDS", help="as on AWS: 600"
    )
    serve.add_argument(
        "--websocket-life", type=float, default=7200.0, metavar="SECONDS", help="as on AWS: 7200"
    )
    serve.add_argument("--log-level", default="WARNING")
    return parser


def _serve(options: argparse.Namespace) -> None:
    seams.check_version()
    settings = Settings(
        port=options.port,
        state=options.state.absolute(),
        # Not resolved: the link in an environment is what makes an interpreter that environment's.
        lambda_python=options.lambda_python.absolute(),
        runtime=options.lambda_runtime.absolute(),
        region=options.region,
        websocket_idle_seconds=options.websocket_idle,
        websocket_life_seconds=options.websocket_life,
    )
    _check_tools(settings)
    settings.state.mkdir(parents=True, exist_ok=True)
    lock = lock_state(settings.state)
    _scrub(settings, options.log_level)
    _raise_file_limit()
    server: Any = importlib.import_module("clients.local.embedded_aws.server")
    try:
        listener = server.listen(options.port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise _CannotServe(
            f"{LOOPBACK}:{options.port} is taken or not permitted: stop what listens there, or "
            "choose another port with --port"
        ) from None
    settings = dataclasses.replace(settings, port=listener.getsockname()[1])
    os.environ["GATEWAY_PORT"] = str(settings.port)
    lock.describe(port=settings.port, version=seams.VERSION)
    print(f"embedded AWS: {settings.endpoint}, state in {settings.state}", flush=True)
    asyncio.run(server.serve(settings, listener))


def _check_tools(settings: Settings) -> None:
    if not (settings.runtime / "awslambdaric").is_dir():
        raise _CannotServe(
            f"there is no awslambdaric in {settings.runtime}: run "
            "`python -m clients.local.embedded_aws.install`"
        )
    if not settings.lambda_python.exists():
        raise _CannotServe(
            f"{settings.lambda_python} does not exist: name the interpreter of the functions with "
            "--lambda-python"
        )


def _raise_file_limit() -> None:
    """A burst of sockets must not meet the soft limit, which is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _scrub(settings: Settings, log_level: str) -> None:
    """Make the environment what it has to be before ministack is imported, see `settings`."""
    shutil.rmtree(settings.temporary, ignore_errors=True)
    settings.temporary.mkdir()
    os.environ.clear()
    os.environ.update(ministack_environment(settings, log_level=log_level))
    tempfile.tempdir = None
    logging.captureWarnings(True)


if __name__ == "__main__":
    main()
