"""The pod's end of `xylem workflow rsync`: `xylem-rsync`, which the operator runs in the sidecar
when a session asks for it, and which speaks `operators.shared.tree_sync` on its standard streams.

    {"do": "upload" | "download", "path": "/osmo/run/workspace/src"}     first, from the other end
    {"ready": true} | {"refused": "why"}                                 our answer

What is reached is below a root that both containers of the pod share. What is uploaded goes into
the folder that is named, what is downloaded is what is named: with a `/` at its end what is in it.

Rejected: a server that listens in every pod, as OSMO's does. A pod in its node's network would
offer it to the node, and two of these would want one port; a program costs nothing until it is
asked for.
"""

import os
import sys

from operators.shared.tree_sync import Refused, SyncBroken, Wire, receive, send
from operators.shared.trees import PathRefused, Tree, shown

WORKSPACE = "/osmo/run/workspace"
ROOTS = {WORKSPACE: True, "/osmo/data/output": True, "/osmo/data/input": False}
"""And whether they are written to. OSMO's module `osmo` is the first."""


def serve(wire: Wire, root: str = "") -> None:
    """`root`: what stands for the pod's `/` in a test."""
    asked = wire.hear()
    path = str(asked.get("path", ""))
    try:
        if asked.get("do") == "upload":
            _upload(wire, path, root)
        else:
            _download(wire, path, root)
    except PathRefused as error:
        _refuse(wire, str(error))
    except OSError as error:
        _refuse(wire, f"{shown(path)}: {os.strerror(error.errno or 0)}")


def _upload(wire: Wire, path: str, root: str) -> None:
    base, below = place_of(path)
    if not ROOTS[base]:
        raise PathRefused(f"{base} is only read: upload to {WORKSPACE}")
    with (
        Tree(f"{root}{base}", create=True) as whole,
        whole.below(below.rstrip("/"), create=True) as tree,
    ):
        _ready(wire)
        receive(wire, tree, lambda _: None)


def _download(wire: Wire, path: str, root: str) -> None:
    base, below = place_of(path)
    parent, _, name = below.rpartition("/")
    if not below:
        # The root itself, by its name: from the folder above, which is no task's to change.
        parent_of_root, _, name = base.rpartition("/")
        tree = Tree(f"{root}{parent_of_root}")
    else:
        with Tree(f"{root}{base}") as whole:
            tree = whole.below(parent.rstrip("/"))
    with tree:
        if name:
            tree.look(name)
        _ready(wire)
        send(wire, tree, name, lambda _: None)


def place_of(path: str) -> tuple[str, str]:
    """The root that it is below, and the rest. Raises `PathRefused`."""
    for base in ROOTS:
        if path == base or path.startswith(f"{base}/"):
            below = path[len(base) :]
            return base, below.lstrip("/") or ("/" if below else "")
    raise PathRefused(f"{shown(path)} is below none of {', '.join(ROOTS)}")


def _ready(wire: Wire) -> None:
    wire.say({"ready": True})
    wire.flush()


def _refuse(wire: Wire, why: str) -> None:
    wire.say({"refused": why})
    wire.flush()


def main() -> None:
    os.umask(0)  # the task may be another user, and shall use what is uploaded
    try:
        serve(Wire(sys.stdin.buffer, sys.stdout.buffer))
    except (SyncBroken, Refused) as error:
        print(f"xylem-rsync: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
