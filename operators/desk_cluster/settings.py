"""The program's arguments, parsed once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from operators.shared.quantities import parse_quantity

DESCRIPTION = "A part of the Kubernetes API whose pods are processes of this Linux machine."


@dataclass(frozen=True, slots=True)
class Settings:
    port: int
    state: Path
    node_name: str
    images: dict[str, Path]
    resources: dict[str, str]
    """What was given of the node's capacity; the rest is the machine's own."""
    labels: dict[str, str]
    folders: tuple[Path, ...]
    """The host's folders that containers see besides its programs."""
    shim: Path | None


def parse(arguments: list[str]) -> Settings:
    """Ends the program, with a sentence, for arguments that are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m operators.desk_cluster",
        description=DESCRIPTION,
        epilog="`python -m operators.desk_cluster stop --state DIR` ends every container.",
    )
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR")
    parser.add_argument("--node-name", default="desk", metavar="NAME")
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
        node_name=given.node_name,
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
