"""Where a defect can be put in: each seam does nothing here. The defects of `defects` override one.

The seams are the simulation's own wrappers, so nothing of the system is patched: what is simulated
is what runs, or a subclass of it with one rule less.
"""

from collections.abc import Callable, Mapping

from operators.backend_listener.listener import Listener
from operators.backend_worker.worker import Worker
from operators.shared.calls import Call
from operators.shared.lease import Tenure
from operators.task_runtime.runtime import Decision, Event, Life, decide
from tests.simulation.cluster import Kube
from tests.simulation.store import SimulatedBackends, SimulatedStore
from xylem.domain.ids import ConnectionId
from xylem.memory.logs import MemoryLogs
from xylem.ports.jobs import Job
from xylem.protocol.link import Link
from xylem.protocol.runtime import AtBarrier
from xylem.usecases.apply import Engine
from xylem.usecases.news import Part
from xylem.usecases.submit import Request


class Variant:
    store: type[SimulatedStore] = SimulatedStore
    link: type[Link] = Link
    backends: type[SimulatedBackends] = SimulatedBackends
    listener: type[Listener] = Listener
    worker: type[Worker] = Worker
    logs: type[MemoryLogs] = MemoryLogs
    collects_forsaken = True
    needs: Mapping[str, float] = {}
    """Faults without which a defect does not show, at least at these rates."""
    alone = False
    """No other faults than these."""
    cancels = False
    """Every workflow is cancelled at some time, soon."""
    many = False
    """A schedule has several workflows."""
    short = False
    """Commands run for seconds only, and pods start at once."""
    long = False
    """Faults go on for long."""
    brief = False
    """Deadlines are less than a minute."""
    retries = False
    """Every failure is tried again, as often as budgets allow."""
    gangs = False
    """All tasks are of gangs, which meet, and fail with any of their tasks."""

    restarts = False
    """Every workflow that ended is begun again."""

    def tenure(self, tenure: Tenure) -> Tenure:
        return tenure

    def asked(self, call: Call) -> Call:
        """A request of the operator, as it reaches the API server."""
        return call

    def answered(self, kube: Kube, call: Call, result: object) -> object:
        return result

    def heard(self, text: str, push: Callable[[str], None]) -> None:
        """A frame reaches ingest; `push` answers on its connection."""

    def news(self, message: Part, store: SimulatedStore) -> Part:
        """News, an answer or a part of an inventory reaches the Agent."""
        return message

    def connection(self, connection: ConnectionId, current: ConnectionId | None) -> ConnectionId:
        """Where something is pushed to."""
        return connection

    def again(self, request: Request, engine: Engine) -> Request:
        """What a workflow that is begun again becomes."""
        return request

    def reads(self, url: str) -> str:
        """A file of an input, as a pod gets it."""
        return url

    def lives(self, life: Life, event: Event) -> Decision:
        """What a sidecar makes of an event."""
        return decide(life, event)

    def meets(self, here: AtBarrier) -> AtBarrier:
        """A pod's question at the barrier reaches the Logger."""
        return here

    def begins(self, job: Job, store: SimulatedStore) -> None:
        """The Worker is about to perform this job."""
