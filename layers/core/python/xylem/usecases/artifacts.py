"""What the tasks of a workflow left in the store, for whoever may read the workflow.

Of each task that ended, the files of its newest attempt: those of an attempt that was replaced, or
that still uploads, are not whole. A page is one of keys, whichever task they belong to, so that a
workflow of ten thousand tasks costs requests by its files alone. Bytes come from the store itself.
"""

from datetime import timedelta

from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import TaskName
from xylem.domain.values import dataclass
from xylem.ports.blobs import Blobs
from xylem.ports.workflows import Workflows
from xylem.usecases import queries

URL_LIFE = timedelta(hours=1)
PAGE_FILES = 500
"""Each of them with a URL that some 600 bytes sign: an answer holds 5 MB."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """`path` is below the task's `{{output}}`; whoever has `url` may read it for an hour."""

    task: TaskName
    retry: int
    path: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class Artifacts:
    """`cursor`: where the next page begins; None: there is none. A page may be empty."""

    artifacts: tuple[Artifact, ...]
    cursor: str | None


def page(
    id_or_uuid: str,
    *,
    task: str | None = None,
    cursor: str | None = None,
    workflows: Workflows,
    data: Blobs,
) -> Artifacts:
    """Raises `UnknownWorkflow`, `UnknownTask`, `InvalidRequest`."""
    described = queries.describe(id_or_uuid, workflows=workflows)
    if task is not None:
        queries.find_task(described, task)
    prefix = f"data/{described.workflow.id}/" + (f"{task}/" if task else "")
    if cursor and not cursor.startswith(prefix):
        raise InvalidRequest("The cursor is not one of these artifacts: begin without it.")
    whole = {
        (one.name, str(one.retry))
        for group in described.groups
        for one in group.tasks
        if one.status.final
    }
    found = data.list(prefix, cursor=cursor, limit=PAGE_FILES)
    artifacts = []
    for blob in found.blobs:
        _, _, name, retry, path = blob.key.split("/", 4)
        if (TaskName(name), retry) in whole:
            url = data.get_url(blob.key, expires=URL_LIFE)
            artifacts.append(Artifact(TaskName(name), int(retry), path, blob.size, url))
    return Artifacts(tuple(artifacts), found.cursor)
