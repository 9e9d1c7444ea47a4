"""Alarms, and the topic that they tell. `-c alarm_email=` subscribes an address to it.

An alarm costs $0.10 a month, the first ten of an account nothing, a topic nothing: so each alarm
watches where trouble of many kinds shows (dead letters, the age of messages, what callers get), and
there are no more than ten. A function behind an API has none of its own: its errors are the API's.
"""

from aws_cdk import Aws
from aws_cdk.aws_cloudwatch import Alarm, ComparisonOperator, IMetric, TreatMissingData
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from constructs import Construct

from infra_cdk.environments import Environment


class Alarms(Construct):
    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, email: str | None
    ) -> None:
        super().__init__(scope, id)
        self._environment = environment
        self.topic = Topic(
            self, "Topic", topic_name=f"xylem-{environment.name}-alarms", enforce_ssl=True
        )
        # A policy of our own (enforce_ssl) replaces the default one, which let CloudWatch in.
        self.topic.add_to_resource_policy(
            PolicyStatement(
                actions=["sns:Publish"],
                principals=[ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if email:
            self.topic.add_subscription(EmailSubscription(email))

    def when(
        self,
        id: str,
        metric: IMetric,
        *,
        says: str,
        at_least: float,
        minutes: int = 1,
    ) -> None:
        """Tell the topic when the metric is that high in each of the last `minutes`."""
        self._alarm(
            id,
            metric,
            says=says,
            threshold=at_least,
            minutes=minutes,
            comparison=ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            missing=TreatMissingData.NOT_BREACHING,
        )

    def when_silent(self, id: str, metric: IMetric, *, says: str, minutes: int) -> None:
        """Tell the topic when the metric has been nought, or missing, for `minutes`."""
        self._alarm(
            id,
            metric,
            says=says,
            threshold=1,
            minutes=minutes,
            comparison=ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=TreatMissingData.BREACHING,
        )

    def _alarm(
        self,
        id: str,
        metric: IMetric,
        *,
        says: str,
        threshold: float,
        minutes: int,
        comparison: ComparisonOperator,
        missing: TreatMissingData,
    ) -> None:
        alarm = Alarm(
            self,
            id,
            alarm_name=f"xylem-{self._environment.name}-{id}",
            alarm_description=says,
            metric=metric,
            threshold=threshold,
            evaluation_periods=minutes,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(SnsAction(self.topic))
