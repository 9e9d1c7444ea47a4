"""Who is in office: a Kubernetes Lease, of which one operator process is the holder.

A *tenure* is a holder and the lease's count of transitions. Every taking raises the count, so no
tenure comes back, and a process that wonders whether its own still lasts reads the lease and
compares (`Tenure.is_held`). A process that lost the lease exits; it never waits for it again with
old sockets.

Times, and why: a lease is good for 15 s, renewed every 4 s, given up after 10 s without success:
the values of client-go's leader election (15, 2, 10), with half of its requests. Whether another's
lease has run out is measured by our own clock, from when we saw it change last: clocks of two
machines are never compared.

The holder's name is `<pod>_<boot id>`. A process takes over at once what an earlier process of the
*same pod* held: a container is only started again when the one before it has ended (and `xylem
local` starts its operator again in the same way), so waiting 15 s would cost every restart 15 s and
protect nobody. Were the earlier process alive after all (its supervisor killed, say), it would be
treated like anybody who lost the lease: the count went up, so its next renewal fails and it exits,
and a create that it has begun stops where it reads its tenure. So a pod's name must not be given to
two operators that run at the same time: they would throw each other out for ever, though never do
anything twice.

Rejected: client-go's habit of comparing the holder alone (a process that lost the lease and won it
again could not know it), and giving the lease's name to the process for life (a second replica
could never take over from a pod that is gone).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from operators.shared.calls import Pause, Procedure, create, read, replace
from operators.shared.resources import LEASE, Conflict, Json, NotFound, Unreachable

LEASE_NAME = "xylem-operator"
LEASE_SECONDS = 15
RENEW_SECONDS = 4.0
GIVE_UP_AFTER = timedelta(seconds=10)
RETRY_SECONDS = 1.0

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Tenure:
    holder: str
    transitions: int

    def is_held(self) -> Procedure[bool]:
        """Read from the API server now, not from memory."""
        try:
            return self.is_of((yield from read(LEASE, LEASE_NAME)))
        except NotFound:
            return False

    def is_of(self, lease: Json) -> bool:
        return (self.holder, self.transitions) == (_holder(lease), _transitions(lease))


def acquire(
    pod_name: str, boot_id: str, clock: Clock, stamps: Clock | None = None
) -> Procedure[tuple[Tenure, Json]]:
    """Waits until this process is in office. Returns its tenure and the lease. What passes is
    measured by `clock`; `stamps` is the time that others read."""
    holder = f"{pod_name}_{boot_id}"
    seen: Json | None = None
    unchanged_since = clock()
    while True:
        try:
            lease = yield from read(LEASE, LEASE_NAME)
        except NotFound:
            lease = None
        except Unreachable:
            yield Pause(RETRY_SECONDS)
            continue
        if lease is None or seen is None or lease["spec"] != seen["spec"]:
            seen, unchanged_since = lease, clock()
        if lease is None or _is_free(lease, pod_name, clock() - unchanged_since):
            taken = yield from _taken(lease, holder, (stamps or clock)())
            if taken is not None:
                return Tenure(holder, _transitions(taken)), taken
        yield Pause(RETRY_SECONDS)


def keep(tenure: Tenure, lease: Json, clock: Clock, stamps: Clock | None = None) -> Procedure[str]:
    """Renews until the office is lost; returns how. The caller exits."""
    renewed_at = clock()
    while True:
        yield Pause(RENEW_SECONDS)
        begun_at = clock()
        try:
            lease = yield from replace(LEASE, _renewed(lease, (stamps or clock)()))
            renewed_at = begun_at
        except Conflict:
            try:
                lease = yield from read(LEASE, LEASE_NAME)
            except NotFound:
                return "the lease was deleted"
            except Unreachable:
                pass
            if not tenure.is_of(lease):
                return f"the lease went to {_holder(lease)}"
        except NotFound:
            return "the lease was deleted"
        except Unreachable as silence:
            if clock() - renewed_at >= GIVE_UP_AFTER:
                return f"the lease could not be renewed: {silence}"
        if clock() - renewed_at >= GIVE_UP_AFTER:
            return "the lease could not be renewed in time"


def resign(tenure: Tenure) -> Procedure[None]:
    """Leaves office at once, so that a second replica need not wait. Whoever takes it raises the
    count, which ends whatever of this tenure is still on its way."""
    try:
        lease = yield from read(LEASE, LEASE_NAME)
        if tenure.is_of(lease):
            spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
            yield from replace(LEASE, {**lease, "spec": spec})
    except (Conflict, NotFound, Unreachable):
        return


def _is_free(lease: Json, pod_name: str, unchanged_for: timedelta) -> bool:
    holder = _holder(lease)
    if not holder or holder.rpartition("_")[0] == pod_name:
        return True
    good_for = lease["spec"].get("leaseDurationSeconds") or LEASE_SECONDS
    return unchanged_for > timedelta(seconds=good_for)


def _taken(lease: Json | None, holder: str, now: datetime) -> Procedure[Json | None]:
    """None: somebody was faster, or nobody answered."""
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": LEASE_SECONDS,
        "acquireTime": _stamp(now),
        "renewTime": _stamp(now),
        "leaseTransitions": 0 if lease is None else _transitions(lease) + 1,
    }
    new = {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "metadata": {"name": LEASE_NAME},
        "spec": spec,
    }
    try:
        if lease is None:
            return (yield from create(LEASE, new))
        return (yield from replace(LEASE, {**lease, "spec": spec}))
    except (Conflict, NotFound, Unreachable):
        return None


def _renewed(lease: Json, now: datetime) -> Json:
    return {**lease, "spec": {**lease["spec"], "renewTime": _stamp(now)}}


def _holder(lease: Json) -> str:
    return str(lease["spec"].get("holderIdentity") or "")


def _transitions(lease: Json) -> int:
    return int(lease["spec"].get("leaseTransitions") or 0)


def _stamp(moment: datetime) -> str:
    """MicroTime, as the API server wants it."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
