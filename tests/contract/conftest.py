"""The same promises, asked of every port in memory and on AWS (moto, one call at a time)."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from moto import mock_aws
from pynamodb.models import Model

from xylem.memory.answers import MemoryAnswers
from xylem.memory.apps import MemoryApps
from xylem.memory.backends import MemoryBackends
from xylem.memory.catalog import MemoryCatalog
from xylem.memory.configs import MemoryConfigs
from xylem.memory.connections import MemoryConnections
from xylem.memory.credentials import MemoryCredentials
from xylem.memory.followers import MemoryFollowers
from xylem.memory.identity import MemoryIdentity
from xylem.memory.logs import MemoryLogs
from xylem.memory.rates import MemoryRates
from xylem.memory.sessions import MemorySessions
from xylem.memory.store import MemoryStore
from xylem.memory.task_secrets import MemoryTaskSecrets
from xylem.ports.answers import Answers
from xylem.ports.apps import Apps
from xylem.ports.backends import Backends
from xylem.ports.catalog import Catalog, DatasetConfigs
from xylem.ports.configs import Configs, Credentials, Pools
from xylem.ports.connections import Connections
from xylem.ports.followers import Followers
from xylem.ports.identity import Identity
from xylem.ports.jobs import Jobs, Timers
from xylem.ports.logs import Logs
from xylem.ports.rates import Rates
from xylem.ports.sessions import Sessions
from xylem.ports.task_secrets import TaskSecrets
from xylem.ports.workflows import Workflows
from xylem.usecases.config_book import ConfigBook
from xylem_aws.answers import DynamoAnswers
from xylem_aws.apps import DynamoApps
from xylem_aws.backends import DynamoBackends
from xylem_aws.catalog import DynamoCatalog
from xylem_aws.configs import DynamoConfigRows
from xylem_aws.connections import DynamoConnections
from xylem_aws.credentials import DynamoCredentials
from xylem_aws.envelopes import Envelopes
from xylem_aws.followers import DynamoFollowers
from xylem_aws.jobs import DynamoJobs, DynamoTimers
from xylem_aws.keys import KeyRing
from xylem_aws.logs import DynamoLogs
from xylem_aws.rates import DynamoRates
from xylem_aws.sessions import DynamoSessions
from xylem_aws.tables.backends import BackendsTable
from xylem_aws.tables.binding import bind
from xylem_aws.tables.catalog import CatalogTable
from xylem_aws.tables.configs import ConfigRow
from xylem_aws.tables.connections import SocketRow
from xylem_aws.tables.identity import IdentityTable
from xylem_aws.tables.logs import LogsTable
from xylem_aws.tables.workflows import WorkflowsTable
from xylem_aws.task_secrets import DynamoTaskSecrets
from xylem_aws.users import DynamoIdentity
from xylem_aws.workflows import DynamoWorkflows

REGION = "us-east-1"
A_RING = KeyRing("k1", {"k1": base64.b64encode(bytes(range(32))).decode()})
TABLES: Mapping[str, type[Model]] = {
    "workflows": WorkflowsTable,
    "backends": BackendsTable,
    "logs": LogsTable,
    "configs": ConfigRow,
    "identity": IdentityTable,
    "catalog": CatalogTable,
    "connections": SocketRow,
}


@dataclass(frozen=True, slots=True)
class Stores:
    workflows: Workflows
    jobs: Jobs
    timers: Timers
    backends: Backends
    pools: Pools
    configs: Configs
    logs: Logs
    connections: Connections
    credentials: Credentials
    identity: Identity
    apps: Apps
    answers: Answers
    task_secrets: TaskSecrets
    followers: Followers
    sessions: Sessions
    catalog: Catalog
    dataset_configs: DatasetConfigs
    rates: Rates


@pytest.fixture(params=["memory", "dynamodb"])
def stores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    if request.param == "memory":
        store = MemoryStore()
        yield Stores(
            store.workflows,
            store.jobs,
            store.timers,
            MemoryBackends(store),
            memory_configs := MemoryConfigs(),
            memory_configs,
            MemoryLogs(),
            MemoryConnections(),
            MemoryCredentials(),
            MemoryIdentity(),
            MemoryApps(),
            MemoryAnswers(),
            MemoryTaskSecrets(),
            MemoryFollowers(),
            MemorySessions(),
            MemoryCatalog(),
            MemoryConfigs(),
            MemoryRates(),
        )
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        create_tables({table: table for table in TABLES})
        yield Stores(
            DynamoWorkflows(REGION, workflows="workflows", backends="backends"),
            DynamoJobs(REGION, "workflows"),
            DynamoTimers(REGION, "workflows"),
            DynamoBackends(REGION, "backends"),
            configs := ConfigBook(DynamoConfigRows(REGION, "configs")),
            configs,
            DynamoLogs(REGION, "logs"),
            DynamoConnections(REGION, "connections"),
            DynamoCredentials(REGION, "identity", Envelopes(lambda: A_RING)),
            DynamoIdentity(REGION, "identity"),
            DynamoApps(REGION, "catalog"),
            DynamoAnswers(REGION, "workflows", Envelopes(lambda: A_RING)),
            DynamoTaskSecrets(REGION, "logs", Envelopes(lambda: A_RING)),
            DynamoFollowers(REGION, "connections"),
            DynamoSessions(REGION, "connections"),
            DynamoCatalog(REGION, "catalog"),
            ConfigBook(DynamoConfigRows(REGION, "configs")),
            DynamoRates(REGION, "connections"),
        )


def create_tables(names: Mapping[str, str]) -> None:
    """As the rows themselves say that they lie, indexes and what they hold included."""
    for table, name in names.items():
        rows = TABLES[table]
        bind(rows, table=name, region=REGION)
        rows.create_table(wait=False, billing_mode="PAY_PER_REQUEST")
