"""A vetted frame of an operator as bodies for the news queue, one for each workflow."""

from collections import defaultdict
from collections.abc import Iterator

from xylem.domain.ids import BackendName, ConnectionId, WorkflowId
from xylem.protocol.agent import (
    Anchor,
    Bundle,
    Event,
    Heartbeat,
    Hello,
    Inventory,
    JobResult,
    News,
    Nodes,
    OperatorMessage,
    PodObservation,
)
from xylem.protocol.queues import BundleOf, EventsOf, NodesOf, ResultOf, StockOf


def split(
    message: OperatorMessage, *, backend: BackendName, connection: ConnectionId
) -> Iterator[str]:
    match message:
        case News(boot_id=boot_id, events=events):
            of = defaultdict(list)
            for event in events:
                of[event.pod.workflow].append(event)
            for workflow, part in of.items():
                yield EventsOf(
                    backend=backend,
                    connection=connection,
                    workflow=workflow,
                    boot_id=boot_id,
                    events=part,
                ).model_dump_json()
        case JobResult(workflow=workflow):
            yield ResultOf(
                backend=backend, connection=connection, workflow=workflow, result=message
            ).model_dump_json()
        case Bundle(boot_id=boot_id, events=events, results=results):
            told: dict[WorkflowId, tuple[list[Event], list[JobResult]]] = {}
            for result in results:
                told.setdefault(result.workflow, ([], []))[1].append(result)
            for event in events:
                told.setdefault(event.pod.workflow, ([], []))[0].append(event)
            for workflow, (its_events, its_results) in told.items():
                yield BundleOf(
                    backend=backend,
                    connection=connection,
                    workflow=workflow,
                    boot_id=boot_id,
                    events=its_events,
                    results=its_results,
                ).model_dump_json()
        case Inventory(anchors=anchors, pods=pods, tasks=tasks):
            shown: dict[WorkflowId, tuple[list[Anchor], list[PodObservation]]] = {}
            for anchor in anchors:
                shown.setdefault(anchor.workflow, ([], []))[0].append(anchor)
            for pod in pods:
                shown.setdefault(pod.workflow, ([], []))[1].append(pod)
            for workflow, (its_anchors, its_pods) in shown.items():
                yield StockOf(
                    backend=backend,
                    connection=connection,
                    workflow=workflow,
                    anchors=its_anchors,
                    pods=its_pods,
                    tasks=tasks,
                ).model_dump_json()
        case Nodes():
            yield NodesOf(backend=backend, connection=connection, nodes=message).model_dump_json()
        case Hello() | Heartbeat():
            return
