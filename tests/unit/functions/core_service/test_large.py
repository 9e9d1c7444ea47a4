"""What Lambda can give back of a workflow of 10,000 tasks."""

import base64
import gzip
import json

import pytest

from tests.builders import a_group, a_task, a_workflow
from tests.unit.functions.core_service.gateway import CoreService, answered
from xylem.domain.ids import GroupId, WorkflowId
from xylem.domain.workflow import Counts
from xylem.ports.stored import Stored

TASKS = 10_000
LAMBDA_BYTES = 6 * 1024 * 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

PATH = "/api/workflow/large-1"


@pytest.fixture(scope="module")
def service() -> CoreService:
    service = CoreService()
    id = WorkflowId("large-1")
    groups = [
        a_group(
            id=GroupId(f"{number:032x}"),
            workflow=id,
            name=f"group-{number}",
            tasks=(a_task(f"task-{number}", lead=True),),
        )
        for number in range(TASKS)
    ]
    rows = service.world.rows
    rows.stored_workflows[id] = Stored(a_workflow(id=id, counts=Counts(TASKS)), 1)
    rows.stored_groups[id] = {one.id: Stored(one, 1) for one in groups}
    return service


def test_it_is_compressed_for_who_takes_that(service: CoreService) -> None:
    answer = service.answer("GET", PATH, headers={"accept-encoding": "gzip, deflate"})

    assert (answer["statusCode"], answer["headers"]["content-encoding"]) == (200, "gzip")
    assert len(answer["body"]) < LAMBDA_BYTES
    body = json.loads(gzip.decompress(base64.b64decode(answer["body"])))
    assert len(body["groups"]) == TASKS


def test_who_does_not_is_told_how_to_ask(service: CoreService) -> None:
    refused = answered(service.answer("GET", PATH))
    without = answered(service.answer("GET", PATH, query="skip_groups=true"))

    assert refused.status == 400
    assert "Accept-Encoding: gzip" in refused.body["message"]
    assert (without.status, without.body["groups"]) == (200, [])


def test_what_is_small_is_sent_as_it_is(service: CoreService) -> None:
    query, takes = "skip_groups=true", {"accept-encoding": "gzip"}
    answer = service.answer("GET", PATH, query=query, headers=takes)

    assert "content-encoding" not in answer["headers"]


def test_an_offset_beyond_the_furthest_names_the_cursor_and_a_cursor_goes_on(
    service: CoreService,
) -> None:
    path = "/api/workflow"
    refused = service.ask("GET", path, query="all_pools=true&offset=10001")
    assert (refused.status, "cursor" in refused.body["message"]) == (400, True)
    assert service.ask("GET", path, query="all_pools=true&cursor=x").status == 400

    first = service.ask("GET", path, query="all_pools=true&limit=1")
    assert (first.body["more_entries"], "cursor" in first.body) == (False, False)
    rows = service.world.rows
    other = a_workflow(id=WorkflowId("other-1"))
    rows.stored_workflows[other.id] = Stored(other, 1)
    page = service.ask("GET", path, query="all_pools=true&limit=1").body
    rest = service.ask(
        "GET", path, query=f"all_pools=true&limit=1&cursor={page['cursor'].replace('+', '%2B')}"
    )
    assert page["more_entries"] is True
    names = [one["name"] for one in (*page["workflows"], *rest.body["workflows"])]
    assert names == ["large-1", "other-1"]
