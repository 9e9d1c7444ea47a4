"""The real link of an operator on the service of a story, with a cluster that is a dictionary.

`Linked` is the world of stories whose operator speaks by `xylem.protocol.link`: what the service
pushes is heard by the link, and what the link says is taken in by the service. A create makes the
pods, a cleanup takes them away, `observe` tells those that there are. Between `leave` and `dial`
nothing passes in either direction, while the pods go on.
"""

import base64
import gzip
import json
from datetime import timedelta
from typing import Any

from tests.stories.world import BACKEND, World
from xylem.domain.ids import ConnectionId, GroupId, TaskName, mail_parts
from xylem.domain.status import TaskStatus
from xylem.manifests import names
from xylem.protocol import agent
from xylem.protocol.limits import NEWS_HOLD
from xylem.protocol.link import Link, Order, Perform, TakeInventory
from xylem.usecases import operators


class Linked(World):
    def __init__(self) -> None:
        self.made: dict[str, agent.PodObservation] = {}
        self.pushed: list[str] = []
        super().__init__()
        hello = agent.Hello(backend=BACKEND, cluster_uid="uid", boot_id="linked", version="1")
        self.link = Link(hello, random=lambda: 0.5, now=self.clock())
        self._number: int | None = None
        self._connections = 1
        self.come_back()

    # The wire ------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Without a word; the service finds the socket gone when it pushes."""
        assert self._number is not None
        self.links.hang_up(self.connection)
        self.link.closed(self._number, self.clock())
        self._number = None

    def come_back(self) -> None:
        while (number := self.link.dial(self.clock())) is None:
            self.later(timedelta(seconds=1))
        self._number = number
        self._connections += 1
        self.connection = ConnectionId(f"connection-{self._connections}")
        self.link.opened(number, self.clock())
        self.talk()

    def talk(self) -> None:
        """Until neither side has anything to say, now or within the seconds for which the link
        keeps what belongs together."""
        self.settle()
        while self._number is not None:
            said = self.link.to_send(self._number, self.clock())
            heard, self.pushed = self.pushed, []
            for text in heard:
                for order in self.link.received(self._number, text, self.clock()):
                    self._take(order)
            for text in said:
                self._say(text)
            self.settle()
            if not said and not heard and not self._soon():
                return

    def _soon(self) -> bool:
        wait = (self.link.wake_at or self.clock()) - self.clock()
        if not timedelta(0) < wait <= NEWS_HOLD:
            return False
        self.later(wait)
        return True

    def _say(self, text: str) -> None:
        operators.take(
            text,
            backend=BACKEND,
            connection=self.connection,
            backends=self.backends,
            links=self.links,
            news=self.news,
            clock=self.clock,
        )
        self.listen()

    def listen(self) -> None:
        """What is pushed to the link's connection is the link's to hear."""
        now = self.clock()
        self.rung += [
            (now + delay, workflow, group) for workflow, group, delay in self.alarm.take()
        ]
        self.pushed += [text for to, text in self.links.take() if to == self.connection]

    # The cluster ---------------------------------------------------------------------------------

    def _take(self, order: Order) -> None:
        match order:
            case Perform(job=job):
                found = self._perform(job)
                result = agent.JobResult(
                    workflow=job.workflow, job_id=job.job_id, status="done", observations=found
                )
                self.link.answer(result, self.clock())
            case TakeInventory(number):
                self.link.inventory(number, self._anchors(), list(self.made.values()))

    def _perform(self, job: agent.Job) -> list[agent.PodObservation]:
        group, incarnation, _ = mail_parts(job.job_id)
        mine = [
            pod
            for pod in self.made.values()
            if (pod.group, pod.incarnation) == (group, incarnation)
        ]
        match job.kind:
            case "create":
                for pod in self._made(job, group, incarnation):
                    self.see(pod)
            case "cleanup":
                for pod in mine:
                    del self.made[pod.uid]
            case "observe":
                return mine
        return []

    def _made(self, job: agent.Job, group: GroupId, incarnation: int) -> list[agent.PodObservation]:
        assert job.payload is not None
        objects = json.loads(gzip.decompress(base64.b64decode(job.payload)))["objects"]
        notes = [one["metadata"]["annotations"] for one in objects if one["kind"] == "Pod"]
        return [
            agent.PodObservation(
                workflow=job.workflow,
                group=group,
                incarnation=incarnation,
                task=TaskName(note[names.TASK]),
                retry=int(note[names.RETRY]),
                uid=f"uid-{group}-{note[names.TASK]}-{note[names.RETRY]}",
                status=TaskStatus.SCHEDULING,
            )
            for note in notes
        ]

    def _anchors(self) -> list[agent.Anchor]:
        groups = {(pod.workflow, pod.group, pod.incarnation) for pod in self.made.values()}
        return [
            agent.Anchor(
                workflow=workflow, group=group, incarnation=incarnation, state="created", done=1
            )
            for workflow, group, incarnation in sorted(groups)
        ]

    def see(self, pod: agent.PodObservation) -> None:
        self.made[pod.uid] = pod
        self.link.report(pod, self.clock())

    def moves(self, task: str, status: TaskStatus, **fields: Any) -> None:
        """The task's pod comes to this, now; whether anybody hears of it is the link's affair."""
        [pod] = [pod for pod in self.made.values() if pod.task == task]
        self.see(pod.model_copy(update={"status": status, "bound": True, **fields}))
