"""The operator's half of what is said about nodes: the newest facts of each, and what is unsaid.

Unlike news of pods they are hints: nothing is acknowledged or said again by itself. What is lost is
mended by the next inventory, with which all of them are said, in frames that are whole for a range
of names; a node that is gone is missing in its range. In between only what changed is said, and not
at once: what a short pod takes is given back before anybody is told, and changes nothing.

With all of them it is said which tests the cluster has, so that a service that knows of others
tells them: it needs no mailbox for what is always whole; what was lost is told ten minutes later.

Rejected: to number and acknowledge them like pods. A lost exit code fails a healthy task; a late
number of free GPUs makes a hint ten minutes old, and every acknowledgement would be a push to pay.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from xylem.protocol.agent import NodeObservation, Nodes
from xylem.protocol.frames import below
from xylem.protocol.limits import (
    FRAME_BYTES,
    GONE_NODES,
    NAME_BYTES,
    NODE_NEWS_AFTER,
    NODE_NEWS_GAP,
    NODES,
    NODES_A_FRAME,
)

_HIGHEST = "~"
"""Above every name of a node: they are DNS names."""

_ENVELOPE_BYTES = 1024 + 2 * NAME_BYTES


class NodeNews:
    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id
        self._number = 0
        self._known: dict[str, NodeObservation] = {}
        self._said: dict[str, NodeObservation] = {}
        self._understood = False
        self._listed = False
        self._all = False
        self._due: datetime | None = None
        self._spoke_at: datetime | None = None
        self.tests = ""
        """The digest of the tests that the cluster has."""

    @property
    def due(self) -> datetime | None:
        """When `frames` has something to say."""
        return self._due if self._understood and self._listed else None

    def welcomed(self, understood: bool, now: datetime) -> None:
        """A new connection, to a service that understands what is said here, or does not."""
        self._understood = understood
        self.say_all(now)

    def seen(self, node: NodeObservation, now: datetime) -> None:
        if node.name not in self._known and len(self._known) >= NODES:
            return
        self._known[node.name] = node
        self._changed(node.name, now)

    def gone(self, name: str, now: datetime) -> None:
        if self._known.pop(name, None) is not None:
            self._changed(name, now)

    def listed(self, now: datetime) -> None:
        """All that there are were seen: before that, what is missing would look gone."""
        if not self._listed:
            self._listed = True
            self.say_all(now)

    def say_all(self, now: datetime) -> None:
        self._all = True
        self._due = now

    def frames(self, now: datetime) -> list[str]:
        """What is due now, in frames."""
        due = self.due
        if due is None or now < due:
            return []
        texts = list(self._everything() if self._all else self._changes())
        self._said = dict(self._known)
        self._all = False
        self._due = None
        if texts:
            self._spoke_at = now
        return texts

    def _changed(self, name: str, now: datetime) -> None:
        if self._due is not None or self._known.get(name) == self._said.get(name):
            return
        due = now + NODE_NEWS_AFTER
        self._due = due if self._spoke_at is None else max(due, self._spoke_at + NODE_NEWS_GAP)

    def _changes(self) -> Iterator[str]:
        changed = (node for name, node in self._known.items() if self._said.get(name) != node)
        gone = [name for name in self._said if name not in self._known]
        for batch in _batches(changed):
            yield self._text(nodes=batch)
        for start in range(0, len(gone), GONE_NODES):
            yield self._text(gone=gone[start : start + GONE_NODES])

    def _everything(self) -> Iterator[str]:
        batches = list(_batches(self._known[name] for name in sorted(self._known))) or [[]]
        starts = ["", *(batch[0].name for batch in batches[1:])]
        ends = [*(below(start) for start in starts[1:]), _HIGHEST]
        for first, last, batch in zip(starts, ends, batches, strict=True):
            tests = self.tests if last == _HIGHEST else None
            yield self._text(nodes=batch, whole=(first, last), tests=tests)

    def _text(
        self,
        nodes: Iterable[NodeObservation] = (),
        gone: Iterable[str] = (),
        whole: tuple[str, str] | None = None,
        tests: str | None = None,
    ) -> str:
        self._number += 1
        message = Nodes(
            boot_id=self._boot_id,
            number=self._number,
            nodes=list(nodes),
            gone=list(gone),
            whole=whole,
            tests=tests,
        )
        return message.model_dump_json(exclude_none=True)


def _batches(nodes: Iterable[NodeObservation]) -> Iterator[list[NodeObservation]]:
    """As many as fit a frame. One that does not fit alone is left out: the Listener bounds them."""
    room = FRAME_BYTES - _ENVELOPE_BYTES
    batch: list[NodeObservation] = []
    left = room
    for node in nodes:
        size = len(node.model_dump_json(exclude_none=True).encode()) + 1
        if size > room:
            continue
        if size > left or len(batch) == NODES_A_FRAME:
            yield batch
            batch, left = [], room
        batch.append(node)
        left -= size
    if batch:
        yield batch
