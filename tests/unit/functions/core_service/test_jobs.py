"""Jobs over HTTP: what an admin sees of those that failed, and does about them."""

from datetime import timedelta
from typing import Any

from tests.builders import NOON, a_job
from tests.builders_spec import yaml_of
from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.ids import JobId
from xylem.memory.store import MemoryJobs
from xylem.ports.dead_letters import DeadLetter
from xylem.ports.jobs import Job


def as_admin(service: CoreService, method: str, path: str, query: str = "") -> Answer:
    return service.ask(method, path, query=query, who="carol", roles="osmo-admin")


def a_parked_start(service: CoreService) -> JobId:
    """The start of a workflow that failed five times."""
    service.submit(yaml_of(name="w"))
    [id] = service.world.doorbell.take()
    job = service.world.jobs.load(id)
    assert job is not None
    assert service.world.jobs.update(failed(job, "it does not render"), expected=job)
    return id


def failed(job: Job, why: str) -> Job:
    return a_job(job.id, work=job.work, attempts=5, last_error=why, next_ring_at=job.next_ring_at)


def listed(service: CoreService) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_admin(service, "GET", "/api/job").body["jobs"]
    return found


def test_parked_jobs_are_listed_first_and_then_those_that_are_overdue() -> None:
    service = CoreService()
    overdue = JobId("overdue")
    parked = a_parked_start(service)
    service.world.rows.stored_jobs[overdue] = a_job(overdue)
    service.world.later(timedelta(minutes=2))

    shown = listed(service)

    assert [(job["id"], job["status"]) for job in shown] == [
        (parked, "PARKED"),
        (overdue, "WAITING"),
    ]
    assert shown[0] | {"groups": len(shown[0]["groups"])} == {
        "id": parked,
        "kind": "start_groups",
        "workflow": "w-1",
        "groups": 1,
        "status": "PARKED",
        "attempts": 5,
        "park_at": 5,
        "conflicts": 0,
        "rings": 0,
        "last_error": "it does not render",
        "not_before": "2026-06-01T12:00:00",
        "next_ring_time": "2026-06-01T12:00:15",
    }
    assert as_admin(service, "GET", f"/api/job/{parked}").body == shown[0]


def test_a_parked_job_that_is_retried_is_rung_for_and_done() -> None:
    service = CoreService()
    id = a_parked_start(service)

    answer = as_admin(service, "POST", f"/api/job/{id}/retry", "attempts=2")

    assert (answer.status, answer.body["status"], answer.body["park_at"]) == (200, "WAITING", 7)
    service.world.settle()
    assert as_admin(service, "GET", f"/api/job/{id}").status == 404
    assert service.ask("GET", "/api/workflow/w-1").body["groups"][0]["status"] == "PROCESSING"


def test_a_job_that_is_dropped_fails_what_waited_for_it_and_names_who_gave_it_up() -> None:
    service = CoreService()
    id = a_parked_start(service)

    answer = as_admin(service, "DELETE", f"/api/job/{id}")

    assert (answer.status, answer.body) == (200, {"id": id})
    shown = service.ask("GET", "/api/workflow/w-1").body
    assert shown["status"] == "FAILED_SERVER_ERROR"
    assert "given up by carol" in shown["groups"][0]["failure_message"]
    assert listed(service) == []


def test_a_job_that_is_not_parked_is_not_dropped() -> None:
    service = CoreService()
    service.submit(yaml_of())
    [id] = service.world.doorbell.take()

    answer = as_admin(service, "DELETE", f"/api/job/{id}")

    assert (answer.status, answer.body["error_code"]) == (400, "USAGE")
    assert service.world.jobs.load(id) is not None


def test_a_job_that_moved_meanwhile_is_a_503_that_may_be_asked_again() -> None:
    service = CoreService()
    id = a_parked_start(service)
    service.world.jobs = Moving(service.world.rows.jobs)  # type: ignore[assignment]  # as much of one as a retry uses
    other = CoreService(service.world)

    answer = as_admin(other, "POST", f"/api/job/{id}/retry")

    assert (answer.status, answer.body["error_code"]) == (503, "conflict")


class Moving:
    """Jobs that somebody else is always faster with."""

    def __init__(self, jobs: MemoryJobs) -> None:
        self._jobs = jobs

    def load(self, id: JobId) -> Job | None:
        return self._jobs.load(id)

    def update(self, job: Job, *, expected: Job) -> bool:
        return False


def test_dead_letters_stand_beside_the_jobs_with_what_they_are_about_and_no_more() -> None:
    service = CoreService()
    secret = "hunter2"
    bodies = [
        f'{{"type": "events", "workflow": "w-1", "backend": "b", "boot_id": "{secret}"}}',
        f"password={secret}",
        f'["{secret}"]',
        f'{{"workflow": {{"token": "{secret}"}}, "type": "{"x" * 5000}"}}',
        "[" * 100_000,
    ]
    service.dead_letters.queues["news"] = [
        DeadLetter(f"m{number}", NOON, 6, body) for number, body in enumerate(bodies)
    ]
    service.dead_letters.queues["jobs"] = [
        DeadLetter(f"j{number}", NOON, 3, '{"type": "job", "job": "1"}') for number in range(12)
    ]

    answer = as_admin(service, "GET", "/api/job")

    jobs, news, timers = answer.body["dead_letters"]
    assert (jobs["queue"], jobs["depth"], len(jobs["letters"])) == ("jobs", 12, 10)
    assert jobs["letters"][0] == {
        "id": "j0",
        "sent_time": "2026-06-01T12:00:00",
        "received": 3,
        "about": "type=job job=1",
    }
    assert (timers["queue"], timers["depth"], timers["letters"]) == ("timers", 0, [])
    assert [letter["about"] for letter in news["letters"]][:3] == [
        "type=events workflow=w-1 backend=b",
        "16 characters that are no message of ours",
        "11 characters that are no message of ours",
    ]
    assert secret not in str(answer.body)
    assert len(str(answer.body)) < 5_000
