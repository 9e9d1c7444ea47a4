"""A backend test: what proves, again and again, that the nodes of a cluster work.

At each of its times a pod of the test runs on every node that its templates select, tries what it
is for (a GPU, a mount, a connection), and says the outcome in a condition of its node. What a
condition means for the use of the node is in the backend's rules
(`xylem.domain.node_conditions`).

A backend names its tests, a test its pod templates, as pools do: by what is looked up when it is
needed, so that a template that is changed is changed for its tests, too.
"""

from xylem.domain.values import dataclass

DEFAULT_TIMEOUT = "300s"
"""OSMO's."""


@dataclass(frozen=True, slots=True)
class BackendTest:
    """`schedule`: five fields of cron, in UTC. `timeout`: as the admin wrote it; what has not been
    said by then is unknown. `conditions`: those that its pods set, without the backend's prefix."""

    schedule: str
    conditions: tuple[str, ...]
    pod_templates: tuple[str, ...]
    timeout: str = DEFAULT_TIMEOUT
    description: str = ""
