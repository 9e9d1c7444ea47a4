"""The anchor: one ConfigMap for each incarnation of a group, and what may be concluded from it.

It is the first object of an incarnation and the last, owner of all the others. Its state is what
the creates and the cleanup of the incarnation agree on, by compare-and-swap on its resourceVersion:

    creating ──▶ created            a create's swap; a later ordinal adds itself to `done`
        └───┬───────┘
            ▼
         closing ──▶ closed         a cleanup's swaps; removed 15 minutes later

`done` names, for each create that was done, the uids of its pods. Nothing but these pods is ever
released from its gate. `objects` and `templated` name what else was made, so that a cleanup needs
no right to list secrets.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from operators.shared.resources import Json
from xylem.domain.ids import GroupId, WorkflowId
from xylem.domain.values import replace
from xylem.manifests.names import FINALIZER, GROUP, GROUP_LABEL, INCARNATION, WORKFLOW
from xylem.protocol.agent import Anchor as AnchorNews

State = Literal["creating", "created", "closing", "closed"]

Names = Sequence[tuple[str, str, str]]
"""Of objects: apiVersion, kind, name."""

ANCHOR_LABEL = "xylem.dev/anchor"
ORDINAL = "xylem.dev/ordinal"
"""On pods: the ordinal of the create that made it."""


@dataclass(frozen=True, slots=True)
class Anchor:
    workflow: WorkflowId
    group: GroupId
    incarnation: int
    state: State
    done: Mapping[int, tuple[str, ...]]
    """By ordinal: the uids of the pods of this create."""
    objects: tuple[tuple[str, str, str], ...] = ()
    """apiVersion, kind and name of what is not a pod."""
    templated: tuple[tuple[str, str, str], ...] = ()
    """And of what other groups may have, too."""
    uid: str = ""
    version: str = ""
    deleting: bool = False

    @property
    def name(self) -> str:
        return anchor_name(self.group, self.incarnation)

    @property
    def open(self) -> bool:
        return self.state in {"creating", "created"}

    @property
    def news(self) -> AnchorNews:
        return AnchorNews(
            workflow=self.workflow,
            group=self.group,
            incarnation=self.incarnation,
            state=self.state,
            done=max(self.done, default=0),
        )

    @property
    def as_owner(self) -> Json:
        """As what belongs to it names it."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": self.name,
            "uid": self.uid,
            "blockOwnerDeletion": False,
        }

    def with_objects(self, objects: Names, templated: Names = ()) -> "Anchor":
        return replace(
            self,
            objects=tuple(dict.fromkeys((*self.objects, *objects))),
            templated=tuple(dict.fromkeys((*self.templated, *templated))),
        )

    def with_done(self, ordinal: int, uids: Sequence[str]) -> "Anchor":
        done = {**self.done, ordinal: tuple(sorted(uids))}
        return replace(self, state="created", done=done)

    def in_state(self, state: State) -> "Anchor":
        return replace(self, state=state)

    @property
    def body(self) -> Json:
        metadata: Json = {
            "name": self.name,
            "labels": {GROUP_LABEL: self.group, ANCHOR_LABEL: "true"},
            "annotations": {
                WORKFLOW: self.workflow,
                GROUP: self.group,
                INCARNATION: str(self.incarnation),
            },
            "finalizers": [FINALIZER],
        }
        if self.version:
            metadata |= {"uid": self.uid, "resourceVersion": self.version}
        data = {
            "state": self.state,
            "done": _compact({str(ordinal): list(uids) for ordinal, uids in self.done.items()}),
            "objects": _compact([list(named) for named in self.objects]),
        }
        if self.templated:
            data["templated"] = _compact([list(named) for named in self.templated])
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def anchor_name(group: GroupId, incarnation: int) -> str:
    return f"xylem-{group}-{incarnation}"


def anchor_of(config_map: Json) -> Anchor | None:
    """None for a ConfigMap that is no anchor of ours, whatever it is labelled."""
    metadata = config_map["metadata"]
    notes = metadata.get("annotations") or {}
    data = config_map.get("data") or {}
    try:
        done = {int(number): tuple(uids) for number, uids in json.loads(data["done"]).items()}
        objects = _names(data["objects"])
        templated = _names(data.get("templated", "[]"))
        anchor = Anchor(
            workflow=WorkflowId(notes[WORKFLOW]),
            group=GroupId(notes[GROUP]),
            incarnation=int(notes[INCARNATION]),
            state=cast("State", data["state"]),
            done=done,
            objects=objects,
            templated=templated,
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            deleting="deletionTimestamp" in metadata,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    known = data["state"] in {"creating", "created", "closing", "closed"}
    return anchor if known and metadata["name"] == anchor.name else None


def _names(text: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((str(a), str(b), str(c)) for a, b, c in json.loads(text))


def is_forsaken(pod: Json, anchor: Anchor | None) -> bool:
    """Whether this pod, which was never bound, can never be released from its gate. The anchor must
    have been read after the pod was seen: before, its create may still have been on its way."""
    if anchor is None or not anchor.open:
        return True
    named = anchor.done.get(ordinal_of(pod))
    return named is not None and pod["metadata"]["uid"] not in named


def ordinal_of(pod: Json) -> int:
    """0 where the pod does not say: no create has that number, so it is never past."""
    text = (pod["metadata"].get("annotations") or {}).get(ORDINAL, "")
    return int(text) if text.isdecimal() else 0


def was_bound(pod: Json) -> bool:
    """A node was chosen, so it may have run. The API server never takes that back."""
    return bool((pod.get("spec") or {}).get("nodeName"))


_compact = json.JSONEncoder(separators=(",", ":")).encode
