import pytest

from xylem.domain.config import WorkflowConfig
from xylem.domain.ids import (
    GroupId,
    MailId,
    TaskName,
    WorkflowUuid,
    mail_id,
    mail_parts,
    pod_name,
    shard_of,
    task_uuid,
)
from xylem.domain.plan import Retries

GROUP = GroupId("f" + "a" * 31)


def test_the_first_digit_of_a_group_is_its_shard() -> None:
    assert [shard_of(GroupId(digit + "7" * 31)) for digit in "019af"] == [0, 1, 9, 10, 15]


def test_a_mailbox_row_is_named_by_its_group_incarnation_and_ordinal() -> None:
    assert mail_id(GROUP, 1, 23) == f"{GROUP}#000001#000023"
    assert mail_parts(mail_id(GROUP, 1, 23)) == (GROUP, 1, 23)
    with pytest.raises(ValueError, match="not enough values"):
        mail_parts(MailId("another"))


def test_every_attempt_has_a_pod_of_its_own_name() -> None:
    workflow, task = WorkflowUuid("e" * 32), TaskName("train")
    known = task_uuid(GROUP, task)

    name = pod_name(workflow, GROUP, task, retry=2, incarnation=1)

    assert name == f"{'e' * 16}-{known[:16]}-r2-1"
    assert (len(known), task_uuid(GROUP, TaskName("other")) == known) == (32, False)


def test_an_admin_sets_both_budgets_of_a_task() -> None:
    config = WorkflowConfig(max_retry_per_task=2, max_retry_disrupted=5)

    assert config.retries == Retries(disrupted=5, asked=2)
