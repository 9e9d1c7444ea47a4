from pathlib import Path

from clients.local.embedded_aws.lambda_environment import (
    FunctionIdentity,
    access_key_of,
    lambda_environment,
)

FUNCTION = FunctionIdentity("agent", "$LATEST", "eu-central-1", 256, "a.handler")


def an_environment(function: FunctionIdentity = FUNCTION, **variables: str) -> dict[str, str]:
    return lambda_environment(
        function,
        variables=variables,
        runtime_api="127.0.0.1:9",
        endpoint="http://127.0.0.1:4566",
        code=Path("/code"),
        runtime=Path("/runtime"),
        temporary=Path("/tmp/own"),
        log_stream="stream",
    )


def test_access_keys_differ_by_function_and_stay_the_same() -> None:
    assert access_key_of("agent") == access_key_of("agent") != access_key_of("worker")
    assert len(access_key_of("agent")) == 20


def test_a_function_cannot_take_anothers_identity_by_its_settings() -> None:
    environment = an_environment(
        AWS_ACCESS_KEY_ID="stolen", AWS_LAMBDA_FUNCTION_NAME="worker", TABLE="t"
    )

    assert environment["AWS_ACCESS_KEY_ID"] == access_key_of("agent")
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "agent"
    assert environment["TABLE"] == "t"


def test_nobodys_own_aws_configuration_is_read() -> None:
    environment = an_environment()

    assert environment["HOME"] == environment["TMPDIR"] == "/tmp/own"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_logging_is_what_the_function_asks_for() -> None:
    json = FunctionIdentity("a", "1", "us-east-1", 128, "h", log_format="JSON", log_level="INFO")

    assert an_environment()["AWS_LAMBDA_LOG_FORMAT"] == "Text"
    assert an_environment(json)["AWS_LAMBDA_LOG_LEVEL"] == "INFO"
