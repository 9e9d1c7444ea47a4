"""What is said, cut to frames: pods, answers and inventories in, JSON text out.

No frame is larger than `FRAME_BYTES`, whatever a pod's message contains: sizes are those of the
UTF-8 that is sent, of control characters with their escapes. A message is cut where it alone is too
large; what is more than a frame comes in parts, each whole for a range that it names, so that an
absence means something in each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from xylem.domain.ids import GroupId
from xylem.protocol.agent import Anchor, Event, Inventory, JobResult, PodObservation
from xylem.protocol.limits import FRAME_BYTES, NAME_BYTES
from xylem.protocol.message import Message

_LOWEST, _HIGHEST = "", "~"
"""Below and above every id of a group and every name of a task."""

_ABOVE = "!"
"""`<id>!` sorts after a group's id and before the next one: ids are hex and have one length."""

_ENVELOPE_BYTES = 1024 + 2 * NAME_BYTES
"""Of an answer or a chunk, beside its pods, its anchors and its message: some keys, and the names
between which it is whole."""

_ANSWER_MESSAGE_CHARS = 1000
"""Of an answer that has pods to carry, too."""


class Piece(NamedTuple):
    """An event, or an answer or part of one: what a frame has room for or not."""

    text: str
    size: int
    is_answer: bool


def size_of(text: str) -> int:
    return len(text.encode())


def json_of(message: Message) -> str:
    """Without fields that are None: None is what an absent field means, everywhere."""
    return message.model_dump_json(exclude_none=True)


def event_text(seq: int, pod: PodObservation, room: int) -> tuple[str, int]:
    text = json_of(Event(seq=seq, pod=pod))
    if size_of(text) > room:
        text = json_of(Event(seq=seq, pod=_cut(pod, room - _EVENT_BYTES)))
    return text, size_of(text)


_EVENT_BYTES = len('{"seq":,"pod":}') + 20


def _cut(pod: PodObservation, room: int) -> PodObservation:
    """The pod with as much of its message as fits, and without what only explains it. Raises
    `ValueError` where even none of it does: the names in an observation are bounded by whoever made
    it."""
    if pod.detail is not None and size_of(json_of(pod)) > room:
        pod = pod.model_copy(update={"detail": None})
    while size_of(json_of(pod)) > room:
        if not pod.message:
            raise ValueError(f"the observation of pod {pod.uid} is too large for a frame")
        pod = pod.model_copy(update={"message": pod.message[: len(pod.message) // 2]})
    return pod


def batches(pieces: Iterable[Piece], room: int, most: int) -> Iterator[list[Piece]]:
    """A piece that is larger than the room has a frame of its own kind for itself, and fits it."""
    batch: list[Piece] = []
    size = 0
    for piece in pieces:
        if batch and (len(batch) == most or size + piece.size + 1 > room):
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += piece.size + 1
    if batch:
        yield batch


def answer_texts(result: JobResult) -> list[str]:
    whole = json_of(result)
    if size_of(whole) <= FRAME_BYTES:
        return [whole]
    brief = result.model_copy(update={"message": result.message[:_ANSWER_MESSAGE_CHARS]})
    empty = brief.model_copy(update={"observations": []})
    room = FRAME_BYTES - _ENVELOPE_BYTES - size_of(json_of(empty))
    parts = _by_task(result.observations, room, room)
    texts = []
    for number, (tasks, pods) in enumerate(parts, start=1):
        part = {"observations": pods, "tasks": tasks, "more": number < len(parts)}
        texts.append(json_of(brief.model_copy(update=part)))
    return texts


def _by_task(
    pods: Sequence[PodObservation], first_room: int, room: int
) -> list[tuple[tuple[str, str], list[PodObservation]]]:
    """The pods in parts that fit, with the range of tasks for which each part is whole."""
    parts: list[list[PodObservation]] = [[]]
    starts = [_LOWEST]
    left = first_room
    for task, same in groupby(sorted(pods, key=_task_of), key=_task_of):
        fitting, size = _fitting(list(same), room)
        if size > left and (parts[-1] or len(parts) == 1):
            parts.append([])
            starts.append(task)
            left = room
        parts[-1] += fitting
        left -= size
    ends = [*map(below, starts[1:]), _HIGHEST]
    return list(zip(zip(starts, ends, strict=True), parts, strict=True))


def _fitting(attempts: list[PodObservation], room: int) -> tuple[list[PodObservation], int]:
    """All attempts of one task, and their size, with less of their messages where they are many.
    Where even that is too much, the newest: what an older one did was said as news."""
    fitting: list[PodObservation] = []
    size = 0
    for pod in sorted(attempts, key=attrgetter("retry"), reverse=True):
        share = max(room // len(attempts) - 1, size_of(json_of(_without_message(pod))))
        said = _cut(pod, share)
        more = size_of(json_of(said)) + 1
        if size + more > room:
            break
        fitting.insert(0, said)
        size += more
    return fitting, size


def _without_message(pod: PodObservation) -> PodObservation:
    return pod.model_copy(update={"message": ""})


def chunks(boot_id: str, anchors: Sequence[Anchor], pods: Sequence[PodObservation]) -> list[str]:
    """The inventory in frames. Their ranges leave no gap: a group that is gone altogether is missed
    in the range in which it would lie."""
    room = FRAME_BYTES - _ENVELOPE_BYTES
    texts: list[str] = []
    batch = _Holding()
    start = _LOWEST

    def say(first: str, last: str, held: _Holding, tasks: tuple[str, str] | None = None) -> None:
        chunk = Inventory(boot_id=boot_id, first=first, last=last)
        contents = {"anchors": held.anchors, "pods": held.pods, "tasks": tasks}
        texts.append(json_of(chunk.model_copy(update=contents)))

    for group, held in sorted(_by_group(anchors, pods).items()):
        if held.size > room:
            say(start, below(group), batch)
            batch, start = _Holding(), group + _ABOVE
            *full, last = _anchors_apart(held.anchors, room)
            for anchors in full:
                say(group, group, _Holding(anchors), _NO_TASK)
            first_room = room - sum(size_of(json_of(anchor)) + 1 for anchor in last)
            parts = _by_task(held.pods, first_room, room)
            for number, (tasks, some) in enumerate(parts):
                say(group, group, _Holding(last if number == 0 else [], some), tasks)
            continue
        if batch.size + held.size > room:
            say(start, below(group), batch)
            batch, start = _Holding(), group
        batch.add(held)
    say(start, _HIGHEST, batch)
    return texts


_NO_TASK = (_LOWEST, _LOWEST)
"""A range in which no task lies: nothing is absent in it."""


def _anchors_apart(anchors: Sequence[Anchor], room: int) -> list[list[Anchor]]:
    """A group that was begun anew often has many; the last of them leave room for pods."""
    apart: list[list[Anchor]] = [[]]
    left = room // 2
    for anchor in anchors:
        size = size_of(json_of(anchor)) + 1
        if size > left:
            apart.append([])
            left = room // 2
        apart[-1].append(anchor)
        left -= size
    return apart


@dataclass(slots=True)
class _Holding:
    anchors: list[Anchor] = field(default_factory=list)
    pods: list[PodObservation] = field(default_factory=list)
    size: int = 0

    def add(self, other: "_Holding") -> None:
        self.anchors += other.anchors
        self.pods += other.pods
        self.size += other.size


def _by_group(anchors: Iterable[Anchor], pods: Iterable[PodObservation]) -> dict[GroupId, _Holding]:
    groups: dict[GroupId, _Holding] = {}
    for anchor in anchors:
        held = groups.setdefault(anchor.group, _Holding())
        held.anchors.append(anchor)
        held.size += size_of(json_of(anchor)) + 1
    for pod in pods:
        held = groups.setdefault(pod.group, _Holding())
        held.pods.append(pod)
        held.size += size_of(json_of(pod)) + 1
    return groups


def below(key: str) -> str:
    """A string below a group's id or a name that none of the others between exceeds."""
    last = ord(key[-1])
    if last == 0:
        return key[:-1]
    before = _BEFORE_SURROGATES if last == _AFTER_SURROGATES else last - 1
    return f"{key[:-1]}{chr(before)}{_HIGHEST}"


_BEFORE_SURROGATES, _AFTER_SURROGATES = 0xD7FF, 0xE000
"""What is between them can be said in no UTF-8."""


_task_of = attrgetter("task")
