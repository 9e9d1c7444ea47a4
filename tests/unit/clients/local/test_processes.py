"""Whose process it is, told from its command line."""

from pathlib import Path

import pytest

from clients.local.parts import PartName, parts_of
from clients.local.processes import CDK, SUPERVISOR, is_leftover, role_of
from clients.local.settings import find_settings

SETTINGS = find_settings({"XYLEM_HOME": "/home/x/.xylem"})


@pytest.mark.parametrize("part", parts_of(SETTINGS), ids=lambda part: part.name.value)
def test_each_part_is_known_by_the_command_that_starts_it(part: object) -> None:
    found = next(each for each in parts_of(SETTINGS) if each is part or each == part)

    assert role_of(found.command) == found.name


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (
            ["/v/bin/python", "-m", "supervisor.supervisord", "-c", "/h/supervisord.conf"],
            SUPERVISOR,
        ),
        (["node", "/r/node_modules/aws-cdk/bin/cdk", "deploy", "--all"], CDK),
        (["/v/bin/python", "-m", "infra_cdk.app"], CDK),
        (["/v/bin/python", "-m", "operators.desk_cluster", "stop", "--state", "/h"], None),
        (["/r/build/native/x86_64/desk-shim", "--", "sh"], None),
        (["python", "-m", "operators.backup"], None),
        (["vim", "operators"], None),
        ([], None),
    ],
)
def test_a_role_is_told_from_the_command_line(command: list[str], role: str | None) -> None:
    assert role_of(command) == role


def test_parts_without_their_supervisor_are_left_over_and_a_cdk_always_is() -> None:
    assert is_leftover(PartName.AWS, supervised=False)
    assert not is_leftover(PartName.AWS, supervised=True)
    assert is_leftover(CDK, supervised=True)


def test_a_task_of_the_cluster_is_nobodys_leftover() -> None:
    assert not is_leftover(role_of([str(Path("/bin/sh")), "-c", "sleep 9"]), supervised=False)
