"""`python -m operators.backend_test`: one run, and its outcome as the exit code.

0: every node said its conditions; 1: some did not, or there was no node; 2: it could not be run.
What is told is in the environment (`operators.backend_worker.backend_tests` writes it there).
"""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TypeVar, cast

from pydantic import ValidationError

from operators.backend_test import VARIABLE
from operators.backend_test.run import Owner, run_test, take_away
from operators.shared.calls import Call, Cluster, Pause, Procedure, Together, ask
from operators.shared.clock import wall
from operators.shared.kube import BadConfiguration, Kube
from operators.shared.resources import KubeError, Unreachable
from xylem.protocol.agent import BackendTest

T = TypeVar("T")

log = logging.getLogger("xylem.backend_test")

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between tries of a call that the API server does not answer. Each may be made twice: a
DaemonSet that is there is found to be this run's."""


class Stopped(BaseException):
    """SIGTERM: its cluster, or an admin, ends the run."""


def main(environment: Mapping[str, str]) -> int:
    try:
        test = BackendTest.model_validate_json(environment[VARIABLE])
        owner = Owner(environment["POD_NAME"], environment["POD_UID"])
        kube = Kube(
            namespace=environment["XYLEM_NAMESPACE"],
            kubeconfig=environment.get("KUBECONFIG") or None,
            connections=1,
        )
    except (KeyError, ValidationError, BadConfiguration) as wrong:
        log.error("not told what to run: %s", wrong)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    try:
        report = drive(run_test(test, owner, wall), kube, time.sleep)
    except (Stopped, KubeError) as why:
        log.error("the run of test %s ended: %s", test.name, why or "it was stopped")
        with contextlib.suppress(KubeError):  # the garbage collector's, then, when our pod goes
            drive(take_away(test, owner), kube, time.sleep)
        return 2
    for node, missing in report.silent.items():
        log.warning("node %s did not say %s", node, ", ".join(missing))
    log.info("test %s: %d nodes, %d silent", test.name, report.nodes, len(report.silent))
    return 0 if report.passed else 1


def drive(procedure: Procedure[T], cluster: Cluster, sleep: Callable[[float], None]) -> T:
    """One call after the other: a run waits most of the time."""
    try:
        step = next(procedure)
        while True:
            if isinstance(step, Together):
                raise TypeError(f"{step} is not for a run")
            try:
                result = _performed(step, cluster, sleep)
            except KubeError as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(result)
    except StopIteration as end:
        return cast("T", end.value)
    finally:
        procedure.close()


def _performed(call: Call, cluster: Cluster, sleep: Callable[[float], None]) -> object:
    if isinstance(call, Pause):
        sleep(call.seconds)
        return None
    for pause in PAUSES:
        try:
            return ask(cluster, call)
        except Unreachable as error:
            log.warning("again: %s", error)
            sleep(pause)
    return ask(cluster, call)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.exit(main(os.environ))
