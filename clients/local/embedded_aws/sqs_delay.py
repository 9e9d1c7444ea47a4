"""Correction 7, queues: a message may be delayed by 15 minutes, not by 15 minutes and a second.

Stock ministack accepts any `DelaySeconds`. AWS: "Valid values: 0 to 900. Maximum: 15 minutes"
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html); a
longer timer that works here would fail only there. Seams: `sqs._act_send_message`, which batches
pass, too, and its entry in the table of actions.
"""

from collections.abc import Callable
from typing import Any

from clients.local.embedded_aws.seams import Seam

SEND = Seam("ministack.services.sqs", "_act_send_message", ("data", "qurl"))
ERROR = Seam("ministack.services.sqs", "_Err")
ACTIONS = Seam("ministack.services.sqs", "_HANDLERS")
SEAMS = (SEND, ERROR, ACTIONS)

LONGEST_DELAY = 900


def refusal(delay: Any) -> str | None:
    """Why SQS refuses this delay; None when it does not."""
    if delay is None or 0 <= int(delay) <= LONGEST_DELAY:
        return None
    return (
        f"Value {delay} for parameter DelaySeconds is invalid. "
        f"Reason: DelaySeconds must be >= 0 and <= {LONGEST_DELAY}."
    )


def install() -> None:
    def checking(stock: Callable[..., Any]) -> Callable[..., Any]:
        def send_message(data: dict[str, Any], qurl: str) -> Any:
            if (reason := refusal(data.get("DelaySeconds"))) is not None:
                raise ERROR.get()("InvalidParameterValue", reason)
            return stock(data, qurl)

        return send_message

    SEND.wrap(checking)
    ACTIONS.get()["SendMessage"] = SEND.get()
