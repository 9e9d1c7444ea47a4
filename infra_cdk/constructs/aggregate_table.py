"""One table per aggregate: `pk` and `sk` are strings, billed by the request.

The names are ours (`xylem-<environment>-<aggregate>`): an ARN in a policy, a log or a bill says
what it is, and the control plane refers to a table by its name, without an export that would hold
both stacks fast. The price: CloudFormation cannot replace such a table, and a table that outlived
its stack is taken back by `cdk import`. For data that must survive, both are what one wants.
"""

from aws_cdk import Aws
from aws_cdk.aws_dynamodb import (
    Attribute,
    AttributeType,
    BillingMode,
    PointInTimeRecoverySpecification,
    ProjectionType,
    Table,
)
from constructs import Construct

from infra_cdk.constructs.acknowledge import acknowledge
from infra_cdk.environments import Environment


class AggregateTable(Table):
    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, expires: bool = False
    ) -> None:
        self.name = f"xylem-{environment.name}-{id.lower()}"
        self.arn = f"arn:{Aws.PARTITION}:dynamodb:{Aws.REGION}:{Aws.ACCOUNT_ID}:table/{self.name}"
        recovery = PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=environment.point_in_time_recovery
        )
        super().__init__(
            scope,
            id,
            table_name=self.name,
            partition_key=_string("pk"),
            sort_key=_string("sk"),
            billing_mode=BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at" if expires else None,
            point_in_time_recovery_specification=recovery,
            deletion_protection=environment.deletion_protection,
            removal_policy=environment.removal,
        )
        if not environment.point_in_time_recovery:
            acknowledge(
                self, "AwsSolutions-DDB3", "The embedded stack's tables are this machine's."
            )

    def index(self, name: str, *, including: list[str] | None = None) -> None:
        """A sparse index on `<name>_pk`, `<name>_sk`; it holds keys, and what is to be included."""
        self.add_global_secondary_index(
            index_name=name,
            partition_key=_string(f"{name}_pk"),
            sort_key=_string(f"{name}_sk"),
            projection_type=ProjectionType.INCLUDE if including else ProjectionType.KEYS_ONLY,
            non_key_attributes=including,
        )


def _string(name: str) -> Attribute:
    return Attribute(name=name, type=AttributeType.STRING)
