"""Where a pod's files lie: by its token alone, whatever it asks for."""

from uuid import UUID, uuid5

import pytest

from tests.builders import an_attempt
from tests.stories.world import World
from xylem.domain.errors import Forbidden, InvalidRequest
from xylem.domain.ids import TaskName, WorkflowId, task_uuid
from xylem.domain.plan import DatasetInput
from xylem.memory.blobs import MemoryBlobs
from xylem.ports.task_tokens import Attempt
from xylem.protocol.runtime import InputPage, InputQuery, OutputFile, OutputQuery
from xylem.usecases import runtime

REGEX = "__REGEX__"
CHAIN = f"""
workflow:
  name: chain
  tasks:
  - {{name: first, image: alpine, command: ["true"]}}
  - {{name: second, image: alpine, command: ["true"], inputs: [{{task: first, regex: '{REGEX}'}}]}}
"""


def _no_dataset(given: DatasetInput) -> InputPage:
    raise AssertionError(f"no task here reads {given}")


class Chain:
    """`first` has completed and left files, `second` may read them."""

    def __init__(self, regex: str, *left: str) -> None:
        self.world = World()
        self.data = MemoryBlobs()
        self.name: WorkflowId = self.world.submit(CHAIN.replace(REGEX, regex))
        self.world.settle()
        self.world.up(self.name, "first")
        self.world.exit(self.name, "first", 0)
        self.world.settle()
        for path in left:
            self.data.put(f"data/{self.name}/first/0/{path}", b"x")

    def inputs(self, task: str, index: int = 0) -> list[str]:
        group = self.world.group(self.name, f"{task}-group")
        attempt = Attempt(self.name, group.id, group.incarnation, TaskName(task), 0)
        page = runtime.inputs(
            attempt,
            InputQuery(index=index),
            workflows=self.world.workflows,
            store=self.world.store,
            data=self.data,
            of_dataset=_no_dataset,
        )
        return [file.path for file in page.files]


def test_an_input_is_what_its_regex_finds_of_the_attempt_that_completed() -> None:
    chain = Chain(r"\.csv$", "a.csv", "deep/b.csv", "c.txt")
    chain.data.put(f"data/{chain.name}/first/1/of-another-attempt.csv", b"x")

    assert chain.inputs("second") == ["a.csv", "deep/b.csv"]


def test_the_tokens_of_a_stored_regex_have_their_values() -> None:
    chain = Chain(r"^{{workflow_id}}/|^{{uuid}}$|^{{host:second}}$", "chain-1/a", "other/a")
    group = chain.world.group(chain.name, "second-group")
    uuid = chain.world.look(chain.name).workflow.uuid
    of_task = str(uuid5(UUID(uuid), "second"))
    host = f"{task_uuid(group.id, TaskName('second'))}.osmo-{group.id}-{group.incarnation}"
    for name in (of_task, host):
        chain.data.put(f"data/{chain.name}/first/0/{name}", b"x")

    assert sorted(chain.inputs("second")) == sorted(["chain-1/a", of_task, host])


def test_a_regex_that_never_ends_is_refused_and_holds_nobody_up() -> None:
    chain = Chain("^(a+)+$", "a" * 60 + "!")

    with pytest.raises(InvalidRequest, match="takes too much time on names like"):
        chain.inputs("second")


@pytest.mark.parametrize(("task", "index"), [("first", 0), ("second", 1)])
def test_a_task_reads_no_input_of_another(task: str, index: int) -> None:
    with pytest.raises(InvalidRequest, match=f"Task {task} has"):
        Chain("", "a").inputs(task, index)


def test_a_token_opens_nothing_of_a_task_in_another_group_or_of_an_attempt_that_was_replaced() -> (
    None
):
    chain = Chain("", "a")
    first = chain.world.group(chain.name, "first-group")
    mixed = Attempt(chain.name, first.id, first.incarnation, TaskName("second"), 0)
    later = Attempt(chain.name, first.id, first.incarnation, TaskName("first"), 1)

    for attempt, says in ((mixed, "There is no task second"), (later, "was replaced by another")):
        with pytest.raises(Forbidden, match=says):
            runtime.live_attempt(attempt, chain.world.workflows)


@pytest.mark.parametrize(
    "path", ["../other/0/a", "/etc/passwd", "a/../../b", ".", "..", "a//b", "./a", "a/", "a/./b"]
)
def test_no_path_leads_out_of_where_the_token_writes(path: str) -> None:
    query = OutputQuery(files=[OutputFile(path="good", size=1), OutputFile(path=path, size=1)])

    with pytest.raises(InvalidRequest, match="is not a plain relative path"):
        runtime.outputs(an_attempt(), query, data=MemoryBlobs())


def test_outputs_go_below_the_attempt_of_the_token() -> None:
    mine = an_attempt()
    query = OutputQuery(files=[OutputFile(path="deep/a", size=1)])

    [target] = runtime.outputs(mine, query, data=MemoryBlobs()).files

    assert f"data/{mine.workflow}/{mine.task}/{mine.retry}/deep/a" in target.url
