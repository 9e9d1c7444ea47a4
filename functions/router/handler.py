"""Frames for the router: refused, with the reason."""

import json
from typing import Any

from xylem.domain.errors import Gone
from xylem.domain.ids import ConnectionId
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger

REFUSAL = json.dumps(
    {
        "type": "refusal",
        "code": "unsupported",
        "message": "exec, port-forward and rsync are not supported by this release of the service.",
    }
)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    connection = ConnectionId(event["requestContext"]["connectionId"])
    try:
        ports().links.push(connection, REFUSAL)
    except Gone:
        logger.info("gone before it was answered", connection=connection)
    return {"statusCode": 200}
