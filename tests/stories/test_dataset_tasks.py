"""OSMO's scenario 11 of datasets, what a task reads and writes of them: the code of the sidecar,
over HTTP to the store, and the Logger's use cases behind its words."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from operators.task_runtime import data, datasets
from operators.task_runtime.api import Refusal
from tests.builders_spec import a_task, facts_of, yaml_of
from tests.stories.dataset_world import DatasetWorld
from tests.stories.test_datasets import a_tree, files_in, info, paths, versions
from xylem.domain.errors import InvalidSpec, XylemError
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.manifest import PART_BYTES
from xylem.manifests.runtime import config
from xylem.manifests.tokens import filled_in
from xylem.memory.blobs import MemoryBlobs
from xylem.ports.task_tokens import Attempt
from xylem.protocol import runtime as words
from xylem.usecases import runtime, runtime_datasets
from xylem.usecases.specs import SpecFile, spec_key

OUTPUTS = [
    {
        "dataset": {
            "name": "OUT:{{workflow_id}}",
            "path": "result",
            "metadata": ["meta.yaml"],
            "labels": ["{{output}}/labels.yaml"],
        }
    },
    {"update_dataset": {"name": "DS:1", "paths": ["result/a.txt:more"]}},
]


@contextmanager
def over_http(world: DatasetWorld) -> Iterator[None]:
    """The store at an address of this machine."""
    store = world.world.dataset_store

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = store.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    before, store.url = store.url, f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        store.url = before
        server.shutdown()
        thread.join()
        server.server_close()


class Logger:
    """What `/runtime/` does with the words of one attempt."""

    def __init__(self, world: DatasetWorld, workflow: WorkflowId, task: str) -> None:
        self.world = world.world
        group = self.world.group(workflow, f"{task}-group")
        self.attempt = Attempt(workflow, group.id, group.incarnation, TaskName(task), 0)
        self.listings = runtime_datasets.Listings()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def insist(self, path: str, payload: dict[str, Any], timeout: float = 0) -> Any:
        self.asked.append((path, payload))
        try:
            return self._answer(path, json.dumps(payload)).model_dump()
        except XylemError as error:
            raise Refusal(400, str(error)) from None

    def _answer(self, path: str, body: str) -> Any:
        has: dict[str, Any] = {
            "workflows": self.world.workflows,
            "store": self.world.store,
            "engine": self.world,
        }
        match path.removeprefix("/runtime/"):
            case "inputs":
                query = words.InputQuery.model_validate_json(body)
                return runtime.inputs(
                    self.attempt,
                    query,
                    workflows=self.world.workflows,
                    store=self.world.store,
                    data=MemoryBlobs(),
                    of_dataset=lambda wanted: runtime_datasets.inputs(
                        self.attempt, wanted, query, listings=self.listings, engine=self.world
                    ),
                )
            case "dataset/start":
                start = words.DatasetStart.model_validate_json(body)
                return runtime_datasets.start(self.attempt, start, **has)
            case "dataset/contents":
                contents = words.DatasetContents.model_validate_json(body)
                return runtime_datasets.contents(self.attempt, contents, **has)
            case "dataset/listing":
                listing = words.DatasetListing.model_validate_json(body)
                return runtime_datasets.listing(self.attempt, listing, **has)
            case _:
                finish = words.DatasetFinish.model_validate_json(body)
                return runtime_datasets.finish(self.attempt, finish, **has)


class Pod:
    """Of one task, with what its config says."""

    def __init__(self, world: DatasetWorld, workflow: WorkflowId, task: str, root: Path) -> None:
        self.logger = Logger(world, workflow, task)
        self.said: list[str] = []
        self.input, self.output = root / "input", root / "output"
        self.input.mkdir(parents=True)
        self.output.mkdir()
        config = a_config(world, workflow, task)
        self._inputs, self._datasets = config["inputs"], config["datasets"]

    def download(self) -> None:
        api: Any = self.logger
        data.download(self._inputs, str(self.input), api=api, say=self.said.append, stop=Event())

    def upload(self) -> None:
        api: Any = self.logger
        datasets.upload(
            self._datasets, str(self.output), api=api, say=self.said.append, stop=Event()
        )


def a_config(world: DatasetWorld, workflow: WorkflowId, task: str) -> Any:
    """As the Worker renders it."""
    row = world.world.workflows.workflow(workflow).value
    body = world.world.store.get(spec_key(row.uuid))
    assert body is not None
    plan = SpecFile.load(body).plan.group_of(TaskName(task))
    facts = facts_of(plan, workflow=workflow, workflow_uuid=row.uuid)
    return config(plan, filled_in(plan.task(TaskName(task)), plan, facts), facts)


@pytest.fixture
def world() -> Iterator[DatasetWorld]:
    world = DatasetWorld()
    with over_http(world):
        yield world


def submitted(world: DatasetWorld, **task: Any) -> WorkflowId:
    name = world.world.submit(yaml_of(a_task("a", **task)))
    world.world.settle()
    return name


def test_11_a_task_reads_a_dataset_and_what_it_writes_becomes_versions(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path))
    name = submitted(
        world,
        inputs=[{"dataset": {"name": "DS", "regex": r".*\.txt$"}}],
        outputs=OUTPUTS,
        args=["{{input:0}}", "{{input:DS}}"],
    )
    pod = Pod(world, name, "a", tmp_path / "pod")
    pod.download()
    assert files_in(pod.input / "0") == {"DS/in/a.txt": "same", "DS/in/sub/b.txt": "same"}

    a_tree(pod.output, "result", **{"a.txt": "made", "sub/b": "b"})
    (pod.output / "meta.yaml").write_text("epochs: 3\nat: 2026-11-30\n")
    (pod.output / "labels.yaml").write_text("team: grasp\n")
    pod.upload()

    found = info(world, "OUT")
    [version] = found["versions"]
    assert version["tags"] == sorted([name, "latest"])
    assert version["created_by"] == "alice"
    assert version["metadata"] == {
        "description": "",
        "default": {
            "input_data": [],
            "input_datasets": ["prod/DS"],
            "wfid": name,
            "created_by": "alice",
        },
        "epochs": 3,
        "at": "2026-11-30",
    }
    assert found["labels"] == {"team": "grasp"}
    assert paths(world, "OUT") == ["result/a.txt", "result/sub/b"]
    assert paths(world, "DS:2") == ["in/a.txt", "in/c.json", "in/sub/b.txt", "more/a.txt"]
    assert paths(world, "DS:1") == ["in/a.txt", "in/c.json", "in/sub/b.txt"]
    assert versions(world)["1"]["tags"] == []


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ({"outputs": [{"dataset": {"name": "frozen/OUT"}}]}, "Bucket frozen mode is read-only"),
        ({"outputs": [{"dataset": {"name": "nowhere/OUT"}}]}, "Bucket nowhere is not set"),
        ({"inputs": [{"dataset": {"name": "nowhere/DS"}}]}, "Bucket nowhere is not set"),
        ({"inputs": [{"dataset": {"name": "a b"}}]}, "names no dataset"),
        ({"inputs": [{"dataset": {"name": "DS", "localpath": "x"}}]}, "submitting machine"),
        ({"inputs": [{"dataset": {"name": "DS", "regex": "("}}]}, "is no regular expression"),
        ({"outputs": [{"update_dataset": {"name": "DS"}}]}, "has no paths"),
        (
            {"outputs": [{"update_dataset": {"name": "DS", "paths": ["a:../b"]}}]},
            "leads out of the dataset",
        ),
        ({"outputs": [{"dataset": {"name": "DS", "path": "../x"}}]}, "leads out of the output"),
        ({"inputs": [{"dataset": {"name": "D"}, "url": "s3://b/k"}]}, "an input of each"),
        ({"inputs": [{"dataset": {"name": "D"}, "regex": "a"}]}, "below dataset"),
    ],
)
def test_11_what_cannot_be_is_refused_at_submission(
    world: DatasetWorld, task: dict[str, Any], says: str
) -> None:
    world.freeze("frozen")
    with pytest.raises(InvalidSpec) as refused:
        world.world.submit(yaml_of(a_task("a", **task)))
    assert says in str(refused.value)
    assert "workflow.tasks[0]." in str(refused.value)


def test_an_input_stays_the_version_that_it_was(world: DatasetWorld, tmp_path: Path) -> None:
    many = {f"f{number:03d}": "x" for number in range(words.PAGE_FILES + 1)}
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **many))
    name = submitted(world, inputs=[{"dataset": {"name": "DS"}}])
    logger = Logger(world, name, "a")
    first = logger.insist("/runtime/inputs", {"index": 0})
    world.done("dataset", "upload", "DS", a_tree(tmp_path, "other"))

    rest = logger.insist(
        "/runtime/inputs", {"index": 0, "cursor": first["cursor"], "at": first["at"]}
    )
    assert [one["path"] for one in rest["files"]] == [f"DS/in/f{words.PAGE_FILES:03d}"]
    assert logger.insist("/runtime/inputs", {"index": 0})["at"] == "2"


def test_a_collection_is_a_folder_for_each_that_it_holds(
    world: DatasetWorld, tmp_path: Path
) -> None:
    for name in ("A", "B"):
        world.done("dataset", "upload", name, a_tree(tmp_path, **{"f": name}))
    world.done("dataset", "collect", "C", "A", "B")
    pod = Pod(world, submitted(world, inputs=[{"dataset": {"name": "C"}}]), "a", tmp_path / "pod")

    pod.download()
    assert files_in(pod.input / "0") == {"A/in/f": "A", "B/in/f": "B"}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"name": "NONE"}, "Could not find dataset or collection NONE"),
        ({"name": "DS:7"}, "tag 7 does not exist"),
        ({"name": "DS", "regex": "never"}, "no file that was asked for"),
        ({"name": "DS", "regex": "(.+)+$x"}, "takes too much"),
    ],
)
def test_an_input_that_is_not_there_fails_the_task_in_words(
    world: DatasetWorld, tmp_path: Path, wanted: dict[str, Any], says: str
) -> None:
    world.done("dataset", "upload", "DS", a_tree(tmp_path, **{"a" * 60: "x"}))
    pod = Pod(world, submitted(world, inputs=[{"dataset": wanted}]), "a", tmp_path / "pod")

    with pytest.raises(Refusal, match=says.replace("(", "[(]")):
        pod.download()


def test_what_is_not_there_to_be_uploaded_is_said_and_fails_nothing(
    world: DatasetWorld, tmp_path: Path
) -> None:
    name = submitted(world, outputs=[{"dataset": {"name": "OUT", "path": "none"}}])
    pod = Pod(world, name, "a", tmp_path / "pod")
    pod.upload()

    assert pod.said == ["Dataset prod/OUT: there is nothing in the output to be uploaded."]
    assert world.xylem("dataset", "info", "OUT", "--all").code == 2


def test_a_task_sends_a_large_file_in_parts_and_nothing_twice(
    world: DatasetWorld, tmp_path: Path
) -> None:
    name = submitted(world, outputs=[{"dataset": {"name": "OUT"}}])
    pod = Pod(world, name, "a", tmp_path / "pod")
    (pod.output / "large").write_bytes(b"1" * PART_BYTES + b"2")
    pod.upload()
    pod.logger.asked.clear()
    pod.upload()

    steps = [path.rpartition("/")[2] for path, _ in pod.logger.asked]
    assert steps == ["start", "contents", "listing", "finish"]
    assert [one["size"] for one in versions(world, "OUT").values()] == [PART_BYTES + 1] * 2
    assert len(world.stored()) == 1


def test_a_task_writes_into_no_version_that_it_did_not_begin(
    world: DatasetWorld, tmp_path: Path
) -> None:
    world.done("dataset", "upload", "OUT", a_tree(tmp_path), "--start-only")
    logger = Logger(world, submitted(world, outputs=[{"dataset": {"name": "OUT"}}]), "a")

    given = {"index": 0, "version": 1, "contents": [{"etag": "0" * 32, "size": 1}]}
    with pytest.raises(Refusal, match="was not begun by"):
        logger.insist("/runtime/dataset/contents", given)
    with pytest.raises(Refusal, match="has 1 datasets to write, no 1"):
        logger.insist("/runtime/dataset/start", {"index": 1})
