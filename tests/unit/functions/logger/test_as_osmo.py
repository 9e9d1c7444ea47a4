"""What OSMO's clients ask of logs, and are answered, where nothing was recorded: what its routes
and FastAPI do with a parameter that is empty, wrong, or about what is not there."""

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.builders import an_attempt
from tests.builders_logs import MICROS
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import Answer
from tests.unit.functions.environment import deployed
from tests.unit.functions.logger.gateway import Logger
from xylem.domain.ids import WorkflowId
from xylem.protocol.spool import Record, Stream

SPEC = """
workflow:
  name: hello
  tasks:
  - {name: well, image: alpine, command: [echo]}
  - {name: ill, image: alpine, command: [echo]}
"""
LOGS = "/api/workflow/hello-1/logs"
ERRORS = "/api/workflow/hello-1/error_logs"
PERSON = {"kind": "user", "subject": "alice", "roles": "osmo-user"}
WELL = "2026/06/01 12:00:00 [well] of well\n"
ILL = "2026/06/01 12:00:00 [ill] of ill\n"


@pytest.fixture(scope="module")
def logger() -> Iterator[Logger]:
    """Of a service with one workflow, of whose two tasks one has failed."""
    world = World()
    workflow = world.submit(SPEC)
    world.settle()
    world.answer()
    with deployed("logger", POWERTOOLS_TRACE_DISABLED="true"):
        found = Logger(world)
        for task in ("well", "ill"):
            print_of(task, world, workflow, found)
        world.exit(workflow, "well", 0)
        world.exit(workflow, "ill", 3)
        world.settle()
        yield found


def print_of(task: str, world: World, workflow: WorkflowId, logger: Logger) -> None:
    world.up(workflow, task)
    world.settle()
    group = world.group(workflow, f"{task}-group")
    attempt = an_attempt(task, workflow=workflow, group=group.id, incarnation=group.incarnation)
    logger.sent(attempt, Record(Stream.STDOUT, MICROS, f"of {task}\n".encode()))


def asked(logger: Logger, path: str, **query: str) -> Answer:
    return logger.ask("GET", path, query=query, who=PERSON)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, WELL + ILL),
        ({"task_name": "ill"}, ILL),
        ({"task_name": "ill", "retry_id": "0"}, ILL),
        ({"task_name": "ill", "retry_id": "7"}, ""),
        ({"retry_id": "7"}, WELL + ILL),
        ({"task_name": ""}, WELL + ILL),
        ({"query": ""}, WELL + ILL),
        ({"last_n_lines": "0"}, WELL + ILL),
        ({"last_n_lines": "1"}, ILL),
        ({"unknown": "x"}, WELL + ILL),
    ],
    ids=str,
)
def test_what_says_nothing_leaves_nothing_out(
    logger: Logger, query: Mapping[str, str], text: str
) -> None:
    answer = asked(logger, LOGS, **query)

    assert (answer.status, answer.body) == (200, text)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [LOGS, ERRORS, f"{LOGS}/follow"])
@pytest.mark.parametrize("name", ["last_n_lines", "retry_id"])
@pytest.mark.parametrize("text", ["ten", "", "1.5", "9" * 5_000])
def test_a_number_that_is_none_is_a_422_in_the_words_of_fastapi(
    logger: Logger, path: str, name: str, text: str
) -> None:
    answer = asked(logger, path, task_name="ill", **{name: text})

    assert answer.status == 422
    [detail] = answer.body["detail"]
    assert (detail["loc"], detail["input"]) == (["query", name], text[:200])
    assert detail["type"].startswith(("int_parsing", "int_from"))
    assert answer.body["message"] == f"query.{name}: {detail['msg']}"
    assert (answer.body["error_code"], answer.body["workflow_id"]) == ("USAGE", None)


def test_what_fastapi_says_of_a_word_is_said_to_the_letter(logger: Logger) -> None:
    assert asked(logger, LOGS, last_n_lines="ten").body["detail"] == [
        {
            "type": "int_parsing",
            "loc": ["query", "last_n_lines"],
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "input": "ten",
        }
    ]


@pytest.mark.parametrize("path", [LOGS, ERRORS, f"{LOGS}/follow"])
def test_a_task_that_is_not_there_is_named(logger: Logger, path: str) -> None:
    answer = asked(logger, path, task_name="zz", query="(", last_n_lines="-1")

    assert answer.status == 400
    assert answer.body == {
        "message": "Task zz of workflow hello-1 is not found.",
        "error_code": "DATABASE",
        "workflow_id": None,
    }


@pytest.mark.parametrize("route", ["logs", "error_logs", "logs/follow"])
def test_a_workflow_that_is_not_there_is_named_whatever_else_is_wrong(
    logger: Logger, route: str
) -> None:
    answer = asked(logger, f"/api/workflow/nope-1/{route}", query="(", last_n_lines="-1")

    assert answer.status == 400
    assert answer.body == {
        "message": "Workflow nope-1 was not found.",
        "error_code": "DATABASE",
        "workflow_id": "nope-1",
    }


def test_without_a_task_the_error_logs_of_all_are_named(logger: Logger) -> None:
    answer = asked(logger, ERRORS, query="(", last_n_lines="-1")

    first, _, rest = answer.body.partition("\n\n")
    assert (answer.status, first) == (200, "Specify task for error logs.")
    assert rest == json.dumps(
        {"well retry-0": None, "ill retry-0": f"{ERRORS}?task_name=ill&retry_id=0"}, indent=4
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"task_name": "ill"}, ILL),
        ({"task_name": "ill", "query": "nothing like that"}, ""),
        ({"task_name": "ill", "retry_id": "7"}, ""),
        ({"task_name": "well"}, ""),
    ],
    ids=str,
)
def test_an_error_log_is_empty_where_nothing_failed(
    logger: Logger, query: Mapping[str, str], text: str
) -> None:
    answer = asked(logger, ERRORS, **query)

    assert (answer.status, answer.body) == (200, text)
