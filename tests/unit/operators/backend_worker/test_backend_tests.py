"""The cluster has a CronJob for each test that the service named last, and no others of ours."""

import json

import pytest

from operators.backend_test import TEST_LABEL, VARIABLE
from operators.backend_worker.backend_tests import BACKEND_LABEL, DIGEST, Runner, set_tests
from operators.shared.calls import Call, Create, List
from operators.shared.lease import LEASE_NAME
from operators.shared.resources import CRON_JOB, LEASE, Json, Kind, Page, Refused
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import in_office
from xylem.protocol.agent import BackendTest

RUNNER = Runner("cluster-1", image="registry.test/operator:1", account="tester")


def a_test(name: str = "gpu", schedule: str = "0 2 * * *") -> BackendTest:
    return BackendTest(
        name=name,
        schedule=schedule,
        timeout_seconds=300,
        conditions=[f"osmo.nvidia.com/{name}"],
        template={"spec": {"containers": [{"name": name, "image": "probe", "args": ["$(X) $"]}]}},
    )


def cron_jobs(kube: FakeKube) -> dict[str, Json]:
    return {name: body for (kind, name), body in kube.objects.items() if kind == "CronJob"}


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


def test_each_test_is_a_cron_job_of_the_backend_that_the_lease_owns(kube: FakeKube) -> None:
    tenure = in_office(kube)

    assert run(kube, set_tests([a_test("gpu"), a_test("nfs")], RUNNER, tenure))

    made = cron_jobs(kube)
    assert set(made) == {"xylem-test-gpu", "xylem-test-nfs"}
    metadata = made["xylem-test-gpu"]["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "xylem",
        BACKEND_LABEL: "cluster-1",
        TEST_LABEL: "gpu",
    }
    [owner] = metadata["ownerReferences"]
    assert owner["uid"] == kube.read(LEASE, LEASE_NAME)["metadata"]["uid"]


def test_its_pod_is_told_the_whole_test_and_who_it_is(kube: FakeKube) -> None:
    run(kube, set_tests([a_test()], RUNNER, in_office(kube)))

    spec = cron_jobs(kube)["xylem-test-gpu"]["spec"]
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    [container] = pod["containers"]
    env = {one["name"]: one for one in container["env"]}
    as_the_container_sees_it = env[VARIABLE]["value"].replace("$$", "$")

    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == (
        "0 2 * * *",
        "Etc/UTC",
        "Forbid",
    )
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (0, 420)
    assert (pod["serviceAccountName"], pod["restartPolicy"]) == ("tester", "Never")
    assert container["image"] == RUNNER.image
    assert BackendTest.model_validate_json(as_the_container_sees_it) == a_test()
    assert set(env) == {VARIABLE, "XYLEM_NAMESPACE", "POD_NAME", "POD_UID"}
    json.dumps(spec)


def test_to_be_told_twice_changes_nothing_the_second_time(kube: FakeKube) -> None:
    tenure = in_office(kube)
    run(kube, set_tests([a_test()], RUNNER, tenure))
    before = json.dumps(cron_jobs(kube))

    assert run(kube, set_tests([a_test()], RUNNER, tenure))

    assert json.dumps(cron_jobs(kube)) == before


def test_a_test_that_changed_is_changed_in_place(kube: FakeKube) -> None:
    tenure = in_office(kube)
    run(kube, set_tests([a_test()], RUNNER, tenure))
    before = cron_jobs(kube)["xylem-test-gpu"]
    before["metadata"]["labels"]["theirs"] = "stays"
    before["status"] = {"lastScheduleTime": "2026-01-01T02:00:00Z"}

    run(kube, set_tests([a_test(schedule="0 3 * * *")], RUNNER, tenure))

    after = cron_jobs(kube)["xylem-test-gpu"]
    assert after["spec"]["schedule"] == "0 3 * * *"
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["annotations"][DIGEST] != before["metadata"]["annotations"][DIGEST]
    assert after["status"] == before["status"]


def test_a_test_that_is_no_longer_named_goes_and_what_is_not_of_the_backend_stays(
    kube: FakeKube,
) -> None:
    tenure = in_office(kube)
    other = Runner("cluster-2", RUNNER.image, RUNNER.account)
    run(kube, set_tests([a_test("gpu"), a_test("nfs")], RUNNER, tenure))
    run(kube, set_tests([a_test("far")], other, tenure))
    kube.create(CRON_JOB, {"metadata": {"name": "somebodys"}, "spec": {}})

    run(kube, set_tests([a_test("nfs")], RUNNER, tenure))

    assert set(cron_jobs(kube)) == {"xylem-test-nfs", "xylem-test-far", "somebodys"}
    run(kube, set_tests([], RUNNER, tenure))
    assert set(cron_jobs(kube)) == {"xylem-test-far", "somebodys"}


def test_what_somebody_deleted_is_made_again(kube: FakeKube) -> None:
    tenure = in_office(kube)
    run(kube, set_tests([a_test()], RUNNER, tenure))
    kube.delete(CRON_JOB, "xylem-test-gpu")

    run(kube, set_tests([a_test()], RUNNER, tenure))

    assert set(cron_jobs(kube)) == {"xylem-test-gpu"}


def test_somebody_elses_cron_job_of_that_name_is_left_alone(kube: FakeKube) -> None:
    kube.create(CRON_JOB, {"metadata": {"name": "xylem-test-gpu"}, "spec": {}})

    tenure = in_office(kube)
    with pytest.raises(Refused, match="somebody else's"):
        run(kube, set_tests([a_test()], RUNNER, tenure))

    assert cron_jobs(kube)["xylem-test-gpu"]["spec"] == {}


def test_a_process_that_lost_its_office_sets_nothing(kube: FakeKube) -> None:
    old = in_office(kube, "boot-1")
    in_office(kube, "boot-2")

    assert not run(kube, set_tests([a_test()], RUNNER, old))
    assert cron_jobs(kube) == {}


@pytest.mark.parametrize("steps", range(1, 5))
def test_a_process_that_ends_half_way_leaves_the_rest_to_the_next(
    kube: FakeKube, steps: int
) -> None:
    tenure = in_office(kube)
    run(kube, set_tests([a_test("old"), a_test("gpu")], RUNNER, tenure))
    wanted = [a_test("gpu", "0 3 * * *"), a_test("nfs")]
    interrupted = Stepper(kube, set_tests(wanted, RUNNER, tenure))
    for _ in range(steps):
        interrupted.step("lost" if isinstance(interrupted.next_call, Create) else "answered")

    later = in_office(kube, "boot-2")
    assert run(kube, set_tests(wanted, RUNNER, later))

    schedules = {name: body["spec"]["schedule"] for name, body in cron_jobs(kube).items()}
    assert schedules == {"xylem-test-gpu": "0 3 * * *", "xylem-test-nfs": "0 2 * * *"}


class Blind(FakeKube):
    """Without the right to see CronJobs, or without the kind."""

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page:
        if kind == CRON_JOB:
            raise Refused(403, "cronjobs.batch is forbidden")
        return super().page(kind, selector, following)


def test_rights_are_asked_for_by_tests_alone() -> None:
    kube = Blind()
    tenure = in_office(kube)

    assert run(kube, set_tests([], RUNNER, tenure))
    with pytest.raises(Refused, match="forbidden"):
        run(kube, set_tests([a_test()], RUNNER, tenure))


def test_only_cron_jobs_of_the_backend_are_listed(kube: FakeKube) -> None:
    def lists(call: Call) -> bool:
        return isinstance(call, List)

    stepper = Stepper(kube, set_tests([], RUNNER, in_office(kube))).until(lists)

    assert stepper.next_call == List(CRON_JOB, f"{BACKEND_LABEL}=cluster-1", None)
