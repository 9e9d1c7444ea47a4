"""A queue of doorbells, and where those end that nobody could answer.

Rows own the retries; what a queue loses costs a delay. So the queue gives a function that crashed
its message again after its timeout and 15 s, three times; from the second time on the row counts
(docs/architecture.md). What still crashes then, or cannot be read, lies in the dead letters for 14
days and raises an alarm.
"""

from aws_cdk import Duration
from aws_cdk.aws_lambda import EventSourceMapping
from aws_cdk.aws_sqs import DeadLetterQueue, Queue, QueueEncryption
from constructs import Construct

from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.service_function import TIMEOUT, ServiceFunction
from infra_cdk.environments import Environment

# A message has to be back soon after its function was lost, but never while it may still run.
GRACE_SECONDS = 15
# Fewer would park the healthy neighbours of a job that kills its process (docs/architecture.md).
MAX_RECEIVE_COUNT = 3
# One invocation folds what belongs to one workflow; without a window it waits for nothing.
BATCH_SIZE = 10


class DoorbellQueue(Queue):
    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        name = f"xylem-{environment.name}-{id.lower()}"
        self.dead = Queue(
            scope,
            f"Dead{id}",
            queue_name=f"{name}-dead",
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        super().__init__(
            scope,
            id,
            queue_name=name,
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(TIMEOUT.to_seconds() + GRACE_SECONDS),
            dead_letter_queue=DeadLetterQueue(queue=self.dead, max_receive_count=MAX_RECEIVE_COUNT),
        )
        self._environment = environment

    def feeds(self, function: ServiceFunction) -> None:
        """Deliver to `function`, whose rights name this queue: a bad message fails alone."""
        EventSourceMapping(
            function,
            f"{self.node.id}Source",
            target=function,
            event_source_arn=self.queue_arn,
            batch_size=BATCH_SIZE,
            max_concurrency=self._environment.queue_concurrency,
            report_batch_item_failures=True,
        )

    def watched_by(self, alarms: Alarms, *, oldest_seconds: int | None = None) -> None:
        """Raise an alarm for each dead letter, and when the oldest message waits too long. A batch
        that crashes comes again and ends among the dead letters, so errors of the function need no
        alarm of their own: each costs as much as a hundred thousand requests."""
        word = self.node.id
        alarms.when(
            f"{word}Dead",
            self.dead.metric_approximate_number_of_messages_visible(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            at_least=1,
            says=f"{word}: messages in the dead letters; look at them, then redrive or delete them",
        )
        if oldest_seconds is None:
            return
        alarms.when(
            f"{word}Old",
            self.metric_approximate_age_of_oldest_message(
                period=Duration.minutes(1), statistic="Maximum"
            ),
            at_least=oldest_seconds,
            minutes=5,
            says=f"{word}: the oldest message has waited for {oldest_seconds} s",
        )
