"""Which faults a schedule has, and how many: most schedules have a few kinds of them, so that one
kind does not always hide behind another."""

from dataclasses import dataclass, fields
from random import Random


@dataclass(slots=True)
class Faults:
    """Probabilities, each at its own occasion."""

    lambda_dies: float = 0.0
    """An invocation, at one of its calls of a port, before or after it."""
    lambda_skew: float = 0.0
    """Seconds, at the most, by which the clock of an invocation is wrong."""
    no_answer: float = 0.0
    """A write or a read of a port fails, or is done and its answer is lost."""
    false_conflict: float = 0.0
    others_run: float = 0.0
    """At a port: other events happen in the middle."""
    job_fails: float = 0.0
    """A job fails, or kills its Lambda, each time until the faults stop."""
    message_lost: float = 0.0
    message_twice: float = 0.0
    message_late: float = 0.0
    sweep_missed: float = 0.0
    sweep_twice: float = 0.0
    frame_lost: float = 0.0
    frame_late: float = 0.0
    frame_twice: float = 0.0
    """Pushed again, minutes later, by somebody who stalled."""
    request_lost: float = 0.0
    """Done, and its answer is lost."""
    request_late: float = 0.0
    """Done long after its sender gave it up."""
    request_refused: float = 0.0
    """Not done: nobody answers."""
    request_slow: float = 0.0
    """Done within half a minute, as its sender hears."""
    create_pauses: float = 0.0
    """The process is paused for long just before this request of a create."""
    watch_breaks: float = 0.0
    poll_lost: float = 0.0
    """A pod's question to the Logger, or the answer."""
    poll_late: float = 0.0
    poll_twice: float = 0.0
    """Answered again, minutes later, when its pod is elsewhere."""

    # A minute of the schedule; 2.5 is twice, and perhaps once more:
    socket_dies: float = 0.0
    service_restarts: float = 0.0
    operator_dies: float = 0.0
    operator_pauses: float = 0.0
    lease_moves: float = 0.0
    pod_deleted: float = 0.0
    config_map_deleted: float = 0.0
    pod_planted: float = 0.0
    pod_disrupted: float = 0.0
    node_lost: float = 0.0
    clock_moves: float = 0.0

    def stop(self) -> None:
        for field in fields(self):
            setattr(self, field.name, 0.0)


SKEW = 5.0
"""Seconds between a Lambda's clock and the true time, at the most."""

_RATES = {
    "lambda_dies": 0.15,
    "lambda_skew": SKEW,
    "no_answer": 0.06,
    "false_conflict": 0.15,
    "others_run": 0.4,
    "job_fails": 0.4,
    "message_lost": 0.3,
    "message_twice": 0.4,
    "message_late": 0.3,
    "sweep_missed": 0.5,
    "sweep_twice": 0.4,
    "frame_lost": 0.25,
    "frame_late": 0.3,
    "frame_twice": 0.3,
    "request_lost": 0.15,
    "request_late": 0.15,
    "request_refused": 0.2,
    "request_slow": 0.3,
    "create_pauses": 0.03,
    "watch_breaks": 0.1,
    "poll_lost": 0.4,
    "poll_late": 0.5,
    "poll_twice": 0.4,
    "socket_dies": 0.3,
    "service_restarts": 0.1,
    "operator_dies": 0.3,
    "operator_pauses": 0.15,
    "lease_moves": 0.15,
    "pod_deleted": 1.0,
    "config_map_deleted": 0.5,
    "pod_planted": 0.2,
    "pod_disrupted": 1.5,
    "node_lost": 0.3,
    "clock_moves": 0.3,
}
"""The worst of each; a schedule has it with a chance of `_USED`, at a random part of this."""

_USED = 0.4


def drawn(random: Random) -> Faults:
    faults = Faults()
    for name, worst in _RATES.items():
        if random.random() < _USED:
            setattr(faults, name, worst * random.random())
    return faults
