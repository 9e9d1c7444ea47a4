"""Started by EventBridge Scheduler every minute.

A sweep that found nothing publishes nothing: CloudWatch bills each metric by the month in which it
was published, and most of these months would be of an idle system. For the same reason it is not
traced.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from xylem.usecases import dataset_cleanup, jobs, timers
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger, metrics


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    rung, pushed = jobs.sweep(engine=ports(), jobs=ports().jobs)
    timed = timers.sweep_timers(engine=ports(), timers=ports().timers)
    found = {"jobs_rung_again": rung, "mail_pushed_again": pushed, "timers_set": timed}
    cleaned = dataset_cleanup.clean_up(engine=ports())
    found |= {"dataset_versions_ended": cleaned.versions, "contents_removed": cleaned.contents}
    logger.info("sweep", extra=found)
    for name, count in found.items():
        if count:
            metrics.add_metric(name, unit="Count", value=count)
    if any(found.values()):
        metrics.flush_metrics()
