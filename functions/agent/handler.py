"""News in; commits, acknowledgements and pushed mail out."""

from collections import defaultdict
from typing import Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSEvent, SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from xylem.domain.errors import Conflict
from xylem.domain.ids import WorkflowId
from xylem.protocol.queues import Greeted, NodesOf, Retired, news_message
from xylem.usecases import backends, news
from xylem.usecases.apply import Engine
from xylem_aws.bootstrap import Ports, ports
from xylem_aws.observability import logger, metrics, traced

Received = tuple[SQSRecord, news.OfWorkflow]


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@traced
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Each workflow's messages succeed or fail together; what failed is delivered again."""
    mine = ports()
    by_workflow: dict[WorkflowId, list[Received]] = defaultdict(list)
    failed: list[SQSRecord] = []
    for record in SQSEvent(event).records:
        try:
            message = news_message.validate_json(record.body)
        except ValidationError:
            logger.exception("not a message of ours", message_id=record.message_id)
            failed.append(record)
            continue
        match message:
            case Greeted() | Retired() | NodesOf():
                if not _attend(message, mine):
                    failed.append(record)
            case _:
                by_workflow[message.workflow].append((record, message))
    for workflow, received in by_workflow.items():
        if not _apply(workflow, received, mine):
            failed += [record for record, _ in received]
    return {"batchItemFailures": [{"itemIdentifier": record.message_id} for record in failed]}


def _attend(message: Greeted | Retired | NodesOf, mine: Ports) -> bool:
    try:
        match message:
            case Greeted():
                backends.deliver_mailbox(message, engine=mine)
            case Retired():
                backends.retire(message, links=mine.links, backends=mine.backends)
            case NodesOf():
                backends.note_nodes(message, backends=mine.backends)
                if message.nodes.tests is not None:
                    _tell_tests(message, mine)
    except Exception:
        logger.exception("a message not attended to", kind=message.type, backend=message.backend)
        return False
    return True


def _tell_tests(message: NodesOf, mine: Ports) -> None:
    """Every ten minutes of a backend, so no other message waits for the import: it takes 0.2 s."""
    from xylem.usecases import backend_tests  # noqa: PLC0415 - not for each message

    backend_tests.tell_changed(message, pools=mine.pools, links=mine.links)


def _apply(workflow: WorkflowId, received: list[Received], mine: Engine) -> bool:
    messages = [message for _, message in received]
    try:
        refused = news.apply(workflow, messages, engine=mine)
    except Conflict:
        # Sent anew before the old copies are acknowledged: twice is harmless, never is not.
        again = [m.model_copy(update={"tries": m.tries + 1}).model_dump_json() for m in messages]
        delay = news.again_after(max(message.tries for message in messages), mine.chance())
        ports().news.send(again, delay=delay)
        metrics.add_metric("news_conflict", unit="Count", value=1)
        return True
    except Exception:
        logger.exception("news not applied", workflow=workflow)
        metrics.add_metric("news_failed", unit="Count", value=1)
        return False
    metrics.add_metric("news_applied", unit="Count", value=len(messages))
    for code, count in refused.items():
        metrics.add_metric(f"news_{code}", unit="Count", value=count)
    logger.info("news", workflow=workflow, messages=len(messages))
    if refused:
        who = sorted({message.backend for message in messages})
        logger.warning("news refused", workflow=workflow, backends=who, refused=refused)
    return True
