"""`xylem job …`: what an administrator sees of jobs that failed, and does about them."""

import json
from typing import Any

import httpx

from tests.unit.clients.answers import AT_NOON, Service, a_refusal
from tests.unit.clients.cli.world import xylem

ID = "0123456789abcdef0123456789abcdef"
LIST = "GET /api/job"
SHOW = f"GET /api/job/{ID}"
RETRY = f"POST /api/job/{ID}/retry"
DROP = f"DELETE /api/job/{ID}"
UNKNOWN = httpx.Response(404, json=a_refusal(f"There is no job {ID}", "unknown_job"))


def a_job(**fields: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "kind": "start_groups",
        "workflow": "hello-1",
        "groups": ["g1"],
        "status": "PARKED",
        "attempts": 5,
        "park_at": 5,
        "conflicts": 0,
        "rings": 2,
        "last_error": "KeyError:\n'image'",
        "not_before": AT_NOON,
        "next_ring_time": AT_NOON,
        **fields,
    }


def a_queue(word: str, *about: str, depth: int | None = None) -> dict[str, Any]:
    letters = [
        {"id": f"{word}{n}", "sent_time": AT_NOON, "received": 6, "about": text}
        for n, text in enumerate(about)
    ]
    return {"queue": word, "depth": len(about) if depth is None else depth, "letters": letters}


FOUND = {
    "jobs": [a_job(), a_job(id="f" * 32, kind="sweep_workflow", status="WAITING", park_at=None)],
    "dead_letters": [a_queue("jobs"), a_queue("news", "type=events workflow=hello-1", depth=7)],
}


def test_jobs_are_listed_with_their_errors_and_dead_letters_beside_them() -> None:
    said = xylem("job", "list", answers={LIST: FOUND})

    assert said.code == 0
    parked, waiting = (line for line in said.out.splitlines() if "hello-1" in line and "_" in line)
    assert parked.split()[:7] == [ID, "start_groups", "hello-1", "PARKED", "5", "of", "5"]
    assert parked.endswith("KeyError: 'image'")
    assert "sweep_workflow" in waiting
    assert "WAITING" in waiting
    assert "news   7" in said.out
    assert "type=events workflow=hello-1" in said.out


def test_where_nothing_is_wrong_one_line_says_so() -> None:
    said = xylem("job", "list", answers={LIST: {"jobs": [], "dead_letters": [a_queue("jobs")]}})

    assert said.out == "No job is parked or overdue.\n"


def test_a_queue_whose_letters_did_not_show_is_listed_by_its_depth() -> None:
    found = {"jobs": [], "dead_letters": [a_queue("timers", depth=3)]}

    said = xylem("job", "list", answers={LIST: found})

    assert "timers  3" in said.out


def test_programs_get_json_of_everything() -> None:
    said = xylem("job", "list", "--format-type", "json", answers={LIST: FOUND})
    shown = xylem("job", "show", ID, "-t", "json", answers={SHOW: a_job()})

    told = json.loads(said.out)
    assert [job["id"] for job in told["jobs"]] == [ID, "f" * 32]
    assert told["dead_letters"][1]["depth"] == 7
    assert json.loads(shown.out)["rings"] == 2, "what this client does not know is passed on"


def test_one_job_is_shown_with_its_whole_error() -> None:
    said = xylem("job", "show", ID, answers={SHOW: a_job()})

    assert said.code == 0
    assert "'image'" in said.out
    assert "5 of 5" in said.out


def test_a_job_is_tried_again_as_often_as_is_said() -> None:
    service = Service({RETRY: a_job(status="WAITING", park_at=8)})

    said = xylem("job", "retry", ID, "--attempts", "3", service=service)

    assert said.code == 0
    assert dict(service.requests[0].url.params) == {"attempts": "3"}
    assert f"xylem job show {ID}" in said.out


def test_without_a_number_the_service_chooses_it() -> None:
    service = Service({RETRY: a_job(status="WAITING", park_at=10)})

    said = xylem("job", "retry", ID, "-t", "json", service=service)

    assert dict(service.requests[0].url.params) == {}
    assert json.loads(said.out)["park_at"] == 10


def test_a_job_is_given_up() -> None:
    service = Service({DROP: {"id": ID}})

    said = xylem("job", "drop", ID, service=service)

    assert (said.code, said.out) == (0, f"Dropped job {ID}.\n")
    assert service.asked == [DROP]


def test_a_job_that_is_done_meanwhile_is_said_to_be_gone() -> None:
    for command, path in (("show", SHOW), ("retry", RETRY), ("drop", DROP)):
        said = xylem("job", command, ID, answers={path: UNKNOWN})

        assert said.code == 2
        assert f"There is no job {ID}" in said.err


def test_a_number_that_no_service_takes_is_not_sent() -> None:
    service = Service({})

    said = xylem("job", "retry", ID, "--attempts", "0", service=service)

    assert said.code == 2
    assert service.asked == []
