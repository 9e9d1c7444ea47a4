"""What a function imports it pays for at every cold start; so some do without."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "XYLEM_ENVIRONMENT": "local",
    "POWERTOOLS_SERVICE_NAME": "test",
    "BACKENDS_TABLE": "backends",
    "CONNECTIONS_TABLE": "connections",
    "WORKFLOWS_TABLE": "workflows",
    "CONFIGS_TABLE": "configs",
    "IDENTITY_TABLE": "identity",
    "KEYS_PATH": "/keys",
    "STORE_BUCKET": "store",
    "NEWS_QUEUE_URL": "https://sqs.test/news",
    "JOBS_QUEUE_URL": "https://sqs.test/jobs",
    "TIMERS_QUEUE_URL": "https://sqs.test/timers",
    "CONNECTIONS_ENDPOINT": "https://sockets.test/live",
}
HEAVY = {
    "aws_encryption_sdk",
    "aws_xray_sdk",
    "boto3",
    "cryptography",
    "fastapi",
    "jwt",
    "s3transfer",
}
ENGINE = {"xylem.domain.group", "xylem.domain.plan", "xylem.domain.placement"}
OF_WORKFLOWS = {"xylem_aws.tables.workflows", "xylem_aws.tables.logs"}

SHOW = """
import json, sys
from {handler} import handler
from xylem_aws.bootstrap import ports
for name in {ports}:
    getattr(ports(), name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(
    ("handler", "ports", "without"),
    [
        (
            "functions.agent.ingest",
            ["backends", "links", "news"],
            HEAVY | ENGINE | OF_WORKFLOWS | {"pydantic"},
        ),
        (
            "functions.connections.handler",
            ["connections"],
            HEAVY | ENGINE | OF_WORKFLOWS | {"pydantic", "xylem_aws.tables.backends"},
        ),
        (
            "functions.router.handler",
            ["links"],
            HEAVY | ENGINE | {"pydantic", "pynamodb"},
        ),
        ("functions.agent.handler", ["workflows", "backends", "doorbell", "alarm", "store"], HEAVY),
        ("functions.worker.handler", ["workflows", "jobs", "credentials"], HEAVY),
        (
            "functions.core_service.handler",
            ["workflows", "pools", "credentials"],
            {"aws_encryption_sdk", "boto3", "cryptography", "pydantic.v1", "xylem.spec"},
        ),
        (
            "functions.delayed_job_monitor.sweep",
            ["jobs", "timers", "backends", "doorbell", "alarm"],
            HEAVY,
        ),
        ("functions.delayed_job_monitor.timers", ["workflows", "backends", "alarm"], HEAVY),
    ],
)
def test_a_function_imports_nothing_that_it_does_not_use(
    handler: str, ports: list[str], without: set[str]
) -> None:
    assert not without & modules_after(SHOW.format(handler=handler, ports=ports))


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("xylem_aws.task_tokens", {"cryptography"}),
        ("functions.core_service.routes.service", {"botocore", "xylem.domain.group", "xylem.spec"}),
        ("functions.core_service.routes.workflows", {"xylem.spec", "xylem.usecases.apply"}),
        ("functions.core_service.routes.submission", {"jinja2"}),
    ],
)
def test_a_module_imports_nothing_that_few_of_its_callers_need(
    module: str, without: set[str]
) -> None:
    assert not without & modules_after(
        f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    )


def modules_after(script: str) -> set[str]:
    """What a process has imported, as its script prints it at its end."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))
