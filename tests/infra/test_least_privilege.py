"""Each function may do what its component does, to what that was told of: no more, no less.

Whether a function does use each of its rights only a run can tell: see `infra_cdk/policies.py`.
"""

import re

import pytest

from infra_cdk.policies import UNSEEN, Permission, Unseen
from tests.infra.synthesized import Synthesized

# A setting, and the part of an ARN that a function which has it may touch ($: its end).
TOLD_OF = {
    "WORKFLOWS_TABLE": "table/xylem-{0}-workflows",
    "BACKENDS_TABLE": "table/xylem-{0}-backends",
    "LOGS_TABLE": "table/xylem-{0}-logs",
    "IDENTITY_TABLE": "table/xylem-{0}-identity",
    "CONFIGS_TABLE": "table/xylem-{0}-configs",
    "CATALOG_TABLE": "table/xylem-{0}-catalog",
    "CONNECTIONS_TABLE": "table/xylem-{0}-connections",
    "JOBS_QUEUE_URL": ":xylem-{0}-jobs$",
    "DEAD_JOBS_QUEUE_URL": ":xylem-{0}-jobs-dead$",
    "NEWS_QUEUE_URL": ":xylem-{0}-news$",
    "DEAD_NEWS_QUEUE_URL": ":xylem-{0}-news-dead$",
    "TIMERS_QUEUE_URL": ":xylem-{0}-timers$",
    "DEAD_TIMERS_QUEUE_URL": ":xylem-{0}-timers-dead$",
    "STORE_BUCKET": ":::xylem-{0}-store-",
    "DATA_BUCKET": ":::xylem-{0}-data-",
    "DATASETS_BUCKET": ":::xylem-{0}-datasets-",
    "CONNECTIONS_ENDPOINT": "/@connections/",
    "KEYS_PATH": "parameter/xylem/{0}/keys/",
}


def test_no_function_may_do_everything(stacks: Synthesized) -> None:
    actions = {each.action for each in _all(stacks)}

    assert [action for action in actions if "*" in action] == []


def test_only_traces_have_no_resource(stacks: Synthesized) -> None:
    unbounded = {each.action for each in _all(stacks) if each.resource == "*"}

    assert unbounded <= {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


def test_a_pattern_ends_a_resource_and_never_begins_it(stacks: Synthesized) -> None:
    patterns = {each.resource for each in _all(stacks) if "*" in each.resource}
    allowed = re.compile(
        r"\*|arn:aws:s3:::[a-z0-9-]+/([a-z]+/)?\*"
        r"|.*:log-group:[^*]+:\*|.*/live/(POST|DELETE)/@connections/\*"
        r"|arn:aws:ses:[a-z0-9-]+:\d+:identity/\*"
    )

    assert [pattern for pattern in patterns if not allowed.fullmatch(pattern)] == []


def test_every_function_has_a_role_of_its_own(stacks: Synthesized) -> None:
    roles = [str(each["Role"]) for each in stacks.functions.values()]

    assert len(set(roles)) == len(roles)


def test_a_function_is_told_of_exactly_what_it_may_touch(stacks: Synthesized) -> None:
    environment = stacks.environment.name
    for name, function in stacks.functions.items():
        told = {key for key in function["Environment"]["Variables"] if key in TOLD_OF}
        touched = {
            key
            for key, part in TOLD_OF.items()
            if any(
                part.format(environment) in f"{each.resource}$" for each in stacks.permissions[name]
            )
        }
        assert (name, told) == (name, touched)


def test_no_function_may_scan_a_table_or_change_its_settings(stacks: Synthesized) -> None:
    on_tables = {each.action for each in _all(stacks) if each.action.startswith("dynamodb:")}

    assert on_tables <= {
        "dynamodb:BatchGetItem",  # the Core Service reads pools with all that they name
        "dynamodb:BatchWriteItem",  # the Worker takes away what was laid of no workflow
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    }


def test_only_who_gives_a_token_for_an_access_token_reads_the_key_that_signs(
    stacks: Synthesized,
) -> None:
    assert _who_may(stacks, "ssm:GetParameter", "/keys/signing") == {"core-service"}


def test_only_the_authorizers_read_the_half_that_checks_tokens(stacks: Synthesized) -> None:
    assert _who_may(stacks, "ssm:GetParameter", "/keys/verifying") == {
        "authorizer-http",
        "authorizer-websocket",
    }


def test_only_who_signs_or_checks_tasks_tokens_reads_their_key(stacks: Synthesized) -> None:
    assert _who_may(stacks, "ssm:GetParameter", "/keys/hmac") == {"worker", "logger"}
    sessions = _who_may(stacks, "ssm:GetParameter", "/keys/sessions")
    assert sessions == {"core-service", "router"}


def test_only_who_seals_or_opens_users_secrets_reads_their_key(stacks: Synthesized) -> None:
    """The Logger opens what the Worker sealed for it beside the logs, who pushes mail opens that;
    neither reaches a credential."""
    readers = _who_may(stacks, "ssm:GetParameter", "/keys/credentials")
    assert readers == {"core-service", "worker", "logger", "agent", "delayed-job-monitor"}


def test_only_the_worker_gets_a_sealed_secret_and_nobody_puts_one_but_who_keeps_users(
    stacks: Synthesized,
) -> None:
    """A policy does not tell a user's row from his credential's; the authorizers keep whom an
    identity provider knows, and have no key that seals."""
    authorizers = {"authorizer-http", "authorizer-websocket"}

    assert _who_may(stacks, "dynamodb:GetItem", "-identity") == {"worker"}
    assert _who_may(stacks, "dynamodb:PutItem", "-identity") == {"core-service", *authorizers}
    assert not authorizers & _who_may(stacks, "ssm:GetParameter", "/keys/credentials")


def test_the_authorizers_touch_nothing_but_keys_users_roles_and_what_was_decided_about_a_backend(
    stacks: Synthesized,
) -> None:
    of_all = {
        ("ssm:GetParameter", "verifying"),
        ("ssm:GetParameter", "providers"),
        ("dynamodb:Query", "identity"),
        ("dynamodb:PutItem", "identity"),
        ("dynamodb:DeleteItem", "identity"),
        ("dynamodb:BatchGetItem", "configs"),
    }
    of_sockets = {*of_all, ("dynamodb:GetItem", "backends")}
    for name, rights in (("authorizer-http", of_all), ("authorizer-websocket", of_sockets)):
        assert {
            (each.action, re.split("[-/]", each.resource)[-1])
            for each in stacks.permissions[name]
            if each.action.split(":")[0] not in {"logs", "xray"}
        } == rights


def test_what_tasks_wrote_is_read_by_the_logger_alone(stacks: Synthesized) -> None:
    data = f":::xylem-{stacks.environment.name}-data-"

    assert {
        name
        for name, permissions in stacks.permissions.items()
        if any(data in each.resource for each in permissions)
    } == {"logger"}


def test_objects_are_deleted_by_who_merges_logs_and_who_cleans_datasets(
    stacks: Synthesized,
) -> None:
    datasets = f":::xylem-{stacks.environment.name}-datasets-"
    deletes = [each for each in _all(stacks) if each.action.startswith("s3:Delete")]
    of_logs = [each for each in deletes if each.resource.endswith("/logs/*")]

    assert _who_may(stacks, "s3:DeleteObject", "/logs/*") == {"worker"}
    assert of_logs
    assert [each for each in deletes if each not in of_logs and datasets not in each.resource] == []


def test_datasets_are_written_for_people_and_for_tasks_alone(stacks: Synthesized) -> None:
    assert _who_may(stacks, "s3:PutObject", "-datasets-") == {"core-service", "logger"}


def test_the_schedule_may_start_one_function(stacks: Synthesized) -> None:
    (role,) = (
        each
        for name, each in stacks.all("AWS::IAM::Role").items()
        if "scheduler.amazonaws.com" in str(each["Properties"]["AssumeRolePolicyDocument"])
    )
    (policy,) = role["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]

    assert statement["Action"] == "lambda:InvokeFunction"
    assert "Arn" in statement["Resource"]["Fn::GetAtt"]


@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda each: f"{each.who}-{each.action}")
def test_every_stated_reason_is_still_needed(
    unseen: Unseen, dev: Synthesized, prod: Synthesized
) -> None:
    explained = [
        permission
        for stacks in (dev, prod)
        for name, permissions in stacks.permissions.items()
        for permission in permissions
        if unseen.explains(f"xylem-{stacks.environment.name}-{name}", permission)
    ]

    assert explained


def _all(stacks: Synthesized) -> set[Permission]:
    return set().union(*stacks.permissions.values())


def _who_may(stacks: Synthesized, action: str, part: str) -> set[str]:
    return {
        name
        for name, permissions in stacks.permissions.items()
        if any(each.action == action and part in each.resource for each in permissions)
    }
