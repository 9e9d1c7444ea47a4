"""What a task hands on to others: names and presigned URLs; the bytes never pass through us.

Outputs lie under `data/<workflow>/<task>/<retry>/` of the data bucket. An input is the output of
the attempt that completed, resolved on the first page and kept in the cursor: pages of one download
never mix attempts.
"""

import re
from datetime import timedelta

from xylem.domain.errors import InvalidRequest, Refused
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.plan import TaskInput
from xylem.domain.status import TaskStatus
from xylem.ports import Attempt, Blobs, Workflows
from xylem.protocol.runtime import (
    PAGE_FILES,
    InputFile,
    InputPage,
    InputQuery,
    OutputPage,
    OutputQuery,
    OutputTarget,
)
from xylem.usecases.specs import SpecFile, spec_key

URL_LIFE = timedelta(hours=1)
KEY_BYTES = 1024
"""S3's limit on a key (docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""


def inputs(
    attempt: Attempt, query: InputQuery, *, workflows: Workflows, store: Blobs, data: Blobs
) -> InputPage:
    """A page of the files of one of the task's inputs. Raises `InvalidRequest`, `Refused`."""
    wanted = _declared(attempt, query.index, workflows, store)
    retry, cursor = _position(query.cursor)
    if retry is None:
        retry = _completed(attempt.workflow, wanted.task, workflows)
    prefix = _prefix(attempt.workflow, wanted.task, retry)
    matches = re.compile(wanted.regex).match
    while True:
        page = data.list(prefix, cursor=cursor, limit=PAGE_FILES)
        cursor = page.cursor
        files = [
            InputFile(
                path=blob.key[len(prefix) :],
                size=blob.size,
                url=data.get_url(blob.key, expires=URL_LIFE),
            )
            for blob in page.blobs
            if matches(blob.key[len(prefix) :])
        ]
        if files or cursor is None:
            return InputPage(files=files, cursor=f"{retry}:{cursor}" if cursor else None)


def outputs(attempt: Attempt, query: OutputQuery, *, data: Blobs) -> OutputPage:
    """Where to put the files. Raises `InvalidRequest`."""
    prefix = _prefix(attempt.workflow, attempt.task, attempt.retry)
    for file in query.files:
        _check(file.path, prefix)
    return OutputPage(
        files=[
            OutputTarget(path=file.path, url=data.put_url(prefix + file.path, expires=URL_LIFE))
            for file in query.files
        ]
    )


def _declared(attempt: Attempt, index: int, workflows: Workflows, store: Blobs) -> TaskInput:
    workflow = workflows.workflow(attempt.workflow).value
    body = store.get(spec_key(workflow.uuid))
    if body is None:
        raise InvalidRequest(
            f"The spec of {attempt.workflow} has expired.", workflow=attempt.workflow
        )
    plan = SpecFile.load(body).plan
    declared = plan.group_of(attempt.task).task(attempt.task).inputs
    if index >= len(declared):
        raise InvalidRequest(
            f"Task {attempt.task} declares {len(declared)} inputs, so there is none of "
            f"number {index}.",
            workflow=attempt.workflow,
        )
    return declared[index]


def _completed(workflow: WorkflowId, task: TaskName, workflows: Workflows) -> int:
    """The retry of the attempt whose output counts."""
    for stored in workflows.groups(workflow):
        found = stored.value.task(task)
        if found is not None and found.status is TaskStatus.COMPLETED:
            return found.retry
    raise Refused(f"Task {task} has not completed.", workflow=workflow)


def _position(cursor: str | None) -> tuple[int | None, str | None]:
    if cursor is None:
        return None, None
    retry, colon, rest = cursor.partition(":")
    if not (retry.isdecimal() and len(retry) < 10 and colon and rest):
        raise InvalidRequest("The cursor is not one of ours: begin without one.")
    return int(retry), rest


def _check(path: str, prefix: str) -> None:
    if any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
        raise InvalidRequest(f"{path!r} is not the relative path of a file.")
    if len((prefix + path).encode("utf-8", "replace")) > KEY_BYTES:
        raise InvalidRequest(
            f"The path {path[:60]}... is too long: with its prefix it has more than {KEY_BYTES} "
            "bytes."
        )


def _prefix(workflow: WorkflowId, task: TaskName, retry: int) -> str:
    return f"data/{workflow}/{task}/{retry}/"
