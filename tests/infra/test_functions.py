"""Functions, queues, routes and alarms: each as its component's contract says, and no others."""

from typing import Any

import pytest

from infra_cdk.environments import Embedded
from layers.vendor.platforms import LOCAL
from tests.infra.synthesized import ACCOUNT, REGION, Synthesized

HANDLERS = {
    "agent": "functions.agent.handler.handler",
    "agent-ingest": "functions.agent.ingest.handler",
    "authorizer-http": "functions.authorizer.handler.http",
    "authorizer-websocket": "functions.authorizer.handler.websocket",
    "connections": "functions.connections.handler.handler",
    "core-service": "functions.core_service.handler.handler",
    "delayed-job-monitor": "functions.delayed_job_monitor.sweep.handler",
    "delayed-job-monitor-timers": "functions.delayed_job_monitor.timers.handler",
    "logger": "functions.logger.handler.handler",
    "router": "functions.router.handler.handler",
    "worker": "functions.worker.handler.handler",
}

# Started by the Scheduler: nobody waits for it, and it is no part of anybody's request.
SWEEP = "delayed-job-monitor"

# Which function each queue is answered by.
QUEUES = {"jobs": "worker", "news": "agent", "timers": "delayed-job-monitor-timers"}

# Route of the HTTP API: (function, asks the authorizer).
HTTP_ROUTES = {
    "ANY /api/{proxy+}": ("core-service", True),
    "GET /health": ("core-service", False),
    "GET /client/version": ("core-service", False),
    "GET /api/version": ("core-service", False),
    "GET /api/auth/login": ("core-service", False),
    "GET /api/auth/keys": ("core-service", False),
    "GET /api/auth/jwt/access_token": ("core-service", False),
    "POST /api/auth/jwt/access_token": ("core-service", False),
    "GET /api/auth/jwt/refresh_token": ("core-service", False),
    "POST /api/auth/jwt/refresh_token": ("core-service", False),
    "GET /api/workflow/{name}/logs": ("logger", True),
    "GET /api/workflow/{name}/logs/follow": ("logger", True),
    "GET /api/workflow/{name}/error_logs": ("logger", True),
    "GET /api/workflow/{name}/artifacts": ("logger", True),
    "ANY /runtime/{proxy+}": ("logger", False),
}

WEBSOCKET_ROUTES = {
    "$connect": ("connections", True),
    "$disconnect": ("connections", False),
    "$default": ("connections", False),
    "agent": ("agent-ingest", False),
    "router": ("router", False),
}

# docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
WEBSOCKET_INTEGRATION_SECONDS = 29

# docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_SETTINGS = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}


def test_every_component_has_its_functions(stacks: Synthesized) -> None:
    assert {name: each["Handler"] for name, each in stacks.functions.items()} == HANDLERS


def test_a_function_ends_before_whoever_waits_for_it_gives_up(stacks: Synthesized) -> None:
    timeouts = {name: each["Timeout"] for name, each in stacks.functions.items()}

    assert timeouts.pop(SWEEP) < 2 * 60, "of two that overlap, each does what the other left"
    assert max(timeouts.values()) <= WEBSOCKET_INTEGRATION_SECONDS


def test_every_log_ends_some_day(stacks: Synthesized) -> None:
    logs = stacks.all("AWS::Logs::LogGroup")
    of_functions = {each["LoggingConfig"]["LogGroup"]["Ref"] for each in stacks.functions.values()}

    assert len(of_functions) == len(HANDLERS)
    assert of_functions < logs.keys()
    assert all(log["Properties"]["RetentionInDays"] > 0 for log in logs.values())


def test_no_setting_has_a_name_that_lambda_keeps_for_itself(stacks: Synthesized) -> None:
    settings = {name for each in stacks.functions.values() for name in _settings(each)}

    assert settings & RESERVED_SETTINGS == set()


def test_aws_runs_arm_and_the_embedded_stack_this_machine(
    local: Synthesized, dev: Synthesized, prod: Synthesized
) -> None:
    assert _runs_on(local) == {(LOCAL.machine, f"python{LOCAL.python}")}
    assert _runs_on(dev) == _runs_on(prod) == {("arm64", "python3.13")}


def test_functions_are_traced_in_dev_but_for_the_sweep(
    local: Synthesized, dev: Synthesized, prod: Synthesized
) -> None:
    for untraced in (local, prod):
        assert not [name for name, each in untraced.functions.items() if "TracingConfig" in each]
    traced = {name for name, each in dev.functions.items() if "TracingConfig" in each}
    assert dev.functions.keys() - traced == {SWEEP}
    assert {dev.functions[name]["TracingConfig"]["Mode"] for name in traced} == {"Active"}


def test_prod_keeps_the_operators_way_in_free_of_long_polls(prod: Synthesized) -> None:
    reserved = {
        name: each["ReservedConcurrentExecutions"]
        for name, each in prod.functions.items()
        if "ReservedConcurrentExecutions" in each
    }

    assert reserved == dict(prod.environment.reserved_concurrency)
    # An account keeps 100 of its 1,000 for functions that reserve nothing
    # (docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
    assert sum(reserved.values()) <= 900


def test_a_new_account_of_ten_concurrent_executions_can_hold_dev(dev: Synthesized) -> None:
    assert [each for each in dev.functions.values() if "ReservedConcurrentExecutions" in each] == []


def test_a_queue_takes_no_more_concurrency_than_its_function_reserved(prod: Synthesized) -> None:
    for function in ("agent", "worker"):
        reserved = prod.environment.reserved_concurrency[function]
        assert prod.environment.queue_concurrency <= reserved


# Queues ----------------------------------------------------------------------------------------


def test_a_message_that_kills_its_function_ends_in_the_dead_letters(stacks: Synthesized) -> None:
    queues = _queues(stacks)
    for name in QUEUES:
        redrive = queues[name]["RedrivePolicy"]
        assert redrive["maxReceiveCount"] >= 3
        assert _logical_id(stacks, f"{name}-dead") in str(redrive["deadLetterTargetArn"])


def test_a_message_comes_back_fifteen_seconds_after_its_function_can_still_run(
    stacks: Synthesized,
) -> None:
    timeouts = {name: _timeout(stacks, function) for name, function in QUEUES.items()}
    found = {name: _queues(stacks)[name]["VisibilityTimeout"] for name in timeouts}

    assert found == {name: timeout + 15 for name, timeout in timeouts.items()}


def test_a_dead_letter_stays_for_two_weeks(stacks: Synthesized) -> None:
    two_weeks = 14 * 24 * 3600
    dead = [each for name, each in _queues(stacks).items() if name.endswith("-dead")]

    assert [each["MessageRetentionPeriod"] for each in dead] == [two_weeks] * len(QUEUES)


def test_every_queue_is_a_standard_queue(stacks: Synthesized) -> None:
    assert [name for name, each in _queues(stacks).items() if "FifoQueue" in each] == []


def test_a_bad_message_fails_alone_and_no_message_waits_for_a_batch(stacks: Synthesized) -> None:
    sources = stacks.properties("AWS::Lambda::EventSourceMapping")

    assert len(sources) == len(QUEUES)
    for source in sources:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["BatchSize"] == 10
        assert "MaximumBatchingWindowInSeconds" not in source
        assert source["ScalingConfig"] == {
            "MaximumConcurrency": stacks.environment.queue_concurrency
        }


def test_a_sweep_that_failed_is_left_to_the_next_one(stacks: Synthesized) -> None:
    (schedule,) = stacks.properties("AWS::Scheduler::Schedule")
    (invoke,) = stacks.properties("AWS::Lambda::EventInvokeConfig")

    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert invoke["MaximumRetryAttempts"] == 0


# APIs ------------------------------------------------------------------------------------------


def test_the_http_api_serves_these_routes_and_leaves_open_only_what_must_be(
    stacks: Synthesized,
) -> None:
    assert _routes(stacks, "HTTP") == HTTP_ROUTES


def test_a_socket_is_authorized_when_it_opens(stacks: Synthesized) -> None:
    assert _routes(stacks, "WEBSOCKET") == WEBSOCKET_ROUTES


def test_a_frame_says_whom_it_is_for(stacks: Synthesized) -> None:
    apis = stacks.properties("AWS::ApiGatewayV2::Api")
    (websocket,) = (api for api in apis if api["ProtocolType"] == "WEBSOCKET")

    assert websocket["RouteSelectionExpression"] == "$request.body.to"


def test_aws_asks_about_a_token_once_a_minute(dev: Synthesized) -> None:
    authorizer = _http_authorizer(dev)

    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert authorizer["EnableSimpleResponses"] is True


def test_the_embedded_stack_asks_each_time_for_a_user_may_be_named_in_another_header(
    local: Synthesized,
) -> None:
    authorizer = _http_authorizer(local)

    assert authorizer["IdentitySource"] == []
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0


def test_every_stage_is_throttled(stacks: Synthesized) -> None:
    stages = stacks.properties("AWS::ApiGatewayV2::Stage")

    assert {stage["StageName"] for stage in stages} == {"$default", "live"}
    for stage in stages:
        assert stage["DefaultRouteSettings"] == {
            "ThrottlingRateLimit": stacks.environment.throttle.rate,
            "ThrottlingBurstLimit": stacks.environment.throttle.burst,
        }


def test_no_token_is_written_to_the_access_log(stacks: Synthesized) -> None:
    (log,) = (
        stage["AccessLogSettings"]
        for stage in stacks.properties("AWS::ApiGatewayV2::Stage")
        if "AccessLogSettings" in stage
    )

    assert "header" not in log["Format"].lower()


def test_the_embedded_stack_has_the_addresses_that_its_endpoint_determines(
    local: Synthesized,
) -> None:
    embedded = Embedded()

    assert {_settings(each).get("API_URL") for each in local.functions.values()} == {
        None,
        embedded.api_url,
    }
    assert _settings(local.functions["worker"])["CONNECTIONS_ENDPOINT"] == (
        embedded.connections_endpoint
    )
    ids = {api["Tags"]["ms-custom-id"] for api in local.properties("AWS::ApiGatewayV2::Api")}
    assert ids == {"xylemhttp", "xylemws"}


def test_aws_has_the_addresses_of_its_own_apis(dev: Synthesized) -> None:
    worker = _settings(dev.functions["worker"])
    http, websocket = (_api(dev, protocol) for protocol in ("HTTP", "WEBSOCKET"))

    assert dev.text(worker["API_URL"]) == f"<{http}.ApiEndpoint>"
    assert dev.text(worker["CONNECTIONS_ENDPOINT"]) == (
        f"https://<{websocket}>.execute-api.{REGION}.<AWS::URLSuffix>/live"
    )


def test_the_outputs_name_whatever_a_client_or_an_operator_needs(stacks: Synthesized) -> None:
    environment = stacks.environment.name
    outputs = {
        name: stacks.text(output["Value"])
        for name, output in stacks.control_plane["Outputs"].items()
    }

    assert outputs["KeysPath"] == f"/xylem/{environment}/keys"
    assert outputs["StoreBucket"] == f"xylem-{environment}-store-{ACCOUNT}-{REGION}"
    assert outputs["WorkflowsTable"] == f"xylem-{environment}-workflows"
    assert outputs["WebSocketUrl"].startswith("ws")
    assert len([name for name in outputs if name.endswith("Table")]) == 7


# Alarms ----------------------------------------------------------------------------------------


def test_an_alarm_tells_of_dead_letters_of_errors_and_of_messages_that_wait(
    stacks: Synthesized,
) -> None:
    alarms = stacks.properties("AWS::CloudWatch::Alarm")
    prefix = f"xylem-{stacks.environment.name}-"

    assert {alarm["AlarmName"].removeprefix(prefix): alarm["MetricName"] for alarm in alarms} == {
        "JobsDead": "ApproximateNumberOfMessagesVisible",
        "JobsOld": "ApproximateAgeOfOldestMessage",
        "NewsDead": "ApproximateNumberOfMessagesVisible",
        "NewsOld": "ApproximateAgeOfOldestMessage",
        "TimersDead": "ApproximateNumberOfMessagesVisible",
        "HttpErrors": "5xx",
        "WebSocketErrors": "IntegrationError",
        "SweepErrors": "Errors",
        "SweepSilent": "Invocations",
    }


def test_every_alarm_reaches_the_topic_and_cloudwatch_may_publish_to_it(
    stacks: Synthesized,
) -> None:
    (topic,) = stacks.all("AWS::SNS::Topic")
    (policy,) = stacks.properties("AWS::SNS::TopicPolicy")
    may_publish = [
        statement["Principal"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and statement["Action"] == "sns:Publish"
    ]

    assert may_publish == [{"Service": "cloudwatch.amazonaws.com"}]
    for alarm in stacks.properties("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == [{"Ref": topic}]


def test_only_the_sweeps_silence_is_bad_news(stacks: Synthesized) -> None:
    breaching = [
        alarm["AlarmName"]
        for alarm in stacks.properties("AWS::CloudWatch::Alarm")
        if alarm["TreatMissingData"] == "breaching"
    ]

    assert breaching == [f"xylem-{stacks.environment.name}-SweepSilent"]


@pytest.mark.parametrize("stack", ["data", "control_plane"])
def test_a_template_is_small_enough_to_be_sent(stacks: Synthesized, stack: str) -> None:
    # docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    limit_by_s3, resources_limit = 1_000_000, 500
    template = getattr(stacks, stack)

    assert len(str(template)) < limit_by_s3 / 5
    assert len(template["Resources"]) < resources_limit / 2


def _settings(function: Any) -> dict[str, Any]:
    settings: dict[str, Any] = function["Environment"]["Variables"]
    return settings


def _runs_on(stacks: Synthesized) -> set[tuple[str, str]]:
    functions = stacks.functions.values()
    return {(each["Architectures"][0], each["Runtime"]) for each in functions}


def _queues(stacks: Synthesized) -> dict[str, Any]:
    prefix = f"xylem-{stacks.environment.name}-"
    return {
        each["QueueName"].removeprefix(prefix): each
        for each in stacks.properties("AWS::SQS::Queue")
    }


def _logical_id(stacks: Synthesized, queue: str) -> str:
    full = f"xylem-{stacks.environment.name}-{queue}"
    (name,) = (
        name
        for name, each in stacks.all("AWS::SQS::Queue").items()
        if each["Properties"]["QueueName"] == full
    )
    return name


def _timeout(stacks: Synthesized, function: str) -> int:
    return int(stacks.functions[function]["Timeout"])


def _api(stacks: Synthesized, protocol: str) -> str:
    (name,) = (
        name
        for name, each in stacks.all("AWS::ApiGatewayV2::Api").items()
        if each["Properties"]["ProtocolType"] == protocol
    )
    return name


def _routes(stacks: Synthesized, protocol: str) -> dict[str, tuple[str, bool]]:
    """Route key: (function, asks the authorizer)."""
    api = {"Ref": _api(stacks, protocol)}
    integrations = stacks.all("AWS::ApiGatewayV2::Integration")
    functions = stacks.all("AWS::Lambda::Function")
    prefix = f"xylem-{stacks.environment.name}-"
    found = {}
    for route in stacks.properties("AWS::ApiGatewayV2::Route"):
        if route["ApiId"] != api:
            continue
        target = stacks.text(route["Target"]).removeprefix("integrations/").strip("<>")
        uri = stacks.text(integrations[target]["Properties"]["IntegrationUri"])
        (function,) = (each for name, each in functions.items() if f"<{name}.Arn>" in uri)
        name = function["Properties"]["FunctionName"].removeprefix(prefix)
        found[route["RouteKey"]] = (name, route.get("AuthorizationType", "NONE") == "CUSTOM")
    return found


def _http_authorizer(stacks: Synthesized) -> Any:
    api = {"Ref": _api(stacks, "HTTP")}
    (authorizer,) = (
        each for each in stacks.properties("AWS::ApiGatewayV2::Authorizer") if each["ApiId"] == api
    )
    return authorizer
