"""Started by EventBridge Scheduler every minute."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from xylem.usecases import jobs
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger, metrics, traced


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@traced
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    rung, pushed = jobs.sweep(engine=ports(), jobs=ports().jobs)
    logger.info("sweep", rung=rung, pushed=pushed)
    metrics.add_metric("jobs_rung_again", unit="Count", value=rung)
    metrics.add_metric("mail_pushed_again", unit="Count", value=pushed)
