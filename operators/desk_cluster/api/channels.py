"""The channels of one WebSocket: how Kubernetes carries several streams over it.

A message is the number of its channel and then data. In version 4 (`v4.channel.k8s.io`) a stream
ends with the socket; version 5 lets a client say that one has ended, by 255 and the number. Only a
command has use of that: a port that is forwarded has version 4 alone, like the kubelet's own
(k8s.io/kubelet pkg/cri/streaming).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.desk_cluster.kubelet.commands import Finished
    from operators.desk_cluster.objects import Json

V4 = "v4.channel.k8s.io"
V5 = "v5.channel.k8s.io"

# k8s.io/apimachinery/pkg/util/remotecommand
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE = 255


@dataclass(frozen=True, slots=True)
class Data:
    channel: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The client writes nothing more to this channel."""

    channel: int


Frame: TypeAlias = Data | Closed


def chosen(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """The protocol to speak: the client's first that we know."""
    return next((each for each in offered if each in known), None)


def parse(message: bytes, protocol: str) -> Frame | None:
    """None for a message that says nothing."""
    if not message:
        return None
    if message[0] == CLOSE and protocol == V5:
        return Closed(message[1]) if len(message) > 1 else None
    return Data(message[0], message[1:])


def render(channel: int, content: bytes) -> bytes:
    return bytes((channel,)) + content


def size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a terminal, as the resize channel has them."""
    try:
        told = json.loads(content)
        width, height = int(told["Width"]), int(told["Height"])
    except (ValueError, KeyError, TypeError):
        return None
    return (width, height) if 0 < width < 65536 and 0 < height < 65536 else None


def verdict(finished: Finished) -> Json:
    """The Status that ends the error channel: the exit code is a cause of its failure."""
    if finished.trouble:
        message = f"error executing command in container: {finished.trouble}"
        failure: Json = {"status": "Failure", "message": message, "reason": "InternalError"}
        return {
            "metadata": {},
            **failure,
            "details": {"causes": [{"message": message}]},
            "code": 500,
        }
    if finished.code == 0:
        return {"metadata": {}, "status": "Success"}
    message = f"command terminated with non-zero exit code: exit status {finished.code}"
    causes = [{"reason": "ExitCode", "message": str(finished.code)}]
    failure = {"status": "Failure", "message": message, "reason": "NonZeroExitCode"}
    return {"metadata": {}, **failure, "details": {"causes": causes}}
