import pytest

from tests.builders import a_group_plan, a_plan
from xylem.domain.ids import TaskName
from xylem.domain.plan import GroupPlan

PLAN = a_plan(a_group_plan("prepare"), a_group_plan("train", "prepare", tasks=2))
PREPARE, TRAIN = PLAN.groups


def test_a_plan_knows_its_groups_and_their_tasks_by_name() -> None:
    assert [PLAN.group(group.name) for group in PLAN.groups] == [PREPARE, TRAIN]
    assert [TRAIN.task(task.name) for task in TRAIN.tasks] == list(TRAIN.tasks)
    assert PLAN.group_of(TaskName("prepare")) is PREPARE
    assert PLAN.group_of(TaskName("train0")) is PLAN.group_of(TaskName("train1")) is TRAIN


def test_what_is_not_in_a_plan_is_not_found() -> None:
    with pytest.raises(KeyError):
        PLAN.group("train")
    with pytest.raises(KeyError):
        PLAN.group_of(TaskName("train"))
    with pytest.raises(KeyError):
        TRAIN.task(TaskName("prepare"))


@pytest.mark.parametrize(
    ("tasks", "barrier", "waits"),
    [(1, True, False), (2, True, True), (3, True, True), (2, False, False)],
)
def test_a_gang_waits_for_all_of_its_tasks_unless_its_spec_says_otherwise(
    tasks: int, barrier: bool, waits: bool
) -> None:
    gang = GroupPlan("train-group", a_group_plan("train", tasks=tasks).tasks, barrier=barrier)

    assert gang.waits_at_barrier is waits
