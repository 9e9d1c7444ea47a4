"""One run of a backend test: what the pod of its CronJob does.

    conditions before ─ DaemonSet ─ until each node of it says the conditions anew ─ DaemonSet away
                                  └ or the time is over: those not said are Unknown ┘

A pod of the test on each node that its template selects tries what it is for and says the outcome
in conditions of its node; then it sleeps, because a DaemonSet starts again what ends. That a
condition was said anew is seen by its `lastHeartbeatTime` being another than before: clocks of two
machines are never compared.

The run's own pod owns the DaemonSet: whatever ends the run, and however, nothing of it stays.
"""

NAME_PREFIX = "xylem-test-"
"""Of a test's CronJob and DaemonSet."""

TEST_LABEL = "xylem.dev/backend-test"
RUN_LABEL = "xylem.dev/backend-test-run"
"""Of the pods on the nodes alone: the uid of the run's own pod."""

VARIABLE = "XYLEM_TEST"
"""What a run is told: a `xylem.protocol.agent.BackendTest` as JSON."""
