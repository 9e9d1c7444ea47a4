"""The names of things. A `NewType` each, so that mypy notices a group where a task is meant.

Where a value has a form that others rely on, the function that makes it or takes it apart is here.
"""

import hashlib
import re
from typing import NewType

WorkflowId = NewType("WorkflowId", str)
"""`<name>-<number>`, e.g. `hello-1`: unique for ever, what people type."""

WorkflowUuid = NewType("WorkflowUuid", str)
"""32 hex digits: never used twice, what objects in stores and clusters are named by."""

GroupId = NewType("GroupId", str)
"""32 hex digits, unique over all workflows. The first digit is the shard of the workflow's rows in
which the group lies (`shard_of`), so nobody looks a shard up."""

TaskName = NewType("TaskName", str)
BackendName = NewType("BackendName", str)
PoolName = NewType("PoolName", str)
UserName = NewType("UserName", str)
ConnectionId = NewType("ConnectionId", str)

JobId = NewType("JobId", str)
"""A job row's id, never used twice: an old result must not delete a new job."""

MailId = NewType("MailId", str)
"""`<group>#<incarnation>#<ordinal>`: the key of a mailbox row, and the `job_id` on the wire."""


SHARDS = 16
"""Over which the rows of a large workflow's groups are spread, one for each first digit."""


def shard_of(group: GroupId) -> int:
    return int(group[0], 16)


_GROUP_ID = re.compile("[0-9a-f]{1,32}")


def is_group_id(text: str) -> bool:
    """Whether a group could be called so. What is not is no group of ours, without a look."""
    return _GROUP_ID.fullmatch(text) is not None


def group_service(group: GroupId, incarnation: int) -> str:
    """The headless Service of a group, and so the subdomain of its pods."""
    return f"osmo-{group}-{incarnation}"


def task_uuid(group: GroupId, task: TaskName) -> str:
    """32 hex digits, the same for every attempt of the task: host names are made of it."""
    return hashlib.sha256(f"{group}/{task}".encode()).hexdigest()[:32]


def pod_name(
    workflow: WorkflowUuid, group: GroupId, task: TaskName, *, retry: int, incarnation: int
) -> str:
    """OSMO's `<workflow>-<task>`, with the attempt: a retry never waits for a deletion."""
    return f"{workflow[:16]}-{task_uuid(group, task)[:16]}-r{retry}-{incarnation}"


def mail_id(group: GroupId, incarnation: int, ordinal: int) -> MailId:
    return MailId(f"{group}#{incarnation:06d}#{ordinal:06d}")


def mail_parts(mail: MailId) -> tuple[GroupId, int, int]:
    """The group, incarnation and ordinal of a mailbox row. Raises `ValueError` on another form."""
    group, incarnation, ordinal = mail.split("#")
    return GroupId(group), int(incarnation), int(ordinal)
