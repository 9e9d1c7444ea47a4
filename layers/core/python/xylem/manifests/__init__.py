"""A group of tasks -> Kubernetes objects: plain dicts, pure, the same for the same facts.

`render` makes what a group needs: Secrets, a headless Service for a gang, one pod an attempt. The
Backend Worker adds what only the cluster knows: the namespace, the anchor and its ownership.
"""

from xylem.manifests.facts import GroupFacts
from xylem.manifests.group import render, secrets_in

__all__ = ["GroupFacts", "render", "secrets_in"]
