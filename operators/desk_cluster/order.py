"""Asks a desk cluster that runs to break a node or to heal it."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import yaml

if TYPE_CHECKING:
    from operators.desk_cluster.settings import FaultOrder

_SECONDS = 30.0


class Refused(Exception):
    """The cluster did not do it; the text says why."""


def order(wanted: FaultOrder) -> None:
    """Raises Refused."""
    kubeconfig = wanted.state / "kubeconfig"
    try:
        told = yaml.safe_load(kubeconfig.read_text())
        server = urlsplit(told["clusters"][0]["cluster"]["server"])
        connection = http.client.HTTPConnection(str(server.hostname), server.port, timeout=_SECONDS)
        connection.request(
            "POST",
            f"/desk/nodes/{quote(wanted.node)}",
            body=json.dumps({"fault": wanted.fault, "seconds": wanted.seconds}),
            headers={"Authorization": f"Bearer {server.password}"},
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise Refused(f"no desk cluster answers by {kubeconfig}: {error}") from None
    if answer.status != http.client.OK:
        raise Refused(str(body.get("message")))
