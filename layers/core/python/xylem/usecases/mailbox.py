"""Mailbox rows as frames: jobs for a backend, as few frames as their sizes allow.

What is sealed in a row is opened here, for the socket of the one who is to have it: no row, no
object and no queue holds a secret of a create in the open.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from xylem.domain.values import replace
from xylem.ports.backends import Mail
from xylem.ports.blobs import Blobs
from xylem.ports.seals import Seals
from xylem.protocol.agent import Job, Jobs
from xylem.protocol.limits import FRAME_BYTES

URL_LIFE = timedelta(minutes=15)
"""Of a presigned payload: an operator begins a create within 5 minutes or not at all; a later push
carries a new one."""

_ENVELOPE = len(Jobs(jobs=[]).model_dump_json())


def frames(mail: Sequence[Mail], *, store: Blobs, seals: Seals) -> Iterator[str]:
    return frames_of(_job(row, store, seals) for row in mail)


def sealed(mail: Mail, *, seals: Seals) -> Mail:
    """With its payload shut, bound to this row."""
    if mail.payload is None:
        return mail
    payload, key = seals.seal(mail.payload, _context(mail))
    return replace(mail, payload=payload, sealed_by=key)


def frames_of(jobs: Iterable[Job]) -> Iterator[str]:
    batch: list[Job] = []
    size = _ENVELOPE
    for job in jobs:
        bytes_ = len(job.model_dump_json().encode()) + 1
        if batch and size + bytes_ > FRAME_BYTES:
            yield Jobs(jobs=batch).model_dump_json()
            batch, size = [], _ENVELOPE
        batch.append(job)
        size += bytes_
    if batch:
        yield Jobs(jobs=batch).model_dump_json()


def _job(row: Mail, store: Blobs, seals: Seals) -> Job:
    payload = row.payload
    if payload is not None and row.sealed_by is not None:
        payload = seals.open(payload, row.sealed_by, _context(row))
    text = base64.b64encode(payload).decode() if payload is not None else None
    return Job(
        workflow=row.workflow,
        job_id=row.id,
        ordinal=row.ordinal,
        after=row.after,
        kind=row.kind,
        payload=None if row.payload_key else text,
        payload_url=store.get_url(row.payload_key, expires=URL_LIFE) if row.payload_key else None,
        payload_data_key=text if row.payload_key else None,
    )


def _context(mail: Mail) -> dict[str, str]:
    return {"backend": mail.backend, "mail": mail.id}
