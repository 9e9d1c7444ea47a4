"""Somebody sets the machine's clock, and nothing that waits notices."""

from datetime import timedelta

from operators.shared.clock import SteadyClock
from operators.shared.lease import LEASE_NAME, acquire, keep
from operators.shared.resources import LEASE
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import NOON
from xylem.domain.ids import BackendName
from xylem.protocol.agent import Hello, Welcome
from xylem.protocol.limits import HEARTBEAT
from xylem.protocol.link import Link


class Machine:
    """What it says the time is, and how long it has been on."""

    def __init__(self) -> None:
        self.wall = NOON
        self.elapsed = 1000.0

    def passes(self, by: timedelta) -> None:
        self.wall += by
        self.elapsed += by.total_seconds()

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.elapsed)


def test_it_begins_at_the_walls_time_and_counts_what_has_passed() -> None:
    machine = Machine()
    clock = machine.clock()

    machine.passes(timedelta(minutes=5))

    assert clock() == NOON + timedelta(minutes=5)


def test_a_step_of_the_wall_is_no_time() -> None:
    machine = Machine()
    clock = machine.clock()

    machine.wall -= timedelta(hours=1)
    machine.passes(timedelta(seconds=1))

    assert clock() == NOON + timedelta(seconds=1)


def test_heartbeats_go_on_when_the_wall_steps_back() -> None:
    machine = Machine()
    clock = machine.clock()
    hello = Hello(backend=BackendName("b"), cluster_uid="uid", boot_id="boot", version="1")
    link = Link(hello, random=lambda: 0.0, now=clock())
    number = link.dial(clock())
    assert number is not None
    link.opened(number, clock())
    link.received(number, Welcome(epoch=1).model_dump_json(), clock())

    machine.wall -= timedelta(hours=1)
    machine.passes(HEARTBEAT)

    [text] = link.to_send(number, clock())
    assert '"heartbeat"' in text


def test_the_lease_is_kept_by_what_has_passed_and_stamped_by_the_wall() -> None:
    machine = Machine()
    clock, kube = machine.clock(), FakeKube()
    tenure, lease = run(kube, acquire("pod-a", "boot-1", clock, lambda: machine.wall))
    assert lease["spec"]["renewTime"] == "2026-01-01T12:00:00.000000Z"

    machine.wall += timedelta(days=1)
    machine.passes(timedelta(seconds=4))
    keeping = Stepper(kube, keep(tenure, lease, clock, lambda: machine.wall))
    for _ in range(2):
        keeping.step()

    assert not keeping.ended
    renewed = kube.read(LEASE, LEASE_NAME)
    assert renewed["spec"]["renewTime"] == "2026-01-02T12:00:04.000000Z"
    assert tenure.is_of(renewed)
