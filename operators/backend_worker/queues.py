"""Queues of KAI and Volcano: what groups share, and none of them owns.

They are not in the anchor, so no cleanup deletes them; and they are no group's promise, so no crash
spoils them: whoever begins anew sets them right again.
"""

from operators.backend_worker.payloads import Plan, name_of
from operators.shared.calls import Procedure, create, read, replace
from operators.shared.resources import Conflict, Json, NotFound


def set_right(plan: Plan) -> Procedure[None]:
    """What groups share is made by the first that needs it, and is as the last one says; somebody's
    own of that name stays as it is. Who loses a race leaves it to the winner: the next group says
    it again."""
    for kind, body in plan.shared:
        try:
            there = yield from read(kind, name_of(body))
        except NotFound:
            yield from _unless_raced(create(kind, body))
            continue
        ours = body["metadata"]["labels"].items() <= (there["metadata"].get("labels") or {}).items()
        spec = {**(there.get("spec") or {}), **body["spec"]}
        if ours and spec != there.get("spec"):
            yield from _unless_raced(replace(kind, {**there, "spec": spec}))


def _unless_raced(change: Procedure[Json]) -> Procedure[None]:
    try:
        yield from change
    except Conflict:
        return
