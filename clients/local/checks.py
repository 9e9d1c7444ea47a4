"""What this machine has to have before `up` begins: the first thing missing, and the way to it."""

import shutil
import socket
import sys
from collections.abc import Collection
from pathlib import Path

from clients.local.errors import LocalError
from clients.local.parts import PartName
from clients.local.plan import Step
from clients.local.processes import holder_of
from clients.local.settings import LOOPBACK, Settings

# Built by `make install`; without them a part would die with a traceback.
_BUILT = (
    "build/embedded-aws/venv/bin/python",
    "build/layers/vendor/local",
    "build/native",
    "build/task-runtime",
    "node_modules/aws-cdk",
)
_NEEDS_NODE = {Step.SYNTHESISE, Step.BOOTSTRAP, Step.DEPLOY}


def check_machine(settings: Settings, steps: Collection[Step]) -> None:
    """Raises `LocalError`."""
    if sys.platform != "linux":
        raise LocalError(
            "The local stack needs Linux: its Lambdas and its pods are processes of this machine.",
            "Use a Linux machine, a virtual machine or a container; the CLI alone works here.",
        )
    if settings.ports["aws"] == settings.ports["cluster"]:
        raise LocalError(
            f"The embedded AWS and the desk cluster cannot both listen on {settings.ports['aws']}.",
            "Give them two ports: `xylem local up --port-aws N --port-cluster M`.",
        )
    if missing := missing_build(settings.root):
        raise LocalError(f"{missing} is not there yet.", "Run `make install`.")
    if _NEEDS_NODE & set(steps) and shutil.which("node") is None:
        raise LocalError(
            "node is missing: the CDK runs on it.", "Install Node.js 20 or newer (nodejs.org)."
        )


def missing_build(root: Path) -> str | None:
    return next((path for path in _BUILT if not (root / path).exists()), None)


def check_ports(settings: Settings, running: Collection[str]) -> None:
    """Raises `LocalError` when another program listens where a part that does not run should."""
    ours = {"aws": PartName.AWS}
    if settings.own_kubeconfig is None:
        ours["cluster"] = PartName.CLUSTER
    for name, part in ours.items():
        port = settings.ports[name]
        if part not in running and not _is_free(port):
            raise LocalError(
                f"{LOOPBACK}:{port}, where the {part} should listen, is taken by"
                f" {holder_of(port)}.",
                f"Stop that program, or take another port: `xylem local up --port-{name} N`"
                f" (or XYLEM_PORT_{name.upper()}=N).",
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still fading is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
