"""The composition root of every function: environment in, ports out.

Each port is built when it is first asked for, once per process, so a function pays at its cold
start for what it uses alone; the imports stand in the properties for the same reason (pynamodb
takes 50 ms, `cryptography` 100).
"""

# ruff: noqa: PLC0415 - an import at the top would be every function's; see above.

import base64
import os
import random
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from xylem_aws import clients
from xylem_aws.keys import FreshKeys, Purpose, read_keys
from xylem_aws.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from xylem.domain.target import Policy
    from xylem.usecases.config_book import ConfigBook
    from xylem.usecases.limits import Limiter
    from xylem.usecases.session_tokens import HmacSessionTokens
    from xylem_aws.answers import DynamoAnswers
    from xylem_aws.apps import DynamoApps
    from xylem_aws.backends import DynamoBackends
    from xylem_aws.blobs import S3Blobs
    from xylem_aws.catalog import DynamoCatalog
    from xylem_aws.connections import DynamoConnections
    from xylem_aws.credentials import DynamoCredentials
    from xylem_aws.dataset_store import S3DatasetStore
    from xylem_aws.envelopes import Envelopes
    from xylem_aws.followers import DynamoFollowers
    from xylem_aws.identity import Signer, Verifier
    from xylem_aws.jobs import DynamoJobs, DynamoTimers
    from xylem_aws.links import ApiGatewayLinks
    from xylem_aws.logs import DynamoLogs
    from xylem_aws.mailer import SesMailer
    from xylem_aws.outside import HttpsOutside
    from xylem_aws.provider_keys import ProviderTokens
    from xylem_aws.queues import SqsAlarm, SqsDeadLetters, SqsDoorbell, SqsNewsQueue
    from xylem_aws.rates import DynamoRates
    from xylem_aws.sessions import DynamoSessions
    from xylem_aws.task_secrets import DynamoTaskSecrets
    from xylem_aws.task_tokens import HmacTaskTokens
    from xylem_aws.users import DynamoIdentity
    from xylem_aws.workflows import DynamoWorkflows


class Ports:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def engine(self) -> "Ports":
        """What decisions are carried out with is among them."""
        return self

    @property
    def joining(self) -> "Ports":
        return self

    @property
    def entering(self) -> "Ports":
        return self

    @property
    def datasets(self) -> "Ports":
        return self

    @property
    def websocket_url(self) -> str:
        return self.settings.websocket_url

    def clock(self) -> datetime:
        return datetime.now(UTC)

    def ids(self) -> str:
        return uuid.uuid4().hex

    @property
    def wait(self) -> Callable[[float], None]:
        return time.sleep

    @property
    def chance(self) -> Callable[[], float]:
        return random.random

    @cached_property
    def workflows(self) -> "DynamoWorkflows":
        from xylem_aws.workflows import DynamoWorkflows

        table = self.settings.table
        return DynamoWorkflows(
            self.settings.region,
            workflows=table("workflows"),
            backends=self.settings.mail_table,
        )

    @cached_property
    def jobs(self) -> "DynamoJobs":
        from xylem_aws.jobs import DynamoJobs

        return DynamoJobs(self.settings.region, self.settings.table("workflows"))

    @cached_property
    def backends(self) -> "DynamoBackends":
        from xylem_aws.backends import DynamoBackends

        return DynamoBackends(self.settings.region, self.settings.table("backends"))

    @cached_property
    def connections(self) -> "DynamoConnections":
        from xylem_aws.connections import DynamoConnections

        return DynamoConnections(self.settings.region, self.settings.table("connections"))

    @cached_property
    def followers(self) -> "DynamoFollowers":
        from xylem_aws.followers import DynamoFollowers

        return DynamoFollowers(self.settings.region, self.settings.table("connections"))

    @cached_property
    def sessions(self) -> "DynamoSessions":
        from xylem_aws.sessions import DynamoSessions

        return DynamoSessions(self.settings.region, self.settings.table("connections"))

    @cached_property
    def session_tokens(self) -> "HmacSessionTokens":
        from xylem.usecases.session_tokens import HmacSessionTokens

        ring = read_keys(clients.ssm(self.settings.region), self.settings.keys_path, "sessions")
        keys = {kid: base64.b64decode(key) for kid, key in ring.keys.items()}
        return HmacSessionTokens(keys, ring.active)

    @property
    def pools(self) -> "ConfigBook":
        return self.configs

    @cached_property
    def configs(self) -> "ConfigBook":
        from xylem.usecases.config_book import ConfigBook
        from xylem_aws.configs import DynamoConfigRows

        return ConfigBook(DynamoConfigRows(self.settings.region, self.settings.table("configs")))

    @cached_property
    def credentials(self) -> "DynamoCredentials":
        from xylem_aws.credentials import DynamoCredentials

        return DynamoCredentials(self.settings.region, self.settings.table("identity"), self.seals)

    @cached_property
    def answers(self) -> "DynamoAnswers":
        from xylem_aws.answers import DynamoAnswers

        return DynamoAnswers(self.settings.region, self.settings.table("workflows"), self.seals)

    @property
    def receivers(self) -> "Policy":
        """Whom webhooks may lead to."""
        from xylem.domain.target import PUBLIC, WITH_THIS_MACHINE

        return WITH_THIS_MACHINE if self.settings.environment == "local" else PUBLIC

    @cached_property
    def outside(self) -> "HttpsOutside":
        from xylem_aws.outside import HttpsOutside

        return HttpsOutside(self.receivers)

    @cached_property
    def mailer(self) -> "SesMailer":
        from xylem_aws.mailer import SesMailer

        return SesMailer(clients.mail(self.settings.region))

    @cached_property
    def task_secrets(self) -> "DynamoTaskSecrets":
        from xylem_aws.task_secrets import DynamoTaskSecrets

        return DynamoTaskSecrets(self.settings.region, self.settings.table("logs"), self.seals)

    @cached_property
    def seals(self) -> "Envelopes":
        from xylem_aws.envelopes import Envelopes

        # The path, too, is asked for with the first seal: the timers push mail that has none, and
        # know of no keys.
        settings = self.settings
        return Envelopes(
            lambda: read_keys(clients.ssm(settings.region), settings.keys_path, "credentials")
        )

    @cached_property
    def logs(self) -> "DynamoLogs":
        from xylem_aws.logs import DynamoLogs

        settings = self.settings
        return DynamoLogs(
            settings.region, settings.table("logs"), expire_after=settings.logs_expire_after
        )

    @cached_property
    def doorbell(self) -> "SqsDoorbell":
        from xylem_aws.queues import SqsDoorbell

        return SqsDoorbell(self._sqs, self.settings.jobs_queue)

    @cached_property
    def alarm(self) -> "SqsAlarm":
        from xylem_aws.queues import SqsAlarm

        return SqsAlarm(self._sqs, self.settings.timers_queue)

    @cached_property
    def timers(self) -> "DynamoTimers":
        from xylem_aws.jobs import DynamoTimers

        return DynamoTimers(self.settings.region, self.settings.table("workflows"))

    @cached_property
    def news(self) -> "SqsNewsQueue":
        from xylem_aws.queues import SqsNewsQueue

        return SqsNewsQueue(self._sqs, self.settings.news_queue)

    @cached_property
    def dead_letters(self) -> "SqsDeadLetters":
        from xylem_aws.queues import SqsDeadLetters

        return SqsDeadLetters(self._sqs, self.settings.dead_queues)

    @cached_property
    def links(self) -> "ApiGatewayLinks":
        from xylem_aws.links import ApiGatewayLinks

        endpoint = self.settings.connections_endpoint
        return ApiGatewayLinks(clients.sockets(self.settings.region, endpoint))

    @cached_property
    def store(self) -> "S3Blobs":
        from xylem_aws.blobs import S3Blobs

        return S3Blobs(self._s3, self.settings.store_bucket)

    @cached_property
    def data(self) -> "S3Blobs":
        from xylem_aws.blobs import S3Blobs

        return S3Blobs(self._s3, self.settings.data_bucket)

    @cached_property
    def catalog(self) -> "DynamoCatalog":
        from xylem_aws.catalog import DynamoCatalog

        return DynamoCatalog(self.settings.region, self.settings.table("catalog"))

    @property
    def dataset_configs(self) -> "ConfigBook":
        return self.configs

    @cached_property
    def dataset_store(self) -> "S3DatasetStore":
        from xylem_aws.dataset_store import S3DatasetStore

        return S3DatasetStore(self._s3, self.settings.datasets_bucket)

    @cached_property
    def task_tokens(self) -> "HmacTaskTokens":
        from xylem_aws.task_tokens import HmacTaskTokens

        ssm = clients.ssm(self.settings.region)
        return HmacTaskTokens(read_keys(ssm, self.settings.keys_path, "hmac"))

    @cached_property
    def verifier(self) -> "Verifier":
        from xylem_aws.identity import Verifier

        keys = self._fresh_keys("verifying")
        return Verifier(lambda kid, now: keys.ring(now, naming=kid), self.settings.api_url)

    @cached_property
    def providers(self) -> "ProviderTokens":
        from xylem_aws.provider_keys import ProviderTokens, fetching, read_providers

        ssm, path = clients.ssm(self.settings.region), self.settings.keys_path
        local = self.settings.environment == "local"
        return ProviderTokens(lambda: read_providers(ssm, path), fetching(local=local))

    @property
    def signer(self) -> "Signer":
        """With the key of today: it may be rotated while this process lives."""
        from xylem_aws.identity import Signer

        return Signer(self._signing_keys.ring(self.clock()), self.settings.api_url)

    @cached_property
    def _signing_keys(self) -> FreshKeys:
        return self._fresh_keys("signing")

    def _fresh_keys(self, purpose: Purpose) -> FreshKeys:
        ssm, path = clients.ssm(self.settings.region), self.settings.keys_path
        return FreshKeys(lambda: read_keys(ssm, path, purpose))

    @cached_property
    def apps(self) -> "DynamoApps":
        from xylem_aws.apps import DynamoApps

        return DynamoApps(self.settings.region, self.settings.table("catalog"))

    def new_secret(self) -> str:
        return secrets.token_urlsafe(32)

    @cached_property
    def identity(self) -> "DynamoIdentity":
        from xylem_aws.users import DynamoIdentity

        return DynamoIdentity(self.settings.region, self.settings.table("identity"))

    @cached_property
    def limiter(self) -> "Limiter":
        from xylem.usecases.limits import Limiter, PerSecond

        limits = PerSecond(
            user=self.settings.requests_per_second("USER"),
            token=self.settings.requests_per_second("TOKEN"),
        )
        return Limiter(lambda: self._rates, limits)

    @cached_property
    def _rates(self) -> "DynamoRates":
        from xylem_aws.rates import DynamoRates

        return DynamoRates(self.settings.region, self.settings.table("connections"))

    @cached_property
    def _sqs(self) -> "SQSClient":
        return clients.sqs(self.settings.region)

    @cached_property
    def _s3(self) -> "S3Client":
        return clients.s3(self.settings.region)


@cache
def ports() -> Ports:
    return Ports(Settings(os.environ))
