"""Mailbox rows as frames: jobs for a backend, as few frames as their sizes allow."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from xylem.ports.backends import Mail
from xylem.ports.blobs import Blobs
from xylem.protocol.agent import Job, Jobs
from xylem.protocol.limits import FRAME_BYTES

URL_LIFE = timedelta(minutes=15)
"""Of a presigned payload: an operator begins a create within 5 minutes or not at all; a later push
carries a new one."""

_ENVELOPE = len(Jobs(jobs=[]).model_dump_json())


def frames(mail: Sequence[Mail], *, store: Blobs) -> Iterator[str]:
    return frames_of(_job(row, store) for row in mail)


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


def _job(row: Mail, store: Blobs) -> Job:
    return Job(
        workflow=row.workflow,
        job_id=row.id,
        ordinal=row.ordinal,
        after=row.after,
        kind=row.kind,
        payload=base64.b64encode(row.payload).decode() if row.payload is not None else None,
        payload_url=store.get_url(row.payload_key, expires=URL_LIFE) if row.payload_key else None,
    )
