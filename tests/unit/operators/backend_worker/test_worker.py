"""Which jobs are begun, which wait, and what is answered."""

from datetime import timedelta

from operators.backend_listener.observe import observe
from operators.backend_worker.apply import Answer, Outcome, Postponed, Unanswered
from operators.backend_worker.worker import BEGIN_WITHIN, Worker
from operators.shared.resources import Json, Refused
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import NOON, a_cleanup, a_create, a_job, a_pod, in_office
from xylem.protocol.agent import Job
from xylem.protocol.limits import MESSAGE_CHARS
from xylem.protocol.link import Perform


def a_worker(kube: FakeKube) -> Worker:
    return Worker(in_office(kube), lambda pod: observe(pod, NOON))


def performed(kube: FakeKube, worker: Worker, job: Job) -> Outcome:
    return run(kube, worker.begin(Perform(job, NOON), NOON))


def test_a_create_is_begun_only_within_five_minutes_of_its_receipt() -> None:
    kube = FakeKube()
    worker = a_worker(kube)
    order = Perform(a_create(), NOON)

    late = run(kube, worker.begin(order, NOON + BEGIN_WITHIN + timedelta(seconds=1)))
    early = run(kube, worker.begin(order, NOON + BEGIN_WITHIN))

    assert isinstance(late, Unanswered)
    assert early == Answer("done")


def test_a_cleanup_is_never_too_old() -> None:
    kube = FakeKube()

    outcome = run(kube, a_worker(kube).begin(Perform(a_cleanup(), NOON), NOON + 5 * BEGIN_WITHIN))

    assert outcome == Answer("done")


def test_an_outcome_becomes_the_answer_to_its_job() -> None:
    worker = a_worker(FakeKube())
    order = Perform(a_create(), NOON)

    result, followers = worker.ended(order, Answer("failed", "x" * 2 * MESSAGE_CHARS))

    assert result is not None
    assert (result.job_id, result.workflow) == (order.job.job_id, order.job.workflow)
    assert (result.status, len(result.message)) == ("failed", MESSAGE_CHARS)
    assert followers == []


def test_what_must_not_be_said_is_not_answered() -> None:
    worker = a_worker(FakeKube())

    assert worker.ended(Perform(a_create(), NOON), Unanswered("lost")) == (None, [])


def test_a_create_that_waited_is_begun_when_the_one_before_is_done() -> None:
    kube = FakeKube()
    worker = a_worker(kube)
    first, second = a_create(), a_create(a_pod(retry=1), ordinal=2, after=1)

    waiting = performed(kube, worker, second)
    assert worker.ended(Perform(second, NOON), waiting) == (None, [])
    done = performed(kube, worker, first)
    result, followers = worker.ended(Perform(first, NOON), done)

    assert waiting == Postponed()
    assert result is not None
    assert followers == [Perform(second, NOON)]
    assert performed(kube, worker, second) == Answer("done")


def test_a_create_that_waited_is_forgotten_by_the_cleanup_of_its_group() -> None:
    kube = FakeKube()
    worker = a_worker(kube)
    second = a_create(a_pod(retry=1), ordinal=2, after=1)
    worker.ended(Perform(second, NOON), Postponed())

    performed(kube, worker, a_cleanup())

    assert worker.ended(Perform(a_create(), NOON), Answer("superseded"))[1] == []


def test_cleanup_and_observe_wait_for_no_create() -> None:
    """`after` 0: they would wait for a create that cannot succeed."""
    kube = FakeKube()
    worker = a_worker(kube)

    assert isinstance(performed(kube, worker, a_job("observe", ordinal=5)), Answer)
    assert performed(kube, worker, a_cleanup(ordinal=6)) == Answer("done")


def test_a_job_is_begun_anew_while_the_api_server_does_not_answer() -> None:
    kube = FakeKube()
    stepper = Stepper(kube, a_worker(kube).begin(Perform(a_create(), NOON), NOON))

    stepper.step("lost")
    stepper.step("lost")

    assert stepper.run() == Answer("done")


def test_a_job_that_nobody_answers_is_put_down_unanswered() -> None:
    kube = FakeKube()
    stepper = Stepper(kube, a_worker(kube).begin(Perform(a_cleanup(), NOON), NOON))

    while not stepper.ended:
        stepper.step("lost")

    assert isinstance(stepper.outcome, Unanswered)


class Forbidding(FakeKube):
    """Its administrator gave the operator no right to make anything."""

    def create(self, kind: object, body: Json) -> Json:
        raise Refused(403, "configmaps is forbidden")


def test_what_kubernetes_refuses_fails_a_create_but_is_no_end_of_a_cleanup() -> None:
    kube = FakeKube()
    worker = a_worker(kube)
    forbidding = Forbidding()
    forbidding.objects = kube.objects

    create = performed(forbidding, worker, a_create())
    cleanup = performed(forbidding, worker, a_cleanup())

    assert create == Answer("failed", "Kubernetes refused (403): configmaps is forbidden")
    assert isinstance(cleanup, Unanswered)
