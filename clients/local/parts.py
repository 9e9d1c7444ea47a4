"""The parts of the local stack: what each is started with. Values only; `supervisor` runs them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clients.local.settings import Settings

HOME_VARIABLE = "XYLEM_LOCAL_HOME"
"""In the environment of all that we start; see `processes`."""

NAMESPACE = "default"
TASK_RUNTIME_IMAGE = "xylem/task-runtime"


class PartName(StrEnum):
    AWS = "embedded-aws"
    CLUSTER = "desk-cluster"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Part:
    name: PartName
    command: tuple[str, ...]
    address: str
    sources: tuple[str, ...]
    """Folders and files of the repository that it is made of: it is restarted when they change."""
    environment: Mapping[str, str] = field(default_factory=dict)
    starts_alone: bool = True
    """False: it needs something that only `up` can give it first."""


def parts_of(settings: Settings) -> tuple[Part, ...]:
    desk = () if settings.own_kubeconfig is not None else (_desk_cluster(settings),)
    return (_embedded_aws(settings), *desk, _operator(settings))


def _embedded_aws(settings: Settings) -> Part:
    python, root = str(settings.python), str(settings.root)
    return Part(
        PartName.AWS,
        (
            str(settings.root / "build/embedded-aws/venv/bin/python"),
            *("-m", "clients.local.embedded_aws", "serve"),
            *("--port", str(settings.ports["aws"])),
            *("--state", str(settings.aws_state)),
            *("--lambda-python", python),
        ),
        address=settings.endpoint,
        sources=("clients/local/embedded_aws", "build/embedded-aws/venv/.installed"),
        environment={"PYTHONPATH": root},
    )


def _desk_cluster(settings: Settings) -> Part:
    python, root = str(settings.python), str(settings.root)
    return Part(
        PartName.CLUSTER,
        (
            *(python, "-m", "operators.desk_cluster"),
            *("--port", str(settings.ports["cluster"])),
            *("--state", str(settings.cluster_state)),
            *("--image", f"{TASK_RUNTIME_IMAGE}={settings.root / 'build/task-runtime'}"),
            # A task asks for a processor by default; on a desk most of them wait for something.
            *("--cpu", "64", "--memory", "256Gi"),
            # The sidecar's interpreter, which may live in somebody's home.
            *("--host-folder", sys.base_prefix),
        ),
        address=settings.cluster_url,
        sources=("operators/desk_cluster", "operators/shared", "operators/native"),
        environment={"PYTHONPATH": root},
    )


def _operator(settings: Settings) -> Part:
    python, root = str(settings.python), str(settings.root)
    return Part(
        PartName.OPERATOR,
        (python, "-m", "operators"),
        address=settings.websocket_url,
        sources=(
            "operators/__main__.py",
            "operators/backend_listener",
            "operators/backend_worker",
            "operators/shared",
            "layers/core",
        ),
        environment={
            "PYTHONPATH": root,
            "XYLEM_URL": settings.websocket_url,
            "XYLEM_TOKEN_FILE": str(settings.operator_token),
            "XYLEM_BACKEND": settings.backend,
            "XYLEM_NAMESPACE": NAMESPACE,
            "KUBECONFIG": str(settings.kubeconfig),
            "POD_NAME": "operator-local",
        },
        starts_alone=False,
    )


def log_of(settings: Settings, part: str) -> Path:
    return settings.logs / f"{part}.log"
