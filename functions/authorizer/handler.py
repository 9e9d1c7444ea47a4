"""The two answers of API Gateway's two APIs, of one check (`passing`)."""

from typing import Any

from functions.authorizer import passing
from xylem.domain.errors import Unauthenticated, XylemError
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger


@logger.inject_lambda_context(clear_state=True)
def http(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """HTTP API, payload 2.0, simple response. For people: operators have their socket."""
    try:
        found, told = passing.asking(event, ports())
    except XylemError as error:
        _tell(error)
        return {"isAuthorized": False}
    return {"isAuthorized": found.kind == "user", "context": told}


@logger.inject_lambda_context(clear_state=True)
def websocket(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """REQUEST authorizer at `$connect`. Raises the message that API Gateway makes a 401 of."""
    try:
        found = passing.dialling(event, ports())
    except XylemError as error:
        _tell(error)
        raise Exception("Unauthorized") from None
    return {
        "principalId": found.subject,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow",
                    "Resource": event["methodArn"],
                }
            ],
        },
        "context": passing.context_of(found),
    }


def _tell(error: XylemError) -> None:
    """Who cannot be checked does not pass either; that one is ours to look at."""
    if isinstance(error, Unauthenticated):
        logger.info("refused", reason=str(error))
    else:
        logger.warning("not checked", reason=str(error))
