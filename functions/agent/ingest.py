"""Frames of operators in; the news queue out. On the path of every frame, so it imports little."""

from typing import Any

from xylem.domain.ids import BackendName, ConnectionId
from xylem.usecases import operators
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    request = event["requestContext"]
    backend = request.get("authorizer", {}).get("backend")
    if not backend:
        logger.warning("a frame for the agent from somebody who is no operator")
        return {"statusCode": 403}
    logger.append_keys(backend=backend, connection=request["connectionId"])
    has = ports()
    operators.take(
        event.get("body") or "",
        backend=BackendName(backend),
        connection=ConnectionId(request["connectionId"]),
        backends=has.backends,
        links=has.links,
        news=has.news,
        clock=has.clock,
    )
    return {"statusCode": 200}
