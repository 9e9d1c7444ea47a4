"""Functions run as on AWS: correction 2."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.embedded_aws.resources import a_function, a_name, a_zip, code, invoked
from tests.contract.embedded_aws.server import EmbeddedAws
from tests.contract.embedded_aws.test_queues import until

ENVIRONMENT = """
    import importlib.util, os
    def handler(event, context):
        return {
            "environment": dict(os.environ),
            "modules": [name for name in event or [] if importlib.util.find_spec(name)],
            "function": context.function_name,
            "arn": context.invoked_function_arn,
            "remaining": context.get_remaining_time_in_millis(),
        }
"""


def test_a_function_sees_the_standard_library_its_code_and_the_runtime_and_nothing_of_ours(
    aws: EmbeddedAws,
) -> None:
    function = a_function(aws, ENVIRONMENT)

    seen = invoked(aws, function, ["aws", "json", "awslambdaric", "boto3", "pytest", "clients"])

    assert seen["modules"] == ["aws", "json", "awslambdaric"]


def test_a_function_gets_the_environment_of_aws_and_none_of_the_callers(aws: EmbeddedAws) -> None:
    function = a_function(aws, ENVIRONMENT, Environment={"Variables": {"TABLE": "jobs"}})

    environment = invoked(aws, function)["environment"]

    assert environment["TABLE"] == "jobs"
    assert environment["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert environment["AWS_REGION"] == "us-east-1"
    assert not {"PYTHONPATH", "VIRTUAL_ENV", "GATEWAY_PORT", "STATE_DIR"} & environment.keys()


def test_a_context_knows_its_function_and_how_long_it_has(aws: EmbeddedAws) -> None:
    function = a_function(aws, ENVIRONMENT, Timeout=7)

    seen = invoked(aws, function)

    assert (seen["function"], seen["arn"]) == (function.name, function.arn)
    assert 5000 < seen["remaining"] <= 7000


def test_each_function_has_credentials_of_its_own(aws: EmbeddedAws) -> None:
    one, other = (
        invoked(aws, a_function(aws, ENVIRONMENT))["environment"]["AWS_ACCESS_KEY_ID"]
        for _ in range(2)
    )

    assert one != other


def test_the_code_of_a_function_comes_before_that_of_its_layers(aws: EmbeddedAws) -> None:
    layers = [
        aws.client("lambda").publish_layer_version(
            LayerName=a_name("layer"), Content={"ZipFile": a_zip(files)}
        )["LayerVersionArn"]
        for files in (
            {"python/aws.py": "WHOSE = 'first layer'", "python/shared.py": "WHOSE = 'first'"},
            {"python/other.py": "WHOSE = 'second layer'", "python/shared.py": "WHOSE = 'second'"},
        )
    ]
    function = a_function(
        aws,
        """
        import aws, other, shared
        def handler(event, context):
            return [hasattr(aws, "WHOSE"), other.WHOSE, shared.WHOSE]
        """,
        Layers=layers,
    )

    # The layers are merged in their order: of two with the same file the later one wins.
    assert invoked(aws, function) == [False, "second layer", "second"]


def test_an_exception_is_answered_in_lambdas_shape_and_the_process_lives_on(
    aws: EmbeddedAws,
) -> None:
    function = a_function(
        aws,
        """
        import os
        def handler(event, context):
            if event:
                raise ValueError(event)
            return os.getpid()
        """,
    )
    process = invoked(aws, function)

    failed = aws.client("lambda").invoke(FunctionName=function.name, Payload=b'"no luck"')

    error = json.loads(failed["Payload"].read())
    assert failed["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no luck")
    assert invoked(aws, function) == process


def test_a_handler_that_takes_too_long_is_ended(aws: EmbeddedAws) -> None:
    function = a_function(
        aws,
        """
        import time
        def handler(event, context):
            time.sleep(event)
            return "awake"
        """,
        Timeout=1,
    )

    error = invoked(aws, function, 30)

    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert invoked(aws, function, 0) == "awake"


@pytest.mark.parametrize(
    ("way_out", "words"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_during_an_invocation_is_an_error_of_that_invocation(
    aws: EmbeddedAws, way_out: str, words: str
) -> None:
    function = a_function(
        aws,
        f"""
        import os
        def handler(event, context):
            if event == "end":
                {way_out}
            return "alive"
        """,
    )

    error = invoked(aws, function, "end")

    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith(words)
    assert invoked(aws, function) == "alive"


def test_a_module_that_cannot_be_imported_is_reported_with_its_reason(aws: EmbeddedAws) -> None:
    function = a_function(aws, "import no_such_module\ndef handler(event, context): ...")

    error = invoked(aws, function)

    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'no_such_module'" in error["errorMessage"]


def test_the_call_after_a_deployment_runs_the_new_code(aws: EmbeddedAws) -> None:
    function = a_function(aws, "def handler(event, context): return 'old'")
    assert invoked(aws, function) == "old"

    aws.client("lambda").update_function_code(
        FunctionName=function.name, ZipFile=code("def handler(event, context): return 'new'")
    )

    assert invoked(aws, function) == "new"


def test_invocations_of_one_function_run_at_the_same_time(aws: EmbeddedAws) -> None:
    function = a_function(
        aws,
        """
        import time
        def handler(event, context):
            begun = time.time()
            time.sleep(0.6)
            return [begun, time.time()]
        """,
    )

    with ThreadPoolExecutor(3) as threads:
        spans = list(threads.map(lambda _: invoked(aws, function), range(3)))

    assert max(begun for begun, _ in spans) < min(ended for _, ended in spans)


def test_reserved_concurrency_throttles(aws: EmbeddedAws) -> None:
    function = a_function(
        aws,
        """
        import time
        def handler(event, context):
            time.sleep(0.8)
            return "done"
        """,
    )
    aws.client("lambda").put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=1
    )
    first = threading.Thread(target=invoked, args=(aws, function))
    first.start()
    time.sleep(0.4)

    client = aws.client("lambda")
    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName=function.name)

    first.join()
    assert invoked(aws, function) == "done"


def test_what_a_handler_prints_is_in_the_log_of_its_function(aws: EmbeddedAws) -> None:
    function = a_function(
        aws,
        """
        import logging
        def handler(event, context):
            print("printed", event)
            logging.warning("logged")
        """,
    )
    invoked(aws, function, 42)
    invoked(aws, function, 43)

    path = aws.state / "logs" / f"{function.name}.log"
    log = until(lambda: path.read_text() if path.exists() else "", lambda text: "43" in text)

    assert "printed 42" in log
    assert "[WARNING]" in log
    assert "START RequestId: " in log
    assert "REPORT RequestId: " in log


def test_a_silent_handler_is_answered_in_milliseconds(aws: EmbeddedAws) -> None:
    function = a_function(aws, "def handler(event, context): return None")
    client = aws.client("lambda")
    client.invoke(FunctionName=function.name)

    def timed() -> float:
        begun = time.perf_counter()
        client.invoke(FunctionName=function.name)
        return time.perf_counter() - begun

    # Stock: 55 ms at best. The best of many, because this machine has other work, too.
    assert min(timed() for _ in range(20)) < 0.03
