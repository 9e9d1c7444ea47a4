"""An idle Xylem costs next to nothing: what is not billed by its use is not in the templates."""

from tests.infra.synthesized import Synthesized

# What each kind of resource costs while nobody uses it, in dollars a month. Any other kind fails
# the test below: whoever adds one says here what it costs idle. Never to be added, since they are
# billed by the hour or the month: NAT gateways, VPC endpoints, RDS, ElastiCache, customers' KMS
# keys, Secrets Manager.
IDLE = {
    "AWS::ApiGatewayV2::Api": 0.0,
    "AWS::ApiGatewayV2::Authorizer": 0.0,
    "AWS::ApiGatewayV2::Integration": 0.0,
    "AWS::ApiGatewayV2::Route": 0.0,
    "AWS::ApiGatewayV2::Stage": 0.0,
    "AWS::CloudWatch::Alarm": 0.10,  # aws.amazon.com/cloudwatch/pricing: standard, one metric
    "AWS::DynamoDB::Table": 0.0,  # on demand; storage and its recovery by the GB
    "AWS::IAM::Role": 0.0,
    # A poller's empty receives: 5 at a time, 20 s each, are 650,000 a month at $0.40 a million.
    "AWS::Lambda::EventSourceMapping": 0.26,
    "AWS::Lambda::EventInvokeConfig": 0.0,
    "AWS::Lambda::Function": 0.0,
    "AWS::Lambda::LayerVersion": 0.0,
    "AWS::Lambda::Permission": 0.0,
    "AWS::Logs::LogGroup": 0.0,
    "AWS::S3::Bucket": 0.0,
    "AWS::S3::BucketPolicy": 0.0,
    "AWS::SNS::Topic": 0.0,
    "AWS::SNS::TopicPolicy": 0.0,
    "AWS::SQS::Queue": 0.0,
    "AWS::SQS::QueuePolicy": 0.0,
    # 43,200 sweeps of 0.1 s with 512 MB, each with 36 reads of half a unit at $0.125 a million:
    # 0.03 + 0.01 + 0.10.
    "AWS::Scheduler::Schedule": 0.15,
}
IDLE_BILL = 2.0


def test_nothing_is_billed_by_the_hour(stacks: Synthesized) -> None:
    kinds = {resource["Type"] for resource in stacks.resources.values()}

    assert kinds - IDLE.keys() == set()


def test_what_is_billed_while_idle_stays_under_two_dollars_a_month(stacks: Synthesized) -> None:
    bill = sum(IDLE[resource["Type"]] for resource in stacks.resources.values())

    assert bill < IDLE_BILL


def test_no_table_has_capacity_that_is_paid_for_unused(stacks: Synthesized) -> None:
    tables = stacks.properties("AWS::DynamoDB::Table")

    assert {table["BillingMode"] for table in tables} == {"PAY_PER_REQUEST"}
    assert not [
        table for table in tables if {"ProvisionedThroughput", "WarmThroughput"} & set(table)
    ]


def test_no_function_is_kept_warm_for_money(stacks: Synthesized) -> None:
    versions = stacks.all("AWS::Lambda::Version") | stacks.all("AWS::Lambda::Alias")

    assert versions == {}
    assert [each for each in stacks.functions.values() if "VpcConfig" in each] == []


def test_nothing_is_encrypted_with_a_key_that_has_a_price(stacks: Synthesized) -> None:
    buckets = stacks.properties("AWS::S3::Bucket")
    algorithms = {
        rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        for bucket in buckets
        for rule in bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    }

    assert algorithms == {"AES256"}
    assert [each for each in stacks.properties("AWS::SQS::Queue") if "KmsMasterKeyId" in each] == []
    assert [each for each in stacks.functions.values() if "KmsKeyArn" in each] == []
