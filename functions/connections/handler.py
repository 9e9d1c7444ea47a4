"""`$connect`, `$disconnect`, and `$default`: a frame that names no part of ours."""

from typing import Any

from xylem.domain.ids import ConnectionId
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = event["requestContext"]
    connection = ConnectionId(request["connectionId"])
    who = request.get("authorizer", {})
    match request["eventType"]:
        case "CONNECT":
            ports().connections.put(
                connection,
                kind=who["kind"],
                subject=who["subject"],
                backend=who.get("backend"),
                now=ports().clock(),
            )
            logger.info("connected", connection=connection, kind=who["kind"])
        case "DISCONNECT":
            ports().connections.delete(connection)
            logger.info("disconnected", connection=connection)
        case _:
            logger.info("a frame that is for nobody", connection=connection)
            return {"statusCode": 400, "body": 'Say whom it is for: "to" is "agent" or "router".'}
    return {"statusCode": 200}
