"""What the sidecar really sends, against the models that the Logger reads it with.

The sidecar speaks with plain dictionaries, because pydantic would cost it its CPU budget. So it is
run here with all it can ask for, and nothing that it sent may be more than the models know. What it
is answered are those models, so what it reads is held as well: it would fail without.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from operators.task_runtime.build import build
from tests.contract.task_runtime.pod import EXEC, Pod, until
from tests.unit.operators.task_runtime.services import Asked, Services, serving
from xylem.protocol import runtime
from xylem.protocol.message import Message
from xylem.protocol.spool import whole
from xylem.usecases.logs import unpack

PREFIX = "/api"
ROOT = Path(__file__).parents[2]
LOGS = "/runtime/logs"


class Nothing(Message):
    """`{}`: the token says it all."""


MODELS: dict[str, type[Message]] = {
    "/runtime/token": Nothing,
    "/runtime/logs/end": runtime.LogEnd,
    "/runtime/barrier": runtime.AtBarrier,
    "/runtime/group": Nothing,
    "/runtime/inputs": runtime.InputQuery,
    "/runtime/outputs": runtime.OutputQuery,
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    """By a task that needs everything there is, and whose token has expired."""
    if not EXEC.exists():
        pytest.skip("`make install` builds the wrapper")
    root = tmp_path_factory.mktemp("task")
    build(root / "image", interpreter=os.path.realpath(sys.executable), wrapper=EXEC)
    services = Services()
    services.inputs = [[("a", b"a"), ("b", b"b")]]
    services.page_files = 1
    services.expire_token()
    with serving(services):
        pod = Pod(root / "pod", root / "image/opt/xylem/bin/xylem-ctrl", services)
        pod.configure(inputs=1, barrier=True, gang={"restarts": 0, "look_every": 0.05})
        enough = root / "enough"
        waits = f"while [ ! -e {enough} ]; do sleep 0.02; done"
        task = pod.shell(f"echo hello; echo result >{pod.output}/file; {waits}", wait=True)
        sidecar = pod.sidecar()
        until(lambda: f"{PREFIX}/runtime/group" in services.paths("POST"), "it asks of its group")
        enough.touch()
        assert (sidecar.end().code, task.end().code) == (0, 0)
    return [found for found in services.asked if found.method == "POST"]


def routes(asked: list[Asked]) -> set[str]:
    return {found.path.partition("?")[0].removeprefix(PREFIX) for found in asked}


def test_everything_that_can_be_asked_for_was_asked_for(asked: list[Asked]) -> None:
    assert routes(asked) == {*MODELS, LOGS}


def test_the_logger_has_every_route_that_is_asked_for(asked: list[Asked]) -> None:
    handler = (ROOT / "functions/logger/handler.py").read_text()

    assert routes(asked) == set(re.findall(r'@app\.post\("(/runtime/[a-z/]+)"\)', handler))


@pytest.mark.parametrize("route", MODELS)
def test_a_request_is_its_model_and_no_word_more(asked: list[Asked], route: str) -> None:
    model = MODELS[route]
    bodies = [found.body for found in asked if found.path == PREFIX + route]

    assert bodies
    for body in bodies:
        understood = model.model_validate_json(body, strict=True)
        assert understood.model_dump(mode="json", exclude_unset=True) == json.loads(body)


def test_a_page_of_inputs_is_followed_by_its_cursor(asked: list[Asked]) -> None:
    bodies = [found.body for found in asked if found.path == f"{PREFIX}/runtime/inputs"]
    cursors = [runtime.InputQuery.model_validate_json(body).cursor for body in bodies]

    assert list(dict.fromkeys(cursors)) == [None, "1"]


def test_a_batch_is_gzip_of_whole_records_for_a_part_of_the_spool(asked: list[Asked]) -> None:
    batches = [found for found in asked if found.path.startswith(f"{PREFIX}{LOGS}?")]

    assert batches
    for batch in batches:
        assert re.fullmatch(rf"{PREFIX}{LOGS}\?offset=\d+&length=[1-9]\d*", batch.path)
        raw = unpack(batch.body, limit=runtime.BATCH_BYTES)
        assert 0 < len(raw) == whole(raw)
