"""The program's arguments, parsed once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from operators.shared.quantities import parse_quantity

NODE_GRACE_SECONDS = 50.0
"""kube-controller-manager --node-monitor-grace-period."""

DESCRIPTION = "A part of the Kubernetes API whose pods are processes of this Linux machine."


@dataclass(frozen=True, slots=True)
class Settings:
    port: int
    state: Path
    nodes: tuple[str, ...]
    """The names of the nodes, all of them this machine; the first is the one that `status` tells."""
    node_grace: float
    """How long a node may be silent before it is Unknown, in seconds."""
    images: dict[str, Path]
    resources: dict[str, str]
    """What was given of the node's capacity; the rest is the machine's own."""
    labels: dict[str, str]
    folders: tuple[Path, ...]
    """The host's folders that containers see besides its programs."""
    shim: Path | None

    @property
    def node_name(self) -> str:
        return self.nodes[0]


@dataclass(frozen=True, slots=True)
class FaultOrder:
    """What is to be done to a node of a cluster that runs."""

    state: Path
    node: str
    fault: str
    seconds: float


def parse(arguments: list[str]) -> Settings:
    """Ends the program, with a sentence, for arguments that are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m operators.desk_cluster",
        description=DESCRIPTION,
        epilog="`python -m operators.desk_cluster stop --state DIR` ends every container, "
        "`... fault --state DIR NODE crashed|partitioned|slow|none` breaks a node or heals it.",
    )
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--node-name", default="desk", metavar="NAME")
    parser.add_argument(
        "--nodes",
        type=_count,
        default=1,
        metavar="N",
        help="NAME, NAME-2 ... of the same size each",
    )
    parser.add_argument(
        "--node-grace",
        type=float,
        default=NODE_GRACE_SECONDS,
        metavar="SECONDS",
        help="after which a node that is silent is Unknown",
    )
    parser.add_argument(
        "--image",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="lay the content of FOLDER over the root of containers whose image is NAME",
    )
    parser.add_argument("--cpu", type=_quantity, help="of the node, as a Kubernetes quantity")
    parser.add_argument("--memory", type=_quantity, help="of the node, as a Kubernetes quantity")
    parser.add_argument(
        "--resource", type=_pair, action="append", default=[], metavar="NAME=QUANTITY"
    )
    parser.add_argument("--label", type=_pair, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--host-folder",
        type=_folder,
        action="append",
        default=[],
        metavar="FOLDER",
        help="show this folder of the host to containers, read-only",
    )
    parser.add_argument("--shim", type=Path, help="where the shim is, if not in build/native")
    given = parser.parse_args(arguments)
    resources = {name: _quantity(value) for name, value in given.resource}
    for name in ("cpu", "memory"):
        if getattr(given, name) is not None:
            resources[name] = getattr(given, name)
    return Settings(
        port=given.port,
        state=given.state.resolve(),
        nodes=(
            given.node_name,
            *(f"{given.node_name}-{number}" for number in range(2, given.nodes + 1)),
        ),
        node_grace=given.node_grace,
        images={name: _folder(folder) for name, folder in given.image},
        resources=resources,
        labels=dict(given.label),
        folders=tuple(given.host_folder),
        shim=given.shim,
    )


def parse_stop(arguments: list[str]) -> Path:
    parser = argparse.ArgumentParser(
        prog="python -m operators.desk_cluster stop",
        description="Ends the API process, every container and every shim of a desk cluster.",
    )
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    state: Path = parser.parse_args(arguments).state
    return state.resolve()


def parse_fault(arguments: list[str]) -> FaultOrder:
    parser = argparse.ArgumentParser(
        prog="python -m operators.desk_cluster fault",
        description="Breaks a node of a desk cluster that runs, or heals it.",
    )
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("node")
    parser.add_argument("fault", choices=("none", "crashed", "partitioned", "slow"))
    parser.add_argument("--seconds", type=float, default=0.0, help="how late a slow node is")
    given = parser.parse_args(arguments)
    return FaultOrder(given.state.resolve(), given.node, given.fault, given.seconds)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 100")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"write NAME=VALUE, not {text!r}")
    return name, value


def _quantity(text: str) -> str:
    try:
        parse_quantity(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no quantity such as 4, 500m or 8Gi"
        ) from None
    return text


def _folder(text: str) -> Path:
    folder = Path(text).resolve()
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return folder
