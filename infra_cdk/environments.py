"""How `local`, `dev` and `prod` differ: frozen values, chosen by the CDK context key `environment`.

A component never asks for the name of its environment, it reads a field; so what an environment
does differently is here in full. `local` is the embedded stack: the same app, on this machine's
interpreter, with addresses that its endpoint determines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aws_cdk import RemovalPolicy
from aws_cdk.aws_lambda import SystemLogLevel
from aws_cdk.aws_logs import RetentionDays

from layers.vendor.platforms import AWS_ARM64, LOCAL, Platform

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
HTTP_API_ID = "xylemhttp"
WEBSOCKET_API_ID = "xylemws"
WEBSOCKET_STAGE = "live"


LOGS_KEPT_DAYS_AT_LEAST = 2
"""A token of an attempt is good for 25 hours after its end, and a request may travel: until then
the rows say what was stored."""

LONGEST_ATTEMPT_DAYS = 120
"""The longest that a spec may allow an attempt to start, and then to run. Rows and objects of logs
expire by their own age, so that nothing has to be looked for or written for it: what is kept for N
days after the end is kept for N and these after it was written."""


class TooSoon(Exception):
    """Logs would go while their attempts may still write them."""


class UnknownEnvironment(Exception):
    """The context names an environment that is none of ours."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """A stage's token bucket: requests (or frames) a second, and how many at once."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """Where the embedded AWS listens. It keeps the ids of APIs that carry them in a tag."""

    endpoint: str = DEFAULT_ENDPOINT

    @property
    def api_url(self) -> str:
        return f"{self.endpoint}/_aws/execute-api/{HTTP_API_ID}/$default"

    @property
    def websocket_url(self) -> str:
        address = self.endpoint.replace("http", "ws", 1)
        return f"{address}/_aws/execute-api/{WEBSOCKET_API_ID}/{WEBSOCKET_STAGE}"

    @property
    def connections_endpoint(self) -> str:
        return f"{self.endpoint}/_aws/execute-api/{WEBSOCKET_API_ID}/{WEBSOCKET_STAGE}"


@dataclass(frozen=True, slots=True)
class Environment:
    name: str
    platform: Platform
    embedded: Embedded | None
    """Set where the APIs cannot tell their own addresses, and keys may be sent as `x-osmo-user`."""

    runtime_image: str
    """Of the Task Runtime, as the clusters' nodes pull it; on the desk it is a folder."""

    removal: RemovalPolicy
    """Of tables and buckets, when their stack is deleted."""
    deletion_protection: bool
    point_in_time_recovery: bool

    payloads_kept_days: int
    """A claim check outlives any operator's absence that is worth waiting for: a mailbox row refers
    to it until it is answered. An expired one makes the operator answer `failed`."""
    logs_kept_days: int | None
    """After the end of an attempt, at least; never under 2 (`LOGS_KEPT_DAYS_AT_LEAST`). None: until
    their workflow is removed."""
    data_kept_days: int | None
    """What tasks hand to each other. None: for ever."""

    log_retention: RetentionDays
    platform_log_level: SystemLogLevel
    """WARN leaves out the three lines about each invocation, which cost more than it does."""
    tracing: bool

    throttle: Throttle
    requests_of_a_user: int | None
    requests_of_a_token: int | None
    """A second, of one of them; what is above the throttle is no limit. None: none."""
    queue_concurrency: int
    """How many batches of one queue run at once (SQS allows 2 to 1,000)."""
    reserved_concurrency: Mapping[str, int] = field(default_factory=dict)
    """By function. Long polls of the Logger may fill the account's pool (1,000 in an account that
    was raised, 10 in a new one); what is reserved keeps the operators' way in and out free."""

    def __post_init__(self) -> None:
        kept = self.logs_kept_days
        if kept is not None and kept < LOGS_KEPT_DAYS_AT_LEAST:
            raise TooSoon(
                f"logs_kept_days of {self.name} is {kept}: keep them for"
                f" {LOGS_KEPT_DAYS_AT_LEAST} days at least"
            )

    @property
    def logs_expire_after_days(self) -> int | None:
        """Of age."""
        kept = self.logs_kept_days
        return None if kept is None else kept + LONGEST_ATTEMPT_DAYS


NO_IMAGE = "task-runtime.invalid/not-chosen"
"""Nobody can own a name below `.invalid` (RFC 6761), so nobody can have his own program run in
every pod, beside the task's token, by owning the name that we would assume."""

local = Environment(
    name="local",
    platform=LOCAL,
    embedded=Embedded(),
    runtime_image="xylem/task-runtime",
    removal=RemovalPolicy.DESTROY,
    deletion_protection=False,
    point_in_time_recovery=False,
    payloads_kept_days=90,
    logs_kept_days=None,
    data_kept_days=None,
    log_retention=RetentionDays.ONE_WEEK,
    platform_log_level=SystemLogLevel.INFO,
    tracing=False,
    throttle=Throttle(rate=5_000, burst=5_000),
    # Whoever has a stack of his own measures it.
    requests_of_a_user=None,
    requests_of_a_token=None,
    queue_concurrency=16,
)

dev = Environment(
    name="dev",
    platform=AWS_ARM64,
    embedded=None,
    runtime_image=NO_IMAGE,
    removal=RemovalPolicy.DESTROY,
    deletion_protection=False,
    point_in_time_recovery=True,
    payloads_kept_days=30,
    logs_kept_days=30,
    data_kept_days=30,
    log_retention=RetentionDays.TWO_WEEKS,
    platform_log_level=SystemLogLevel.INFO,
    # Whoever develops wants to see; idle it costs half a dollar a month, a quarter of all.
    tracing=True,
    throttle=Throttle(rate=200, burst=400),
    requests_of_a_user=50,
    requests_of_a_token=25,
    queue_concurrency=5,
)

prod = Environment(
    name="prod",
    platform=AWS_ARM64,
    embedded=None,
    runtime_image=NO_IMAGE,
    removal=RemovalPolicy.RETAIN,
    deletion_protection=True,
    point_in_time_recovery=True,
    payloads_kept_days=90,
    logs_kept_days=None,
    data_kept_days=None,
    log_retention=RetentionDays.THREE_MONTHS,
    platform_log_level=SystemLogLevel.WARN,
    tracing=False,
    throttle=Throttle(rate=2_000, burst=4_000),
    requests_of_a_user=100,
    requests_of_a_token=50,
    queue_concurrency=100,
    reserved_concurrency={
        "agent": 100,
        "agent-ingest": 100,
        "authorizer-websocket": 50,
        "connections": 50,
        "delayed-job-monitor": 1,
        "delayed-job-monitor-timers": 50,
        "worker": 100,
    },
)

ENVIRONMENTS = {environment.name: environment for environment in (local, dev, prod)}


def choose(name: str | None, endpoint: str | None, runtime_image: str | None = None) -> Environment:
    """The environment that the context asks for; `endpoint` is where the embedded AWS listens,
    `runtime_image` the image that clusters pull the Task Runtime from."""
    chosen = ENVIRONMENTS.get(name or dev.name)
    if chosen is None:
        known = ", ".join(ENVIRONMENTS)
        raise UnknownEnvironment(
            f"environment {name!r} is unknown: use -c environment=, of {known}"
        )
    if runtime_image:
        chosen = replace(chosen, runtime_image=runtime_image)
    if endpoint is None:
        return chosen
    if chosen.embedded is None:
        raise UnknownEnvironment(
            f"environment {chosen.name!r} is on AWS and has addresses of its own:"
            " leave -c endpoint= out, or use -c environment=local"
        )
    return replace(chosen, embedded=Embedded(endpoint.rstrip("/")))
