"""Frames of operators in; the news queue out. On the path of every frame, so it imports little."""

from typing import Any

from xylem.domain.ids import BackendName, ConnectionId
from xylem.usecases import operators
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger, metrics


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    request = event["requestContext"]
    backend = request.get("authorizer", {}).get("backend")
    if not backend:
        logger.warning("a frame for the agent from somebody who is no operator")
        _count("frame_of_a_stranger")
        return {"statusCode": 403}
    logger.append_keys(backend=backend, connection=request["connectionId"])
    has = ports()
    taken = operators.take(
        event.get("body") or "",
        backend=BackendName(backend),
        connection=ConnectionId(request["connectionId"]),
        backends=has.backends,
        links=has.links,
        news=has.news,
        clock=has.clock,
    )
    _tell(taken)
    return {"statusCode": 200}


def _tell(taken: operators.Taken) -> None:
    """Of what was refused: nearly every frame has nothing to count, and says nothing."""
    if taken.refused is not None:
        logger.warning("frame refused", code=taken.refused, why=taken.why)
        _count(f"frame_{taken.refused}")
    if taken.rejected:
        logger.warning("news rejected", kind=taken.kind, events=taken.rejected)
        _count("news_invalid", taken.rejected)
    if taken.left_out:
        logger.warning("inventory not understood", left_out=taken.left_out)
        _count("inventory_left_out", taken.left_out)


def _count(name: str, value: int = 1) -> None:
    metrics.add_metric(name, unit="Count", value=value)
    metrics.flush_metrics()
