"""What is remembered of a deployment, and what is told of one that failed."""

from pathlib import Path

import pytest

from clients.local.settings import find_settings
from clients.local.stack import Deployment, deployment, finish, gist

CDK = """(node:1) Warning: a page of text
 ⏳  Bootstrapping environment aws://0/us-east-1...
 ❌  Environment aws://0/us-east-1 failed bootstrapping: NoCredentials: Need credentials
    at SdkProvider.forEnvironment (index.js:303375:17) {
  source: 'user'
}
Unknown
"""
PYTHON = """Traceback (most recent call last):
  File "app.py", line 1, in <module>
    import nothing
ModuleNotFoundError: No module named 'nothing'

"""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            CDK,
            "Environment aws://0/us-east-1 failed bootstrapping: NoCredentials: Need credentials",
        ),
        (PYTHON, "ModuleNotFoundError: No module named 'nothing'"),
        ("Need credentials\n", "Need credentials"),
        ("  at nowhere\n", "it said nothing."),
        ("", "it said nothing."),
    ],
)
def test_a_tool_that_failed_is_told_in_the_one_line_that_says_why(said: str, why: str) -> None:
    assert gist(said) == why


def test_an_up_that_came_to_its_end_is_remembered_with_what_it_deployed(tmp_path: Path) -> None:
    settings = find_settings({"XYLEM_HOME": str(tmp_path)})
    settings.deployment.parent.mkdir()
    settings.deployment.write_text(Deployment(bootstrapped=True, assembly="a").model_dump_json())

    finish(settings)

    assert deployment(settings) == Deployment(bootstrapped=True, assembly="a", finished=True)
