import pytest

from clients.local.embedded_aws.definitions import changes_definitions


@pytest.mark.parametrize(
    ("action", "method", "changes"),
    [
        ("ssm:PutParameter", "POST", True),
        ("ssm:GetParameter", "POST", False),
        ("sqs:CreateQueue", "POST", True),
        ("sqs:SendMessage", "POST", False),
        ("dynamodb:CreateTable", "POST", True),
        ("dynamodb:UpdateTimeToLive", "POST", True),
        ("dynamodb:TransactWriteItems", "POST", False),
        ("dynamodb:Query", "POST", False),
        ("lambda:CreateFunction", "POST", True),
        ("lambda:InvokeFunction", "POST", False),
        ("apigateway:POST", "POST", True),
        ("apigateway:GET", "GET", False),
        ("s3:CreateBucket", "PUT", True),
        ("s3:PutObject", "PUT", False),
        ("cloudformation:ExecuteChangeSet", "POST", True),
        ("cloudformation:DescribeStacks", "POST", False),
        ("", "PUT", True),
    ],
)
def test_calls_that_change_definitions_are_told_from_others(
    action: str, method: str, changes: bool
) -> None:
    assert changes_definitions(action, method) is changes
