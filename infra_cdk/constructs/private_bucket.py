"""A bucket that nobody reaches but through our rights, over TLS.

Its objects are encrypted with S3's own keys: a customer's key would cost $1 a month, idle, and a
request to KMS for each object.
"""

from collections.abc import Mapping

from aws_cdk import Aws, Duration
from aws_cdk.aws_s3 import BlockPublicAccess, Bucket, BucketEncryption, LifecycleRule
from constructs import Construct

from infra_cdk.constructs.acknowledge import acknowledge
from infra_cdk.environments import Environment

# Parts of an upload that nobody completed are billed and never listed. No transfer of ours lives
# longer: a task's token lives 1 h, and its renewal ends 24 h after the attempt.
ABANDONED_AFTER_DAYS = 3


class PrivateBucket(Bucket):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        expire_after_days: Mapping[str, int | None],
    ) -> None:
        """`expire_after_days`: by prefix of the objects' keys, the age at which S3 removes them."""
        rules = [
            LifecycleRule(
                id="abandoned-uploads",
                abort_incomplete_multipart_upload_after=Duration.days(ABANDONED_AFTER_DAYS),
            )
        ]
        rules += [
            LifecycleRule(
                id=prefix.strip("/") or "all", prefix=prefix or None, expiration=Duration.days(days)
            )
            for prefix, days in expire_after_days.items()
            if days is not None
        ]
        # Bucket names are unique in the world: the account makes ours so.
        self.name = f"xylem-{environment.name}-{id.lower()}-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.arn = f"arn:{Aws.PARTITION}:s3:::{self.name}"
        super().__init__(
            scope,
            id,
            bucket_name=self.name,
            encryption=BucketEncryption.S3_MANAGED,
            block_public_access=BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=rules,
            removal_policy=environment.removal,
        )
        acknowledge(
            self,
            "AwsSolutions-S1",
            "Each object is written once, by a function whose log has the request; an access log"
            " would double the number of objects. Who needs one turns on CloudTrail's data events.",
        )
