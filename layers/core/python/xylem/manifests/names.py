"""The names by which the objects of a group are known in a cluster.

The manifests write them, the Backend Worker adds its own, the Backend Listener reads them back: an
observation's fences are what the pod's annotations say. Fences are annotations and not labels
because a workflow's or a task's name may be longer than the 63 characters of a label's value; what
is selected by (the group, 32 hex digits) is a label.
"""

WORKFLOW = "xylem.dev/workflow"
GROUP = "xylem.dev/group"
INCARNATION = "xylem.dev/incarnation"
TASK = "xylem.dev/task"
RETRY = "xylem.dev/retry"

FROM_TEMPLATE = "xylem.dev/from-template"
"""Beside the pods: made of a group template, so other groups may have the same object."""

FINALIZER = "osmo.nvidia.com/cleanup"
"""Holds a pod until its end was acknowledged, and an anchor until its time has come."""

GATE = "xylem.dev/group"
"""The scheduling gate of every pod: the group starts when all of it exists."""

GROUP_LABEL = "osmo.group_uuid"

TOPOLOGY_LABEL = "xylem.dev/topology-"
"""Before the position of a topology key: whose neighbour a pod is."""

VALUE_CHARS = 63
"""Of a label's value and of a DNS label."""


def container_name(task: str) -> str:
    """The task's name as a DNS label."""
    return task.lower().replace("_", "-")[:VALUE_CHARS].rstrip("-")
