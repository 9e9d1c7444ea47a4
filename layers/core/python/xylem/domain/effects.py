"""Everything the engine can ask the world to do: a closed union, each member tagged by its `kind`.

Adding a member breaks mypy until every interpreter performs it (`assert_never`). The tag is what
keeps two effects of the same shape apart once they were written down as JSON.
"""

from typing import Literal

from xylem.domain.ids import GroupId
from xylem.domain.status import TaskStatus
from xylem.domain.task import Task
from xylem.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class StartGroup:
    """The group's pods are to be made: a job for the Worker, which renders them."""

    group: GroupId
    kind: Literal["start_group"] = "start_group"


@dataclass(frozen=True, slots=True)
class Replaced:
    """This attempt ended and a newer one takes its place in the group: its own row keeps how it
    ended, and the pod of the newer one is to be made: a job for the Worker."""

    group: GroupId
    attempt: Task
    kind: Literal["replaced"] = "replaced"


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Everything the group has in its cluster is to be deleted: a mailbox row. The older mailbox
    rows in `superseded` (their ordinals) go with the same commit. `force`: without grace."""

    group: GroupId
    incarnation: int
    ordinal: int
    superseded: tuple[int, ...] = ()
    force: bool = False
    kind: Literal["clean_up"] = "clean_up"


@dataclass(frozen=True, slots=True)
class Observe:
    """The backend is to say what it sees of the group's pods: a mailbox row."""

    group: GroupId
    incarnation: int
    ordinal: int
    kind: Literal["observe"] = "observe"


@dataclass(frozen=True, slots=True)
class GroupEnded:
    """Who waits for this group is to hear of it, in the same commit."""

    group: GroupId
    status: TaskStatus
    kind: Literal["group_ended"] = "group_ended"


@dataclass(frozen=True, slots=True)
class Refused:
    """This cannot happen in this state. Nothing changes; the use case knows whom to tell."""

    reason: str
    kind: Literal["refused"] = "refused"


Effect = StartGroup | Replaced | CleanUp | Observe | GroupEnded | Refused
