"""One process is in office; one that was and is no longer finds out and exits."""

from datetime import datetime, timedelta
from typing import Any

from operators.shared.calls import Pause
from operators.shared.lease import (
    GIVE_UP_AFTER,
    LEASE_NAME,
    LEASE_SECONDS,
    Tenure,
    acquire,
    keep,
    resign,
)
from operators.shared.resources import LEASE, Json
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import NOON


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **by: float) -> None:
        self.now += timedelta(**by)


def elected(kube: FakeKube, pod: str, boot: str, clock: Clock | None = None) -> tuple[Tenure, Json]:
    return run(kube, acquire(pod, boot, clock or Clock()))


def waits(stepper: Stepper[Any]) -> bool:
    """Went once around without taking office."""
    stepper.step()
    stepper.until(lambda call: isinstance(call, Pause))
    return not stepper.ended


def test_the_first_process_is_in_office_at_once() -> None:
    kube = FakeKube()

    tenure, lease = elected(kube, "pod-a", "boot-1")

    assert tenure == Tenure("pod-a_boot-1", 0)
    assert tenure.is_of(lease)
    assert run(kube, tenure.is_held())


def test_another_pod_waits_until_the_lease_has_run_out_by_its_own_clock() -> None:
    kube = FakeKube()
    old, _ = elected(kube, "pod-a", "boot-1")
    clock = Clock()
    standby = Stepper(kube, acquire("pod-b", "boot-2", clock))

    assert waits(standby)
    clock.turn(seconds=LEASE_SECONDS)
    assert waits(standby)
    clock.turn(seconds=1)
    tenure, _ = standby.run()

    assert tenure == Tenure("pod-b_boot-2", 1)
    assert not run(kube, old.is_held())


def test_another_pod_does_not_take_a_lease_that_is_renewed() -> None:
    kube = FakeKube()
    clock = Clock()
    keeper = Stepper(kube, keep(*elected(kube, "pod-a", "boot-1", clock), clock))
    standby = Stepper(kube, acquire("pod-b", "boot-2", clock))

    for _ in range(10):
        clock.turn(seconds=4)
        keeper.step()
        keeper.until(lambda call: isinstance(call, Pause))
        assert waits(standby)


def test_the_same_pod_takes_over_at_once_and_ends_the_earlier_tenure() -> None:
    """A container is only started again when the one before it has ended; if not, the count
    says."""
    kube = FakeKube()
    old, old_lease = elected(kube, "pod-a", "boot-1")

    new, _ = elected(kube, "pod-a", "boot-2")

    assert new == Tenure("pod-a_boot-2", 1)
    assert not run(kube, old.is_held())
    assert "went to pod-a_boot-2" in run(kube, keep(old, old_lease, Clock()))


def test_a_process_whose_lease_went_to_another_ends() -> None:
    kube = FakeKube()
    clock = Clock()
    keeper = Stepper(kube, keep(*elected(kube, "pod-a", "boot-1"), clock))
    later = Clock()
    taking = Stepper(kube, acquire("pod-b", "boot-2", later))
    waits(taking)
    later.turn(minutes=1)
    taking.run()

    assert "went to pod-b" in keeper.run()


def test_a_process_that_cannot_renew_ends_before_its_lease_does() -> None:
    kube = FakeKube()
    clock = Clock()
    keeper = Stepper(kube, keep(*elected(kube, "pod-a", "boot-1", clock), clock))

    while not keeper.ended:
        clock.turn(seconds=2)
        keeper.step("lost")

    assert GIVE_UP_AFTER <= clock.now - NOON < timedelta(seconds=LEASE_SECONDS)
    assert "could not be renewed" in keeper.outcome


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_office() -> None:
    kube = FakeKube()
    clock = Clock()
    keeper = Stepper(kube, keep(*elected(kube, "pod-a", "boot-1", clock), clock))

    keeper.step()
    keeper.step("lost")
    for _ in range(20):
        clock.turn(seconds=1)
        keeper.step()

    assert not keeper.ended


def test_a_deleted_lease_ends_the_tenure() -> None:
    kube = FakeKube()
    tenure, lease = elected(kube, "pod-a", "boot-1")
    kube.delete(LEASE, LEASE_NAME)

    assert not run(kube, tenure.is_held())
    assert run(kube, keep(tenure, lease, Clock())) == "the lease was deleted"


def test_who_resigns_is_succeeded_at_once() -> None:
    kube = FakeKube()
    tenure, _ = elected(kube, "pod-a", "boot-1")

    run(kube, resign(tenure))
    successor, _ = elected(kube, "pod-b", "boot-2")

    assert successor.transitions == 1
    assert not run(kube, tenure.is_held())


def test_nobody_resigns_for_another() -> None:
    kube = FakeKube()
    old, _ = elected(kube, "pod-a", "boot-1")
    new, _ = elected(kube, "pod-a", "boot-2")

    run(kube, resign(old))

    assert run(kube, new.is_held())


def test_of_two_that_try_at_once_one_is_in_office() -> None:
    kube = FakeKube()
    one = Stepper(kube, acquire("pod-a", "boot-1", Clock()))
    other = Stepper(kube, acquire("pod-b", "boot-2", Clock()))

    one.step()
    other.step()
    one.step()
    other.step()

    assert one.ended
    assert not other.ended
