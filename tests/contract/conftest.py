"""The same promises, asked of every port in memory and on AWS (moto, one call at a time)."""

from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest
from moto import mock_aws

from xylem.memory.backends import MemoryBackends
from xylem.memory.configs import MemoryPools
from xylem.memory.connections import MemoryConnections
from xylem.memory.logs import MemoryLogs
from xylem.memory.store import MemoryStore
from xylem.ports import Backends, Connections, Jobs, Logs, Pools, Workflows
from xylem_aws.backends import DynamoBackends
from xylem_aws.configs import DynamoPools
from xylem_aws.connections import DynamoConnections
from xylem_aws.jobs import DynamoJobs
from xylem_aws.logs import DynamoLogs
from xylem_aws.workflows import DynamoWorkflows

REGION = "us-east-1"
TABLES = ("workflows", "backends", "logs", "configs", "connections")
INDEXES = {"workflows": ("due", "live")}


@dataclass(frozen=True, slots=True)
class Stores:
    workflows: Workflows
    jobs: Jobs
    backends: Backends
    pools: Pools
    logs: Logs
    connections: Connections


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    if request.param == "memory":
        store = MemoryStore()
        yield Stores(
            store.workflows,
            store.jobs,
            MemoryBackends(store),
            MemoryPools(),
            MemoryLogs(),
            MemoryConnections(),
        )
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        for table in TABLES:
            _create(table)
        yield Stores(
            DynamoWorkflows(REGION, workflows="workflows", backends="backends"),
            DynamoJobs(REGION, "workflows"),
            DynamoBackends(REGION, "backends"),
            DynamoPools(REGION, "configs"),
            DynamoLogs(REGION, "logs"),
            DynamoConnections(REGION, "connections"),
        )


def _create(table: str) -> None:
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    names = ["pk", "sk"]
    indexes = []
    for index in INDEXES.get(table, ()):
        of = [(f"{index}_pk", "HASH"), (f"{index}_sk", "RANGE")]
        names += [name for name, _ in of]
        indexes.append(
            {
                "IndexName": index,
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in of],
                "Projection": {"ProjectionType": "ALL"},
            }
        )
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),  # type: ignore[arg-type]
    )
