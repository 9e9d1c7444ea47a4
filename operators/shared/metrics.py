"""What a running operator counts, as Prometheus asks for it at /metrics.

One registry for the process, which is Prometheus' own habit: who counts something imports its
counter. What is a state, and not an event, is set by whoever asks (`operators.__main__`), at the
moment of asking. Labels have a few values each, all of them ours: no name of a user, a pod or a
workflow becomes one.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

IN_OFFICE = Gauge(
    "xylem_operator_in_office", "1 in the process that holds the Lease.", registry=REGISTRY
)
CONNECTED = Gauge(
    "xylem_operator_connected", "1 while the service welcomed a connection.", registry=REGISTRY
)
PODS = Gauge("xylem_operator_pods", "Pods of ours that are followed.", registry=REGISTRY)
UNACKNOWLEDGED = Gauge(
    "xylem_operator_news_unacknowledged",
    "Observations that the service has not acknowledged yet.",
    registry=REGISTRY,
)
ERRANDS = Gauge(
    "xylem_operator_errands_waiting", "Pods to let go of, and the like.", registry=REGISTRY
)
SIGHTINGS = Counter(
    "xylem_operator_sightings",
    "Objects that lists and watches showed.",
    ["watch"],
    registry=REGISTRY,
)
INTERRUPTIONS = Counter(
    "xylem_operator_watch_interruptions",
    "Times that a watch broke, expired or was refused.",
    ["watch"],
    registry=REGISTRY,
)
NEWS = Counter(
    "xylem_operator_news", "Observations that were news, by status.", ["status"], registry=REGISTRY
)
COMPLAINTS = Counter(
    "xylem_operator_complaints",
    "Frames that were refused and news that was rejected.",
    registry=REGISTRY,
)
ORPHANS = Counter(
    "xylem_operator_orphans",
    "Objects that nobody asks for: pods that the service does not know (unknown), pods that can "
    "never start (forsaken), and what is labelled like ours and is not (strange).",
    ["what"],
    registry=REGISTRY,
)
JOB_SECONDS = Histogram(
    "xylem_operator_job_seconds",
    "From a job's receipt to its outcome.",
    ["kind", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900),
    registry=REGISTRY,
)
INVENTORY_SECONDS = Histogram(
    "xylem_operator_inventory_seconds",
    "To list all that the cluster holds of ours.",
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
FRAMES = Counter(
    "xylem_operator_frames", "Frames on the link, by direction.", ["direction"], registry=REGISTRY
)
FRAME_BYTES = Counter(
    "xylem_operator_frame_bytes", "Their characters.", ["direction"], registry=REGISTRY
)


def written() -> bytes:
    """The page for Prometheus."""
    return generate_latest(REGISTRY)
