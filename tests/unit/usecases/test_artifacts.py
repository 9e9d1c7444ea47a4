"""What tasks left in the store: whole, of the newest attempt, and led to by page."""

import pytest

from tests.stories.test_again import GANG, preempt, up
from tests.stories.world import World
from xylem.domain.errors import InvalidRequest, UnknownTask, UnknownWorkflow
from xylem.memory.blobs import MemoryBlobs
from xylem.usecases import artifacts


class Ended:
    """A gang whose `lead` was tried again, and ended, while `side` still runs."""

    def __init__(self) -> None:
        self.world = World()
        self.data = MemoryBlobs()
        self.name = self.world.submit(GANG)
        self.world.settle()
        up(self.world, self.name, "lead", "side")
        preempt(self.world, self.name, "lead")
        self.world.settle()

    def puts(self, *keys: str) -> None:
        for key in keys:
            self.data.put(f"data/{key}", key.encode())

    def page(self, name: str = "", **wanted: str | None) -> artifacts.Artifacts:
        workflows = self.world.workflows
        return artifacts.page(name or self.name, workflows=workflows, data=self.data, **wanted)


def test_artifacts_are_of_the_newest_attempt_of_tasks_that_ended() -> None:
    it = Ended()
    it.puts(f"{it.name}/lead/0/half", f"{it.name}/lead/1/deep/whole", f"{it.name}/side/0/half")
    it.world.up(it.name, "lead")
    it.world.exit(it.name, "lead", 0)
    it.world.settle()

    found = it.page().artifacts

    assert [(one.task, one.retry, one.path) for one in found if one.task == "lead"] == [
        ("lead", 1, "deep/whole")
    ]
    assert found[0].url.startswith(f"memory://get/data/{it.name}/lead/1/deep/whole")


def test_nothing_of_a_workflow_that_runs_is_an_artifact_yet() -> None:
    it = Ended()
    it.puts(f"{it.name}/lead/0/a", f"{it.name}/lead/1/a", f"{it.name}/side/0/a")

    assert it.page().artifacts == ()


def test_artifacts_of_another_workflow_with_a_longer_name_are_not_its() -> None:
    it = Ended()
    it.puts(f"{it.name}0/lead/1/a")

    assert it.page() == artifacts.Artifacts((), None)


def test_many_artifacts_come_by_page() -> None:
    it = Ended()
    it.world.up(it.name, "lead")
    it.world.exit(it.name, "lead", 0)
    it.world.settle()
    retry = it.world.task(it.name, "lead").retry
    it.puts(*(f"{it.name}/lead/{retry}/{number:04}" for number in range(artifacts.PAGE_FILES + 1)))

    first = it.page(task="lead")
    second = it.page(task="lead", cursor=first.cursor)

    paths = [one.path for page in (first, second) for one in page.artifacts]
    assert paths == [f"{number:04}" for number in range(artifacts.PAGE_FILES + 1)]
    assert second.cursor is None


def test_a_cursor_leads_into_no_other_workflow() -> None:
    it = Ended()

    with pytest.raises(InvalidRequest, match="begin without it"):
        it.page(cursor="data/another-1/lead/0/a")
    with pytest.raises(UnknownTask):
        it.page(task="../another-1")
    with pytest.raises(UnknownWorkflow):
        it.page("no-such-1")
