"""Create, cleanup, a paused process, lost and late requests, in every order that hypothesis finds.

Three promises of the operator link: an attempt never runs twice (S1), nothing starts after the
group's cleanup was answered (S2), and when the faults stop, nothing stays behind (S6).
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.backend_listener.inventory import take_inventory
from operators.backend_listener.observe import observe
from operators.backend_worker.apply import Answer, Outcome
from operators.backend_worker.worker import Worker
from operators.shared.anchor import anchor_of, was_bound
from operators.shared.calls import Call, Create
from operators.shared.lease import Tenure
from operators.shared.release import collect_forsaken, release, remove_anchor
from operators.shared.resources import CONFIG_MAP, POD
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import NOON, a_cleanup, a_create, a_pod, a_secret, in_office
from xylem.protocol.agent import Job
from xylem.protocol.link import Perform

ACTIONS = (
    "create 0",
    "create 1",
    "create 0 lost",
    "create 1 travels",
    "create 0 received",
    "create 0 until-pod",
    "create 1 until-pod",
    "create 0 to-end",
    "create 1 to-end",
    "cleanup",
    "cleanup lost",
    "cleanup to-end",
    "land",
    "schedule",
    "finish",
    "kill",
    "acknowledge",
    "somebody deletes a pod",
    "list",
    "another process",
    "fifteen minutes",
)


class World:
    """One group, the create and the cleanup of it, and everything that may happen to them."""

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.boots = 0
        self.tenure = self.new_tenure()
        self.creates: list[Stepper[Outcome] | None] = [None, None]
        self.cleanup: Stepper[Outcome] | None = None
        self.cleaned = False
        self.started_when_cleaned = 0

    def new_tenure(self) -> Tenure:
        self.boots += 1
        return in_office(self.kube, f"boot-{self.boots}")

    def act(self, action: str) -> None:
        match action.split():
            case ["create", number, *fate]:
                self.step_create(int(number), *fate)
            case ["cleanup", *fate]:
                self.step_cleanup(*fate)
            case ["land"]:
                self.kube.land()
            case ["schedule"]:
                self.kube.schedule()
            case ["finish"]:
                self.end_running("Succeeded")
            case ["kill"]:
                self.kube.kill_deleted()
            case ["acknowledge"]:
                self.acknowledge()
            case ["somebody", *_]:
                for pod in self.kube.pods()[:1]:
                    self.kube.delete(POD, pod["metadata"]["name"])
            case ["list"]:
                self.collect()
            case ["another", *_]:
                self.tenure = self.new_tenure()
            case ["fifteen", *_]:
                self.outlive()
        self.check()

    def step_create(self, number: int, fate: str = "") -> None:
        if fate == "received":
            self.create_in_hand(number)
        elif fate in {"until-pod", "to-end"}:
            self.step_create(number)
            stepper = self.creates[number]
            if stepper is not None:
                stepper.until(makes_a_pod if fate == "until-pod" else never)
        else:
            self.step_create_once(number, fate)

    def step_create_once(self, number: int, fate: str) -> None:
        stepper = self.create_in_hand(number)
        if stepper is not None:
            travels = fate == "travels" and isinstance(stepper.next_call, Create)
            stepper.step("travelling" if travels else "lost" if fate == "lost" else "answered")

    def create_in_hand(self, number: int) -> Stepper[Outcome] | None:
        """A new one only as long as the service pushes it: not after the cleanup was answered. One
        that was begun goes on, in whatever process it lives."""
        stepper = self.creates[number]
        if stepper is None or stepper.ended:
            if self.cleaned:
                return None
            stepper = self.begin(a_create(a_secret(), a_pod("left"), a_pod("right")))
            self.creates[number] = stepper
        return stepper

    def begin(self, job: Job) -> Stepper[Outcome]:
        worker = Worker(self.tenure, lambda pod: observe(pod, NOON))
        return Stepper(self.kube, worker.begin(Perform(job, NOON), NOON))

    def step_cleanup(self, fate: str = "") -> None:
        """`to-end`: as far as it gets before it waits for others."""
        for _ in range(30 if fate == "to-end" else 1):
            if not self.cleaned:
                self.step_cleanup_once(fate)

    def step_cleanup_once(self, fate: str) -> None:
        if self.cleanup is None or self.cleanup.ended:
            self.cleanup = self.begin(a_cleanup())
        self.cleanup.step("lost" if fate == "lost" else "answered")
        if self.cleanup.ended and isinstance(self.cleanup.outcome, Answer):
            assert self.cleanup.outcome == Answer("done")
            self.cleaned = True
            self.started_when_cleaned = len(self.kube.started)

    def end_running(self, phase: str) -> None:
        for pod in self.kube.pods():
            if pod["status"]["phase"] == "Running":
                self.kube.set_phase(pod["metadata"]["name"], phase)

    def acknowledge(self) -> None:
        """The Listener's news of every bound pod that ended was acknowledged."""
        for pod in self.kube.pods():
            if pod["status"]["phase"] in {"Succeeded", "Failed"} and was_bound(pod):
                run(self.kube, release(pod["metadata"]["name"], pod["metadata"]["uid"]))

    def collect(self) -> None:
        held = run(self.kube, take_inventory(lambda pod: observe(pod, NOON)))
        for pod in held.suspects:
            run(self.kube, collect_forsaken(pod))

    def outlive(self) -> None:
        """Nothing travels that long. Who sleeps through it is no longer in office."""
        self.kube.travelling.clear()
        self.tenure = self.new_tenure()
        for each in self.kube.page(CONFIG_MAP, "xylem.dev/anchor=true").items:
            anchor = anchor_of(each)
            if anchor is not None and anchor.state == "closed":
                run(self.kube, remove_anchor(anchor))

    def check(self) -> None:
        assert len(set(self.kube.started)) == len(self.kube.started), "S1: an attempt ran twice"
        if self.cleaned:
            assert len(self.kube.started) == self.started_when_cleaned, "S2: started after cleanup"

    def quieten(self) -> None:
        """Faults stop: what was begun ends; what is not closed is asked to be cleaned up."""
        while self.kube.travelling:
            self.kube.land()
        for stepper in self.creates:
            while stepper is not None and not stepper.ended:
                stepper.step()
        for _ in range(3):
            self.kube.schedule()
            self.check()
            self.end_running("Succeeded")
            self.kube.kill_deleted()
            self.acknowledge()
            cleaning = self.begin(a_cleanup(ordinal=10))
            for _ in range(40):
                if not cleaning.ended:
                    cleaning.step()
                self.kube.kill_deleted()
                self.acknowledge()
            self.collect()
        self.outlive()
        self.kube.collect_garbage()
        self.check()


def makes_a_pod(call: Call) -> bool:
    return isinstance(call, Create) and call.kind is POD


def never(call: Call) -> bool:
    return False


RUN = ("schedule", "finish", "acknowledge", "somebody deletes a pod", "somebody deletes a pod")


@example(("create 0 received", "cleanup to-end", "fifteen minutes", "create 0 to-end", "schedule"))
@example(
    ("create 1 until-pod", "create 1 travels", "create 1 travels", "create 0 to-end", *RUN)
    + ("land", "land", "create 0 to-end", "schedule")
)
@example(("create 0 until-pod", "cleanup to-end", "create 0 to-end", "schedule"))
@example(("cleanup to-end", "create 0 to-end", "schedule"))
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), max_size=60).map(tuple))
def test_no_order_of_events_runs_an_attempt_twice_or_after_its_cleanup(
    actions: tuple[str, ...],
) -> None:
    world = World()

    for action in actions:
        world.act(action)
    world.quieten()

    assert {kind for kind, _ in world.kube.objects} == {"Lease"}, "S6: something stayed behind"
