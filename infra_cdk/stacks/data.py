"""What survives: seven tables, one per aggregate (docs/rows.md), and three buckets.

The store holds what the service writes (specs, claim checks, log bodies), the data bucket what
tasks write, the datasets' what people keep, of which nothing ends by its age: their rights, their
retention and their bill differ.
"""

from aws_cdk import Stack
from constructs import Construct

from infra_cdk.constructs.aggregate_table import AggregateTable
from infra_cdk.constructs.private_bucket import PrivateBucket
from infra_cdk.environments import Environment


class Data(Stack):
    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(
            scope,
            id,
            description="Xylem: tables and buckets",
            termination_protection=environment.deletion_protection,
        )
        self.workflows = AggregateTable(self, "Workflows", environment=environment, expires=True)
        # Which jobs and timers are due, over 16 shards: a constant key would be one hot partition.
        self.workflows.index("due")
        # Attempts between hand-over and end: inventory and use of nodes, without a read of the row.
        self.workflows.index(
            "live",
            including=[
                "workflow",
                "user",
                "pool",
                "node",
                "status",
                "start",
                "priority",
                "resources",
            ],
        )
        self.backends = AggregateTable(self, "Backends", environment=environment)
        self.logs = AggregateTable(self, "Logs", environment=environment, expires=True)
        self.configs = AggregateTable(self, "Configs", environment=environment)
        self.identity = AggregateTable(self, "Identity", environment=environment)
        self.catalog = AggregateTable(self, "Catalog", environment=environment)
        self.connections = AggregateTable(
            self, "Connections", environment=environment, expires=True
        )

        self.store = PrivateBucket(
            self,
            "Store",
            environment=environment,
            expire_after_days={
                "payloads/": environment.payloads_kept_days,
                "logs/": environment.logs_expire_after_days,
                "views/": 1,
            },
        )
        self.data = PrivateBucket(
            self,
            "Data",
            environment=environment,
            expire_after_days={"": environment.data_kept_days},
        )
        self.datasets = PrivateBucket(
            self, "Datasets", environment=environment, expire_after_days={}
        )

    @property
    def tables(self) -> tuple[AggregateTable, ...]:
        return (
            self.workflows,
            self.backends,
            self.logs,
            self.configs,
            self.identity,
            self.catalog,
            self.connections,
        )
