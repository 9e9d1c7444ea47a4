"""A frame of an operator, vetted: what of it may go on, and what is refused in words.

A credential of one backend is enough to say anything, so whatever would make a decision fail later
is refused here, before it lies in a queue beside what others said of the same workflow: there one
message that raises holds up its neighbours. What no store can hold and no row can be is looked for,
not what is true; that is for the commit to find, which knows the rows.

An event that cannot be understood is rejected alone, by its number, and the others of its frame go
on: an operator says again what nobody answers, so one pod with a word of tomorrow would keep
forty-nine others from being heard. An answer to a job is refused whole, because what would be
missing in it would count as lost; so is a frame whose events have no numbers to be rejected by.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import JsonValue, ValidationError

from xylem.domain.errors import InvalidRequest, TooLarge
from xylem.domain.ids import is_group_id
from xylem.domain.values import dataclass
from xylem.protocol.agent import (
    Anchor,
    BootId,
    Bundle,
    Event,
    FromOperator,
    Inventory,
    JobResult,
    News,
    NodeAmounts,
    Nodes,
    OperatorMessage,
    PodObservation,
    Rejected,
    Seq,
    operator_message,
)
from xylem.protocol.limits import (
    FRAME_BYTES,
    GONE_NODES,
    NAME_CHARS,
    NEWS_EVENTS,
    NODES_A_FRAME,
    REASON_CHARS,
)
from xylem.protocol.message import Message

NUMBERS_BELOW = 2**63
"""Whoever counts to there has other troubles; DynamoDB keeps 38 digits, JSON has no bound."""

COUNTS_BELOW = 10**9
"""Incarnations and retries: the Listener reads nine digits of an annotation."""

EXIT_CODES_BELOW = 2**31
"""Kubernetes' exit codes are int32; the Listener adds a few thousand."""

_MAIL_ID = re.compile(r"[0-9a-f]{1,32}(#[0-9]{6,9}){2}")


@dataclass(frozen=True, slots=True)
class Vetted:
    """`message` None: nothing is left of it."""

    message: OperatorMessage | None
    rejected: tuple[Rejected, ...] = ()
    left_out: int = 0
    """Of an inventory, in which an absence decides nothing."""


def vet(text: str) -> Vetted:
    """Raises `TooLarge` or `InvalidRequest` for what is refused as a whole."""
    size = len(text.encode(errors="replace"))
    if size > FRAME_BYTES:
        raise TooLarge(f"a frame of {size} bytes: at most {FRAME_BYTES} are taken")
    message, rejected = _read(text)
    match message:
        case News(boot_id=boot_id, events=events) | Bundle(boot_id=boot_id, events=events):
            sound, flawed = _sorted_out(boot_id, events)
            rejected += flawed
            if isinstance(message, Bundle):
                _require_sound(message.results)
            if flawed:
                message = message.model_copy(update={"events": sound})
        case JobResult():
            _require_sound([message])
        case Inventory(anchors=anchors, pods=pods):
            kept = [anchor for anchor in anchors if not any(_flaws_of_anchor(anchor))]
            seen = [pod for pod in pods if not any(_flaws(pod))]
            left_out = len(anchors) + len(pods) - len(kept) - len(seen)
            if left_out:
                message = message.model_copy(update={"anchors": kept, "pods": seen})
            return Vetted(message, left_out=left_out)
        case Nodes():
            _require_few(message)
    if isinstance(message, News) and not message.events:
        message = None
    return Vetted(message, tuple(rejected))


# Reading -----------------------------------------------------------------------------------------


class _Loose(FromOperator):
    """News of which some events are not understood."""

    type: Literal["news", "bundle"]
    boot_id: BootId
    events: list[JsonValue]
    results: list[JobResult] = []


class _Numbered(Message):
    seq: Seq


def _read(text: str) -> tuple[OperatorMessage | None, list[Rejected]]:
    try:
        return operator_message.validate_json(text), []
    except ValidationError as error:
        refusal = InvalidRequest(f"not a message of an operator: {_first(error)}")
    except UnicodeEncodeError:
        raise InvalidRequest("not a message of an operator: it is no Unicode") from None
    try:
        loose = _Loose.model_validate_json(text)
        if not 1 <= len(loose.events) <= NEWS_EVENTS or len(loose.results) > NEWS_EVENTS:
            raise refusal
        events, rejected = _understood(loose)
    except ValidationError:
        raise refusal from None
    if not rejected:
        raise refusal
    if loose.results:
        return Bundle(boot_id=loose.boot_id, events=events, results=loose.results), rejected
    return (News(boot_id=loose.boot_id, events=events) if events else None), rejected


def _understood(loose: _Loose) -> tuple[list[Event], list[Rejected]]:
    """Raises `ValidationError` for an event that has not even a number."""
    events, rejected = [], []
    for raw in loose.events:
        try:
            events.append(Event.model_validate(raw))
        except ValidationError as error:
            seq = _Numbered.model_validate(raw).seq
            rejected.append(_rejected(loose.boot_id, seq, "invalid", _first(error)))
    return events, rejected


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


# What is sound -----------------------------------------------------------------------------------


def _sorted_out(boot_id: BootId, events: list[Event]) -> tuple[list[Event], list[Rejected]]:
    sound, rejected = [], []
    for event in events:
        if event.seq >= NUMBERS_BELOW:
            raise InvalidRequest(f"seq: below {NUMBERS_BELOW}")
        code: Literal["unknown_entity", "invalid"]
        flaw = next(_impossible(event.pod), None)
        code = "unknown_entity" if flaw else "invalid"
        flaw = flaw or next(_flaws(event.pod), None)
        if flaw is None:
            sound.append(event)
        else:
            rejected.append(_rejected(boot_id, event.seq, code, flaw))
    return sound, rejected


def _rejected(
    boot_id: BootId, seq: int, code: Literal["unknown_entity", "invalid"], why: str
) -> Rejected:
    if seq >= NUMBERS_BELOW:
        raise InvalidRequest(f"seq: below {NUMBERS_BELOW}")
    return Rejected(boot_id=boot_id, seq=seq, code=code, message=why[:REASON_CHARS])


def _require_sound(results: list[JobResult]) -> None:
    for result in results:
        if not _MAIL_ID.fullmatch(result.job_id):
            raise InvalidRequest("job_id: <group>#<incarnation>#<ordinal>, as it was pushed")
        if not _is_name(result.workflow):
            raise InvalidRequest(f"workflow: 1 to {NAME_CHARS} characters")
        for pod in result.observations:
            for flaw in _flaws(pod):
                raise InvalidRequest(f"observations: {flaw}")


def _require_few(said: Nodes) -> None:
    """As many as a frame of an honest operator has: each is a write, and they are not free."""
    if len(said.nodes) > NODES_A_FRAME or len(said.gone) > GONE_NODES:
        raise InvalidRequest(f"at most {NODES_A_FRAME} nodes and {GONE_NODES} that are gone")
    if not all(map(_is_name, said.gone)):
        raise InvalidRequest(f"gone: names of 1 to {NAME_CHARS} characters")
    if said.whole is not None and not said.whole[0] <= said.whole[1] <= "~" * NAME_CHARS:
        raise InvalidRequest("whole: the first name and the last, in this order")
    numbers = [said.number]
    for node in said.nodes:
        numbers += [use.pods for use in node.uses]
        of_uses = (use.amounts for use in node.uses)
        for amounts in (node.capacity, node.allocatable, node.others, *of_uses):
            numbers += _amounts(amounts) if amounts is not None else ()
    if max(numbers) >= NUMBERS_BELOW:
        raise InvalidRequest(f"numbers are below {NUMBERS_BELOW}")


def _amounts(amounts: NodeAmounts) -> tuple[int, ...]:
    return amounts.cpu, amounts.gpu, amounts.memory, amounts.storage


def _flaws(pod: PodObservation) -> Iterator[str]:
    """Why this cannot be stored, or compared with what is."""
    yield from _impossible(pod)
    for name in ("task", "uid", "node", "pod_ip"):
        if len(getattr(pod, name) or "") > NAME_CHARS:
            yield f"{name}: at most {NAME_CHARS} characters"
    for count in ("incarnation", "retry"):
        if not 0 <= getattr(pod, count) < COUNTS_BELOW:
            yield f"{count}: from 0 to below {COUNTS_BELOW}"
    if not -EXIT_CODES_BELOW <= (pod.exit_code or 0) < EXIT_CODES_BELOW:
        yield f"exit_code: from {-EXIT_CODES_BELOW} to below {EXIT_CODES_BELOW}"
    for moment in (pod.scheduled_at, pod.initializing_at, pod.started_at, pod.ended_at):
        if moment is not None and not _is_moment(moment):
            yield "times are ISO 8601, with an offset"


def _impossible(pod: PodObservation) -> Iterator[str]:
    if not is_group_id(pod.group) or not _is_name(pod.workflow):
        yield "no such workflow or group"


def _flaws_of_anchor(anchor: Anchor) -> Iterator[str]:
    if not is_group_id(anchor.group) or not _is_name(anchor.workflow):
        yield "no such workflow or group"
    if not 0 <= anchor.incarnation < COUNTS_BELOW:
        yield f"incarnation: from 0 to below {COUNTS_BELOW}"


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_CHARS


def _is_moment(moment: datetime) -> bool:
    """One that has an offset, and of which others are not out of reach of a calendar."""
    return moment.tzinfo is not None and 1 < moment.year < 9999
