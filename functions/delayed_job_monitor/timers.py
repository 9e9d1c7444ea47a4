"""The timers' queue in; questions to backends out."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from xylem.protocol.queues import TimerDue
from xylem.usecases import timers
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger, metrics, traced

processor = BatchProcessor(event_type=EventType.SQS)


def look(record: SQSRecord) -> None:
    """What fails is delivered again; a timer is never parked, its row rings on."""
    rung = TimerDue.model_validate_json(record.body)
    timers.look(rung.workflow, rung.group, engine=ports())
    logger.info("timer", workflow=rung.workflow, group=rung.group)
    metrics.add_metric("timers_rung", unit="Count", value=1)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@traced
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, look, processor, context)
