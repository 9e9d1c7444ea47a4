"""The inventory: all that the cluster holds of ours, and what is swept up on the way.

Anchors are listed before pods, so a pod in the inventory whose anchor is missing there had one that
was made in between, or has none; and every list is a quorum read. For collecting, the order is the
wrong one: an anchor that was made after the anchors were listed may own a pod that was listed. So
what looks forsaken here is only a suspicion, and `collect_forsaken` reads the anchor again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from operators.shared.anchor import (
    ANCHOR_LABEL,
    Anchor,
    anchor_name,
    anchor_of,
    is_forsaken,
    was_bound,
)
from operators.shared.calls import Procedure, pages
from operators.shared.resources import CONFIG_MAP, POD, Json
from xylem.manifests.names import GROUP_LABEL
from xylem.protocol.agent import PodObservation

ANCHOR_OUTLIVES = timedelta(minutes=15)
"""An anchor stays this long after it was closed. Longer than any request of a process that was not
paused is on its way: a pod that lands after the cleanup finds an anchor that says `closed`."""


@dataclass(slots=True)
class Holdings:
    anchors: list[Anchor] = field(default_factory=list)
    pods: list[PodObservation] = field(default_factory=list)
    suspects: list[Json] = field(default_factory=list)
    """Pods that were never bound and perhaps never will be."""
    strange: list[str] = field(default_factory=list)
    """Labelled like ours, and do not say whose they are: for an admin, because nobody else will
    ever remove them."""


def take_inventory(observe: Callable[[Json], PodObservation | None]) -> Procedure[Holdings]:
    held = Holdings()
    by_name: dict[str, Anchor] = {}

    def take_anchors(config_maps: list[Json]) -> None:
        for each in config_maps:
            anchor = anchor_of(each)
            if anchor is None:
                held.strange.append(f"configmap {each['metadata']['name']}")
                continue
            held.anchors.append(anchor)
            by_name[anchor.name] = anchor

    def take_pods(pods: list[Json]) -> None:
        for pod in pods:
            seen = observe(pod)
            if seen is None:
                held.strange.append(f"pod {pod['metadata']['name']}")
                continue
            held.pods.append(seen)
            anchor = by_name.get(anchor_name(seen.group, seen.incarnation))
            if not was_bound(pod) and is_forsaken(pod, anchor):
                held.suspects.append(pod)

    yield from pages(CONFIG_MAP, f"{ANCHOR_LABEL}=true", take_anchors)
    yield from pages(POD, GROUP_LABEL, take_pods)
    return held


class Closed:
    """Closed anchors, and how long this process has known them to be. The time counts from when we
    saw it, by our own clock: that is later than the closing, and no two machines' clocks are
    compared."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[datetime, Anchor]] = {}

    @property
    def wake_at(self) -> datetime | None:
        earliest = min((since for since, _ in self._since.values()), default=None)
        return None if earliest is None else earliest + ANCHOR_OUTLIVES

    def listed(self, anchors: list[Anchor], now: datetime) -> None:
        self._since = {
            anchor.uid: self._since.get(anchor.uid, (now, anchor))
            for anchor in anchors
            if anchor.state == "closed"
        }

    def outlived(self, now: datetime) -> list[Anchor]:
        """Anchors to be removed; each is named once, and again after the next listing shows it."""
        due = [one for one in self._since.values() if now >= one[0] + ANCHOR_OUTLIVES]
        for _, anchor in due:
            del self._since[anchor.uid]
        return [anchor for _, anchor in due]
