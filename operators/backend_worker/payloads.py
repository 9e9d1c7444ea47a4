"""What a job carries: unpacked, and sorted into what is done with it."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from operators.shared.anchor import ORDINAL, Names
from operators.shared.calls import Procedure, fetch
from operators.shared.locks import unlocked
from operators.shared.resources import KINDS, POD, SHARED, Json, Kind
from xylem.domain.ids import mail_parts
from xylem.manifests.names import (
    FINALIZER,
    FROM_TEMPLATE,
    GATE,
    GROUP,
    GROUP_LABEL,
    INCARNATION,
    RETRY,
    TASK,
    WORKFLOW,
)
from xylem.protocol.agent import CleanupPayload, CreatePayload, Job

PAYLOAD_BYTES = 64 * 1024 * 1024
"""Of a payload, unpacked: a small gzip must not fill the memory."""

GZIP = 31
"""zlib's `wbits` for a gzip header and trailer."""


class BadPayload(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    others: tuple[tuple[Kind, Json], ...]
    pods: tuple[Json, ...]
    shared: tuple[tuple[Kind, Json], ...] = ()
    templated: tuple[Json, ...] = ()

    @property
    def names(self) -> Names:
        return tuple((kind.api_version, kind.name, name_of(body)) for kind, body in self.others)

    @property
    def templated_names(self) -> Names:
        return tuple((one["apiVersion"], one["kind"], name_of(one)) for one in self.templated)


def payload_of(job: Job) -> Procedure[bytes]:
    """The JSON inside, empty for a job without one."""
    try:
        if job.payload_url is not None:
            packed = yield from fetch(job.payload_url)
            if job.payload_data_key is not None:
                packed = unlocked(packed, base64.b64decode(job.payload_data_key, validate=True))
        elif job.payload is not None:
            packed = base64.b64decode(job.payload, validate=True)
        else:
            return b""
        unpacking = zlib.decompressobj(wbits=GZIP)
        text = unpacking.decompress(packed, PAYLOAD_BYTES + 1)
    except (binascii.Error, zlib.error) as error:
        raise BadPayload(f"the payload is not gzip in base64: {error}") from error
    except ValueError as error:
        raise BadPayload(f"the payload is locked: {error}") from error
    if len(text) > PAYLOAD_BYTES:
        raise BadPayload(f"the payload is larger than {PAYLOAD_BYTES} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise BadPayload("the payload is not one whole gzip stream")
    return text


def how_to_clean(text: bytes) -> CleanupPayload:
    try:
        return CleanupPayload.model_validate_json(text) if text else CleanupPayload()
    except ValidationError as error:
        raise BadPayload(f"the payload is no cleanup: {error}") from error


def plan_of(job: Job, text: bytes) -> Plan:
    try:
        objects = CreatePayload.model_validate_json(text).objects
    except ValidationError as error:
        raise BadPayload(f"the payload is no create: {error}") from error
    others: list[tuple[Kind, Json]] = []
    pods: list[Json] = []
    shared: list[tuple[Kind, Json]] = []
    templated: list[Json] = []
    for body in objects:
        called = (str(body.get("apiVersion")), str(body.get("kind")))
        kind = KINDS.get(called) or SHARED.get(called)
        metadata = body.get("metadata")
        named = isinstance(metadata, dict) and bool(metadata.get("name"))
        if named and kind is not POD and FROM_TEMPLATE in notes_of(body):
            templated.append(body)
            continue
        if kind is None:
            raise BadPayload(f"cannot create {body.get('apiVersion')} {body.get('kind')} objects")
        if not named:
            raise BadPayload(f"a {kind.name} has no name")
        if kind is POD:
            pods.append(_pod(job, body))
        elif called in SHARED:
            shared.append((kind, _labelled(body)))
        else:
            others.append((kind, body))
    return Plan(tuple(others), tuple(pods), tuple(shared), tuple(templated))


def _labelled(body: Json) -> Json:
    """With the labels by which it is known to be ours, none if it has none."""
    metadata = body["metadata"]
    return {
        **body,
        "metadata": {**metadata, "labels": metadata.get("labels") or {}},
        "spec": body.get("spec") or {},
    }


def _pod(job: Job, body: Json) -> Json:
    """The pod with what all promises hang on: whose it is, its gate and its finalizer."""
    group, incarnation, _ = mail_parts(job.job_id)
    metadata = body["metadata"]
    spec = body.get("spec") or {}
    notes = {
        **notes_of(body),
        WORKFLOW: job.workflow,
        GROUP: group,
        INCARNATION: str(incarnation),
        ORDINAL: str(job.ordinal),
    }
    if not notes.get(TASK) or not str(notes.get(RETRY, "")).isdecimal():
        raise BadPayload(f"pod {name_of(body)} does not say whose attempt it is")
    return {
        **body,
        "metadata": {
            **metadata,
            "annotations": notes,
            "labels": {**(metadata.get("labels") or {}), GROUP_LABEL: group},
            "finalizers": _with(metadata.get("finalizers") or [], FINALIZER),
        },
        "spec": {
            **spec,
            "schedulingGates": _with(spec.get("schedulingGates") or [], {"name": GATE}),
        },
    }


def _with(present: Sequence[object], wanted: object) -> list[object]:
    return list(present) if wanted in present else [*present, wanted]


def name_of(body: Json) -> str:
    return str(body["metadata"]["name"])


def uid_of(body: Json) -> str:
    return str(body["metadata"]["uid"])


def notes_of(body: Json) -> Json:
    return body["metadata"].get("annotations") or {}
