"""Doorbells in, jobs done."""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from xylem.ports.jobs import Deliver, Job, MergeLog, Notify
from xylem.protocol.queues import Doorbell
from xylem.usecases import jobs
from xylem.usecases.start import Rendering, start_groups
from xylem_aws.bootstrap import ports
from xylem_aws.observability import logger, metrics, traced

processor = BatchProcessor(event_type=EventType.SQS)


def perform(record: SQSRecord) -> None:
    job = Doorbell.model_validate_json(record.body).job
    received = int(record.attributes.approximate_receive_count)
    outcome = jobs.perform(job, engine=ports(), jobs=ports().jobs, run=_run, received=received)
    logger.info("job", job=job, outcome=outcome.kind, exc_info=outcome.error)
    metrics.add_metric(f"job_{outcome.kind}", unit="Count", value=1)


def _run(job: Job) -> None:
    settings = ports().settings
    start = partial(
        start_groups,
        engine=ports(),
        jobs=ports().jobs,
        tokens=ports().task_tokens,
        credentials=ports().credentials,
        task_secrets=ports().task_secrets,
        rendering=Rendering(
            api_url=settings.api_url,
            runtime_image=settings.runtime_image,
            image_pull_policy=settings.image_pull_policy,
        ),
    )
    jobs.dispatch(
        job,
        start=start,
        merge=_merge,
        notify=_notify,
        engine=ports(),
        workflows=ports().workflows,
    )


def _notify(job: Job, work: Notify | Deliver) -> None:
    from xylem.usecases import notifying  # noqa: PLC0415 - as below

    notifying.perform(job, work, engine=ports())


def _merge(job: Job, work: MergeLog) -> None:
    # Merging is rare, and a start should not wait for its imports.
    from xylem.usecases import log_merging  # noqa: PLC0415

    has = ports()
    log_merging.keep(
        job,
        work,
        jobs=has.jobs,
        workflows=has.workflows,
        logs=has.logs,
        store=has.store,
        ids=has.ids,
        clock=has.clock,
    )


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@traced
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, perform, processor, context)
