"""The CDK app on the embedded AWS: synthesised, bootstrapped, deployed, each only when needed.

The app is run directly and deployed from its assembly: `cdk deploy` alone would synthesise it again
(10 s of jsii). The embedded AWS is told from AWS by the environment alone; nobody's profile or keys
reach these commands.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from clients.local.errors import LocalError
from clients.local.fingerprint import APP, fingerprint
from clients.local.settings import ACCOUNT, ENVIRONMENT, REGION, Settings
from clients.local.supervisor import scrubbed_environment

_CDK = ("node_modules", "aws-cdk", "bin", "cdk")


class Deployment(BaseModel):
    """What the embedded AWS holds, written into its state folder."""

    bootstrapped: bool = False
    assembly: str | None = None
    """The fingerprint of the deployed app; None from the start of a deployment to its end."""
    finished: bool = False
    """What `up` adds to a deployment is there, too: its pool."""


def app_fingerprint(settings: Settings) -> str:
    return fingerprint(settings.root, APP, settings.endpoint)


def is_synthesised(settings: Settings, app: str) -> bool:
    stamp = _stamp(settings)
    return stamp.is_file() and stamp.read_text() == app


def synthesise(settings: Settings, app: str) -> None:
    _stamp(settings).unlink(missing_ok=True)
    context = json.loads((settings.root / "cdk.json").read_text())["context"]
    context |= {"environment": ENVIRONMENT, "endpoint": settings.endpoint}
    _run(
        settings,
        [str(settings.python), "-m", "infra_cdk.app"],
        {"CDK_OUTDIR": str(settings.assembly), "CDK_CONTEXT_JSON": json.dumps(context)},
        log="synth",
    )
    _stamp(settings).write_text(app)


def deployment(settings: Settings) -> Deployment:
    try:
        return Deployment.model_validate_json(settings.deployment.read_bytes())
    except (FileNotFoundError, ValidationError):
        return Deployment()


def bootstrap(settings: Settings) -> None:
    _cdk(settings, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
    _write(settings, Deployment(bootstrapped=True))


def deploy(settings: Settings, app: str) -> None:
    _write(settings, Deployment(bootstrapped=True))
    _cdk(settings, "deploy", "--all", "--require-approval", "never", "--progress", "events")
    _write(settings, Deployment(bootstrapped=True, assembly=app))


def finish(settings: Settings) -> None:
    _write(settings, deployment(settings).model_copy(update={"finished": True}))


def aws_environment(settings: Settings) -> Mapping[str, str]:
    """What makes an AWS client talk to the embedded AWS, and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": "xylem-local",
        "AWS_SECRET_ACCESS_KEY": "xylem-local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _stamp(settings: Settings) -> Path:
    return settings.assembly.with_name(f"{settings.assembly.name}.stamp")


def _write(settings: Settings, deployed: Deployment) -> None:
    settings.deployment.parent.mkdir(parents=True, exist_ok=True)
    settings.deployment.write_text(deployed.model_dump_json())


def _cdk(settings: Settings, command: str, *arguments: str) -> None:
    program = settings.root.joinpath(*_CDK)
    app = ["--app", str(settings.assembly)]
    _run(
        settings,
        ["node", str(program), command, *arguments, *app],
        {**aws_environment(settings), "CDK_DISABLE_CLI_TELEMETRY": "true"},
        log=command,
    )


def _run(
    settings: Settings, command: list[str], environment: Mapping[str, str], *, log: str
) -> None:
    """Run it to its end, its words in a log file. Raises `LocalError` with the last of them."""
    path = settings.logs / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as output:
        done = subprocess.run(
            command,
            cwd=settings.root,
            env={**scrubbed_environment(settings), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise LocalError(
            f"{' '.join(Path(word).name for word in command[:3])} failed:"
            f" {gist(path.read_text(errors='replace'))}",
            f"All that it said: `xylem local logs {log}`. Where the code is fine, `xylem local"
            " reset` and `xylem local up` start from nothing.",
        )


def gist(said: str) -> str:
    """The line that tells why: the CDK marks it, Python ends with it. The lines that are set in
    are of stacks and of printed objects, and the CDK's last may be a mere `Unknown`."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    marked = [line for line in lines if "❌" in line]
    flush = [line for line in lines if not line[0].isspace()]
    return next(iter([*marked, *flush[-1:]]), "it said nothing.").strip(" ❌")
