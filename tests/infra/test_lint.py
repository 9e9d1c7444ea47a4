"""Nothing that cdk-nag or cfn-lint has to say stays unsaid, in any environment."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from aws_cdk import App, Stack, Validations
from aws_cdk.aws_s3 import Bucket
from cdk_nag import AwsSolutionsChecks

from infra_cdk.constructs.acknowledge import acknowledge
from tests.infra.synthesized import REGION, Synthesized


def test_cdk_nag_finds_nothing_that_was_not_acknowledged_with_a_reason(
    stacks: Synthesized,
) -> None:
    assert _findings(stacks.app) == {}


def test_cdk_nag_does_find_a_bucket_that_everybody_may_read_in_clear() -> None:
    app = App()
    Bucket(Stack(app, "Careless"), "Bucket")

    assert {"AwsSolutions-S1", "AwsSolutions-S10"} <= _findings(app).keys()


def test_an_acknowledgement_holds_for_its_rule_alone() -> None:
    app = App()
    bucket = Bucket(Stack(app, "Careless"), "Bucket")
    acknowledge(bucket, "AwsSolutions-S1", "Tested here.")

    assert _findings(app).keys() == {"AwsSolutions-S10"}


def test_every_acknowledgement_says_why(stacks: Synthesized) -> None:
    key = Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    reasons = [
        str(reason)
        for construct in stacks.app.node.find_all()
        for entry in construct.node.metadata
        if entry.type == key
        for reason in entry.data.values()
    ]

    assert reasons
    assert [reason for reason in reasons if len(reason) < 30] == []


def test_cfn_lint_finds_nothing(stacks: Synthesized) -> None:
    templates = sorted(str(path) for path in stacks.folder.glob("*.template.json"))
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--regions", REGION, "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(templates) == 2
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _findings(app: App) -> dict[str, Any]:
    report = AwsSolutionsChecks(app).validate_scope(app)
    return {
        violation.rule_name: [each.construct_path for each in violation.violating_resources]
        for violation in report.violations
    }
