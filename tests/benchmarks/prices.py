"""What AWS asks for, by meter: list prices of us-east-1, on demand, without a free tier.

`source` is AWS's own page of the price, which says it by a script that a program cannot read;
`seen` is a page that repeats the figure for us-east-1 and was read on the day `CHECKED`. Where
`seen` is None the figure is what AWS's page has said for years, and was not confirmed that day.
"""

from dataclasses import dataclass
from datetime import date

from clients.local.embedded_aws.usage import Meter

CHECKED = date(2026, 11, 28)
REGION = "us-east-1"

_GB = 1024**3


@dataclass(frozen=True, slots=True)
class Price:
    dollars: float
    per: float
    """How many of the unit this buys."""
    unit: str
    source: str
    seen: str | None = None

    def of(self, amount: float) -> float:
        return amount * self.dollars / self.per


_AWS = "https://aws.amazon.com"
_GATEWAY = f"{_AWS}/api-gateway/pricing/"
_GATEWAY_SEEN = "https://amnic.com/blogs/aws-api-gateway-pricing"
_LAMBDA_SEEN = "https://cloudchipr.com/blog/aws-lambda-pricing"
_DYNAMODB = f"{_AWS}/dynamodb/pricing/on-demand/"
_DYNAMODB_SEEN = "https://airbyte.com/data-engineering-resources/dynamodb-pricing"
_S3_SEEN = (
    "https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples"
)
_CLOUDWATCH = f"{_AWS}/cloudwatch/pricing/"
_CLOUDWATCH_SEEN = (
    "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/"
)

PRICES = {
    Meter.DYNAMODB_WRITES: Price(0.625, 1e6, "write request unit", _DYNAMODB, _DYNAMODB_SEEN),
    Meter.DYNAMODB_READS: Price(0.125, 1e6, "read request unit", _DYNAMODB, _DYNAMODB_SEEN),
    Meter.SQS_REQUESTS: Price(
        *(0.40, 1e6, "request of 64 KB, standard queue", f"{_AWS}/sqs/pricing/"),
        seen="https://cloudburn.io/blog/amazon-sqs-pricing",
    ),
    Meter.S3_PUTS: Price(
        0.005, 1e3, "PUT, COPY, POST or LIST request", f"{_AWS}/s3/pricing/", _S3_SEEN
    ),
    Meter.S3_GETS: Price(0.0004, 1e3, "GET or other request", f"{_AWS}/s3/pricing/", _S3_SEEN),
    Meter.HTTP_REQUESTS: Price(1.00, 1e6, "request of 512 KB", _GATEWAY, _GATEWAY_SEEN),
    Meter.WEBSOCKET_MESSAGES: Price(1.00, 1e6, "message of 32 KB", _GATEWAY, _GATEWAY_SEEN),
    Meter.WEBSOCKET_MINUTES: Price(0.25, 1e6, "minute of a connection", _GATEWAY, _GATEWAY_SEEN),
    Meter.LAMBDA_REQUESTS: Price(0.20, 1e6, "request", f"{_AWS}/lambda/pricing/", _LAMBDA_SEEN),
    Meter.LAMBDA_COMPUTE: Price(
        0.0000133334, 1, "GB-second, arm64", f"{_AWS}/lambda/pricing/", _LAMBDA_SEEN
    ),
    Meter.SCHEDULER_INVOCATIONS: Price(
        *(1.00, 1e6, "invocation", f"{_AWS}/eventbridge/pricing/"),
        seen="https://cloudburn.io/blog/amazon-eventbridge-pricing",
    ),
    Meter.LOG_BYTES: Price(0.50, _GB, "byte ingested", _CLOUDWATCH, _CLOUDWATCH_SEEN),
    Meter.PARAMETER_READS: Price(
        0, 1, "read of a standard parameter", f"{_AWS}/systems-manager/pricing/"
    ),
    Meter.KEY_REQUESTS: Price(0.03, 1e4, "request", f"{_AWS}/kms/pricing/"),
    Meter.BYTES_OUT: Price(
        0.09, _GB, "byte to the internet", f"{_AWS}/ec2/pricing/on-demand/", _GATEWAY_SEEN
    ),
}

# What is billed by the month, and what the embedded stack has none of.
ALARM = Price(0.10, 1, "alarm, a month", _CLOUDWATCH)
TABLE_STORAGE = Price(0.25, 1, "GB-month", _DYNAMODB, f"{_AWS}/dynamodb/pricing/")
TABLE_RECOVERY = Price(0.20, 1, "GB-month of point-in-time recovery", _DYNAMODB)
BUCKET_STORAGE = Price(0.023, 1, "GB-month", f"{_AWS}/s3/pricing/", _S3_SEEN)
TRACE = Price(5.00, 1e6, "trace recorded", f"{_AWS}/xray/pricing/")
