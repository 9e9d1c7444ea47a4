"""What must hold, looked at after each commit, at each start of a command, at each answer.

It compares what the rows say with what really became of each pod, which only a simulation knows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from operators.shared.anchor import ordinal_of, was_bound
from operators.shared.resources import Json
from tests.builders import NOON
from tests.simulation.cluster import (
    Attempt,
    Kube,
    Truth,
    attempt_of,
    has_ended,
    is_deleted,
    is_planted,
)
from tests.simulation.faults import SKEW
from tests.simulation.schedule import Schedule, Violation
from tests.simulation.service import Service
from xylem.domain.deadlines import deadline
from xylem.domain.group import Cleanup, Group, to_make, to_start
from xylem.domain.ids import ConnectionId, GroupId, JobId, TaskName, WorkflowId, mail_id, shard_of
from xylem.domain.status import ExitCode, TaskStatus
from xylem.domain.task import Task
from xylem.domain.workflow import Counts, Workflow
from xylem.ports import task_tokens
from xylem.ports.jobs import Job, SettleGroup, StartGroups, SweepWorkflow
from xylem.ports.stored import Stored
from xylem.ports.workflows import Commit
from xylem.protocol.agent import Ack, PodObservation, Rejected, agent_message

if TYPE_CHECKING:
    from tests.simulation.sidecars import Sidecars

LOST = "The pod disappeared from its cluster."
SMALL = 10
LARGE_EVERY = 20

TIMEOUTS_WITHIN = 1500.0
"""Seconds, without faults, until a deadline that has passed was noticed, and asked about."""

MEETS_WITHIN = 300.0
"""Seconds, without faults, until a gang of which all pods run has met."""

FROM_PODS = {TaskStatus.COMPLETED, TaskStatus.FAILED}


class Oracle:
    def __init__(self, schedule: Schedule, service: Service, kube: Kube) -> None:
        self._schedule = schedule
        self._rows = service.rows
        self._service = service
        self._kube = kube
        self._started: set[Attempt] = set()
        self._newest: dict[tuple[str, int, str], int] = {}
        self._commits: Counter[WorkflowId] = Counter()
        self._closed: set[tuple[str, int]] = set()
        self._said: dict[tuple[str, int], PodObservation] = {}
        self._upstream: dict[GroupId, list[GroupId]] = {}
        self._groups: dict[str, WorkflowId] = {}
        self._at_barrier: set[tuple[Attempt, int]] = set()
        self.sidecars: Sidecars | None = None
        self.calm_since: float | None = None
        self._shrank_at: defaultdict[GroupId, float] = defaultdict(float)
        """When a task of a group ended, for which the others need not wait at a barrier."""

    # The cluster's side --------------------------------------------------------------------------

    def started(self, attempt: Attempt, workflow: str) -> None:
        group, incarnation, task, _ = attempt
        if attempt in self._started:
            raise Violation("S1", f"attempt {attempt} runs twice")
        self._started.add(attempt)
        if self._groups.get(group, workflow) != workflow:
            raise Violation("names do not mix", f"{attempt} is of {workflow}")
        self._alone(attempt)
        stored, known = self._task(attempt)
        never = stored is not None and stored.status.final and stored.cleanup is Cleanup.DONE
        if never or (group, incarnation) in self._closed:
            raise Violation("S2", f"task {task} of {group} starts after its cleanup was answered")
        if known is not None and known.status in FROM_PODS and known.exit_code is not None:
            raise Violation("S3", f"task {task} starts, and had ended: {known.status}")

    def _alone(self, attempt: Attempt) -> None:
        """No attempt runs beside another one of its task that may go on."""
        group, incarnation, task, retry = attempt
        if not is_planted(attempt):
            newest = self._newest.setdefault(attempt[:3], retry)
            if newest > retry:
                raise Violation("S3", f"attempt {attempt} starts after {newest}, which replaced it")
            self._newest[attempt[:3]] = retry
        for pod in self._kube.pods_of(group):
            other = attempt_of(pod)
            goes_on = was_bound(pod) and not has_ended(pod) and not is_deleted(pod)
            if other[:3] == attempt[:3] and other[3] < retry and goes_on:
                raise Violation("S1", f"attempt {attempt} starts while {other} may go on")

    def let_go(self, attempt: Attempt, pod: Json) -> None:
        """Our finalizer leaves a pod."""
        if is_planted(attempt) or not was_bound(pod):
            return
        group, task = self._task(attempt)
        if group is None or task is None or group.status.final or task.status.final:
            return
        raise Violation("S4", f"pod {pod['metadata']['name']} is let go, its end is not stored")

    def said(self, boot_id: str, seq: int, pod: PodObservation) -> None:
        self._said[boot_id, seq] = pod

    def cleaned(self, group: GroupId, incarnation: int) -> None:
        self._closed.add((group, incarnation))

    def observed(self, ended: list[PodObservation], told: set[str]) -> None:
        for pod in ended:
            if pod.uid not in told and not is_planted(_attempt(pod)):
                raise Violation("S4", f"the end of {pod.task} ({pod.uid}) is known and not told")

    def pushed(self, connection: ConnectionId, text: str) -> None:
        if not text.startswith(('{"type":"ack"', '{"type":"rejected"')):
            return
        match agent_message.validate_json(text):
            case Ack(boot_id=boot_id, ranges=ranges):
                for first, last in ranges:
                    for seq in range(first, last + 1):
                        if (boot_id, seq) in self._said:
                            self._acknowledged(self._said[boot_id, seq])
            case Rejected(boot_id=boot_id, seq=seq, code="unknown_entity"):
                pod = self._said[boot_id, seq]
                if self._task(_attempt(pod))[0] is not None:
                    raise Violation("S5", f"{pod.task} of {pod.group} is called unknown")

    def _acknowledged(self, pod: PodObservation) -> None:
        group, task = self._task(_attempt(pod))
        if group is None or group.status.final:
            return
        if task is not None and task.status.rank < pod.status.rank:
            raise Violation(
                "S4", f"{pod.status} of {pod.task} was acknowledged; stored is {task.status}"
            )

    def _task(self, attempt: Attempt) -> tuple[Group | None, Task | None]:
        """As stored; no task where the group has no such attempt any more, or never had."""
        group_id, incarnation, name, retry = attempt
        workflow = self._groups.get(group_id)
        groups = self._rows.stored_groups.get(workflow, {}) if workflow else {}
        stored = groups.get(GroupId(group_id))
        if stored is None:
            return None, None
        task = next((one for one in stored.value.tasks if one.name == name), None)
        same = task and (stored.value.incarnation, task.retry) == (incarnation, retry)
        return stored.value, task if same else None

    # What is begun again -------------------------------------------------------------------------

    def begun_again(self, earlier: WorkflowId, made: WorkflowId, *, restart: bool) -> None:
        """Somebody was told that `made` is `earlier` once more, or what did not complete of it."""
        rows = self._rows
        new, old = rows.stored_workflows[made].value, rows.stored_workflows[earlier].value
        if made == earlier or new.uuid == old.uuid or new.parent != earlier:
            raise Violation("names do not mix", f"{made} comes of {new.parent}, not of {earlier}")
        if restart and not old.status.failed:
            raise Violation("what completed is not run again", f"{earlier} is {old.status}")
        wanted = {
            group.value.name
            for group in rows.stored_groups[earlier].values()
            if not restart or group.value.status.failed
        }
        names = {group.value.name for group in rows.stored_groups[made].values()}
        if names != wanted:
            raise Violation("what completed is not run again", f"{made}: {names}, not {wanted}")

    def refused_again(self, earlier: Workflow, refusal: Exception, *, restart: bool) -> None:
        """`earlier`: as it was when somebody asked."""
        if earlier.status.failed or not restart:
            raise Violation("what failed can be begun again", f"{earlier.id}: {refusal}")

    def reads(self, attempt: Attempt, workflow: str, task: str, urls: list[str]) -> None:
        """A pod's input, from a task of its own workflow or of an earlier one."""
        groups = self._rows.stored_groups[WorkflowId(workflow)].values()
        written = next(one for group in groups if (one := group.value.task(TaskName(task))))
        place = f"data/{workflow}/{task}/{written.retry}/out"
        if written.status is not TaskStatus.COMPLETED or not all(place in url for url in urls):
            raise Violation("a task reads what completed", f"{attempt}: {urls}, not {place}")
        if not urls:
            raise Violation("a task reads what completed", f"{attempt}: there is no {place}")

    # Gangs ---------------------------------------------------------------------------------------

    def arrives(self, attempt: Attempt, restarts: int) -> None:
        """A pod is at its barrier, its command does not run."""
        self._at_barrier.add((attempt, restarts))

    def opened(self, who: task_tokens.Attempt, restarts: int) -> None:
        """The Logger lets a pod begin."""
        stored = self._rows.stored_groups[who.workflow][who.group].value
        if restarts != stored.restarts:
            raise Violation(
                "a gang meets", f"{who.task} at barrier {restarts}; the newest is {stored.restarts}"
            )
        for task in stored.tasks:
            attempt = stored.id, stored.incarnation, task.name, task.retry
            if not task.status.final and (attempt, restarts) not in self._at_barrier:
                raise Violation(
                    "a gang meets", f"{who.task} begins, {attempt} is not at barrier {restarts}"
                )

    def begins(self, attempt: Attempt, restarts: int, met: int) -> None:
        """A command, the first time or anew. `met`: the barrier that its pod came from."""
        if met != restarts:
            raise Violation("a gang meets", f"{attempt} begins run {restarts}, and met at {met}")
        _, task = self._task(attempt)
        if task is not None and task.status in FROM_PODS and task.exit_code is not None:
            raise Violation("S3", f"{attempt} begins anew, and had ended: {task.status}")

    def ran(self, attempt: Attempt, restarts: int, heard: int) -> None:
        """A command ended by itself."""
        if restarts != heard:
            raise Violation(
                "a gang meets", f"{attempt} ends run {restarts}, and knows of restart {heard}"
            )

    def refused(self, attempt: Attempt) -> None:
        """A pod is not let in: its attempt was replaced by another."""
        _, task = self._task(attempt)
        if task is not None:
            raise Violation("S5", f"{attempt} is refused at its barrier, and is {task.status}")

    def waited(self, attempt: Attempt) -> None:
        """The limit came while a pod was at its barrier: then somebody was not to be had."""
        assert self.sidecars is not None
        group, known = self._task(attempt)
        since = self._schedule.seconds - MEETS_WITHIN
        if group is None or known is None or known.status.final:
            return
        quiet = self._shrank_at[group.id], self._kube.returned_at
        if self.calm_since is None or max(self.calm_since, *quiet) > since:
            return
        alive = {attempt_of(pod) for pod in self._kube.pods_of(group.id) if self._kube.answers(pod)}
        for task in group.tasks:
            other = group.id, group.incarnation, task.name, task.retry
            sidecar = self.sidecars.of(other)
            if not task.status.final and (
                sidecar is None or sidecar.moved_at > since or other not in alive
            ):
                return
        raise Violation("a gang meets", f"{attempt} waits, and all the others are there")

    # Commits -------------------------------------------------------------------------------------

    def created(self, workflow: Workflow) -> None:
        groups = self._rows.stored_groups[workflow.id]
        upstream: dict[GroupId, list[GroupId]] = defaultdict(list)
        for stored in groups.values():
            if self._groups.setdefault(stored.value.id, workflow.id) != workflow.id:
                raise Violation("names do not mix", f"{stored.value.id} is of two workflows")
            for id in stored.value.downstream:
                upstream[id].append(stored.value.id)
        self._upstream.update((id, upstream[id]) for id in groups)
        self._something_wakes(workflow.id)
        self._counts(workflow.id)

    def committed(self, commit: Commit, before: dict[GroupId, Stored[Group]]) -> None:
        groups = self._rows.stored_groups.get(commit.workflow, {})
        for id, was in before.items():
            self._monotone(was.value, groups[id].value)
            self._notes_who_is_waited_for(was.value, groups[id].value)
            self._begins_after_upstream(was.value, groups[id].value, commit)
            self._truthful(was.value, groups[id].value)
            self._mail_is_there(groups[id].value)
            self._gates_are_lifted(was.value, groups[id].value)
            self._tried_again(was.value, groups[id].value, commit)
            self._amounts_to_its_tasks(groups[id].value)
        if commit.workflow_change is not None:
            old = commit.workflow_change.before
            new = self._rows.stored_workflows[commit.workflow].value
            if old.status.final and old.status is not new.status:
                raise Violation("S3", f"{new.id} was {old.status} and is {new.status}")
        if commit.workflow in self._rows.stored_workflows and self._is_looked_at(commit.workflow):
            self._counts(commit.workflow)
            self._something_wakes(commit.workflow)

    def _is_looked_at(self, id: WorkflowId) -> bool:
        """All groups of a workflow after each commit; of a large one after one of some."""
        groups = len(self._rows.stored_groups.get(id, ()))
        self._commits[id] += 1
        return groups <= SMALL or self._commits[id] % LARGE_EVERY == 0

    def _monotone(self, was: Group, now: Group) -> None:
        if was.status.final and now.status is not was.status:
            raise Violation("S3", f"group {was.name} was {was.status} and is {now.status}")
        if now.status.rank < was.status.rank:
            raise Violation("S3", f"group {was.name} fell from {was.status} to {now.status}")
        if (now.incarnation, now.ordinal) < (was.incarnation, was.ordinal):
            raise Violation("nothing is undone", f"group {was.name}: ordinal {now.ordinal}")
        for old, new in zip(was.tasks, now.tasks, strict=True):
            if old.retry != new.retry:
                continue
            if old.status.final and (old.status, old.exit_code) != (new.status, new.exit_code):
                raise Violation("S3", f"task {old.name} was {old.status} and is {new.status}")
            if new.status.rank < old.status.rank:
                raise Violation("S3", f"task {old.name} fell from {old.status} to {new.status}")
        if now.waits_for > was.waits_for or now.waits_for < 0:
            raise Violation("counts", f"group {now.name} waits for {now.waits_for}")

    def _notes_who_is_waited_for(self, was: Group, now: Group) -> None:
        if sum(task.status.final for task in now.tasks) > sum(
            task.status.final for task in was.tasks
        ):
            self._shrank_at[now.id] = self._schedule.seconds

    def _begins_after_upstream(self, was: Group, now: Group, commit: Commit) -> None:
        if was.placed or not now.placed:
            return
        workflow = self._rows.stored_workflows[commit.workflow].value
        if workflow.cancel is not None:
            raise Violation("no start after a cancel", f"group {now.name} of {workflow.id}")
        groups = self._rows.stored_groups[commit.workflow]
        for id in self._upstream[now.id]:
            if groups[id].value.status is not TaskStatus.COMPLETED:
                raise Violation(
                    "a group begins after its upstream",
                    f"{now.name}, while {groups[id].value.name} is {groups[id].value.status}",
                )

    def _gates_are_lifted(self, was: Group, now: Group) -> None:
        """A create is answered when its pods are free to run: nobody comes again to lift a gate. A
        pod whose attempt another one has replaced is to be collected, not to run."""
        newest = {task.name: task.retry for task in now.tasks}
        answered = {
            row.ordinal
            for row in was.pending
            if row.kind == "create" and now.awaits(row.ordinal) is None
        }
        if not answered or now.status.final:
            return
        for pod in self._kube.pods_of(now.id):
            attempt = attempt_of(pod)
            ours = attempt[:2] == (now.id, now.incarnation) and not is_planted(attempt)
            if (
                ours
                and ordinal_of(pod) in answered
                and attempt[3] == newest.get(TaskName(attempt[2]))
                and pod["spec"].get("schedulingGates")
                and not self._kube.truths[attempt].meddled
            ):
                raise Violation("S6", f"{attempt[2]} is gated, and its create was answered")

    def _tried_again(self, was: Group, now: Group, commit: Commit) -> None:
        """An attempt that is to be replaced is followed by one, and by no other; what was used of
        which budget is what happened."""
        replaced = {task.name: task for task in commit.replaced.get(now.id, ())}
        if len(replaced) != len(commit.replaced.get(now.id, ())):
            raise Violation("one next attempt", f"{now.name}: {commit.replaced}")
        restarts = 0
        for old, new in zip(was.tasks, now.tasks, strict=True):
            ended = replaced.pop(old.name, None)
            if new.status is TaskStatus.RESCHEDULED:
                raise Violation("one next attempt", f"{new.name}/{new.retry} was not replaced")
            if new.retry == old.retry:
                if ended is not None:
                    raise Violation("one next attempt", f"{old.name}/{old.retry} has none")
                self._handed_over_once(old, new, now)
                continue
            if ended is None or (ended.retry, ended.status) != (old.retry, TaskStatus.RESCHEDULED):
                raise Violation("one next attempt", f"{old.name}: {old.retry}, {new.retry}")
            self._cause(was, old, ended, new)
            strict = not now.ignore_nonlead_status
            restarts += len(now.tasks) > 1 and (old.lead or strict)
        if replaced:
            raise Violation("one next attempt", f"{now.name}: {list(replaced)} has no newer one")
        if now.restarts - was.restarts != restarts:
            raise Violation("restarts are counted", f"{now.name}: {was.restarts}, {now.restarts}")
        if not commit.replaced.get(now.id):
            return
        kept = self._rows.earlier_attempts.get(now.workflow, [])
        mine = Counter((one.task.name, one.task.retry) for one in kept if one.group == now.id)
        wanted = Counter((task.name, retry) for task in now.tasks for retry in range(task.retry))
        if mine != wanted:
            raise Violation("every attempt keeps its row", f"{now.name}: {mine}, {wanted}")

    def _handed_over_once(self, old: Task, new: Task, now: Group) -> None:
        if old.ordinal and new.ordinal != old.ordinal:
            raise Violation("an attempt is handed over once", f"{new.name}: {new.ordinal}")
        if not new.ordinal or old.ordinal or not now.placed:
            return
        row = now.awaits(new.ordinal, "create")
        if row is None and not now.status.final:
            raise Violation("an attempt is handed over once", f"{new.name}: no such create")

    def _cause(self, was: Group, old: Task, ended: Task, new: Task) -> None:
        budget = was.limits.retries
        used = new.disruptions - old.disruptions, new.asked_again - old.asked_again
        over = new.disruptions > budget.disrupted or new.asked_again > budget.asked
        if new.retry != old.retry + 1 or over or new.disruptions + new.asked_again != new.retry:
            raise Violation("each cause has its budget", f"{old.name}: {new}")
        if used not in {(1, 0), (0, 1)}:
            raise Violation("each cause has its budget", f"{old.name}: used {used}")
        attempt = was.id, was.incarnation, old.name, old.retry
        truth = self._kube.truths.get(attempt)
        if truth is None or truth.meddled:
            return  # it was never made, or somebody did something to it
        if ended.message == LOST:
            raise Violation("S5", f"{old.name}/{old.retry} is called lost, and nobody took it")
        if used == (1, 0) and not truth.disrupted and "job failed" not in ended.message:
            raise Violation("S5", f"{old.name}/{old.retry} was not disrupted")
        own = ended.exit_code is not None and ended.exit_code < ExitCode.UPSTREAM
        if used == (0, 1) and own and truth.code not in (None, ended.exit_code):
            raise Violation(
                "a task ends as its pod did", f"{ended.exit_code}, its pod {truth.code}"
            )

    def _amounts_to_its_tasks(self, group: Group) -> None:
        if not group.status.final or group.settling is not None:
            return
        counted = [task for task in group.tasks if task.lead or not group.ignore_nonlead_status]
        if any(not task.status.final for task in group.tasks):
            raise Violation("a group ends with its tasks", f"{group.name} is {group.status}")
        well = all(task.status is TaskStatus.COMPLETED for task in counted)
        if group.status is TaskStatus.COMPLETED and not well:
            raise Violation("a group ends as its tasks did", f"{group.name} is {group.status}")
        if group.status.failed and not any(task.status.failed for task in group.tasks):
            raise Violation("a group ends as its tasks did", f"{group.name} is {group.status}")

    def _mail_is_there(self, group: Group) -> None:
        for row in group.pending:
            key = group.backend, mail_id(group.id, row.incarnation, row.ordinal)
            if key not in self._rows.mail:
                raise Violation("nothing is half changed", f"{group.name} waits for {key[1]}")

    def _truthful(self, was: Group, now: Group) -> None:
        for old, new in zip(was.tasks, now.tasks, strict=True):
            if old.retry != new.retry or old.status.final or not new.status.final:
                continue
            attempt = now.id, now.incarnation, new.name, new.retry
            truth = self._kube.truths.get(attempt, Truth())
            if not truth.meddled:
                self._healthy(was, old, new, attempt, truth)
            ended = new.status in FROM_PODS and new.exit_code is not None and not truth.disrupted
            if ended and truth.code is not None and new.exit_code != truth.code:
                raise Violation(
                    "a task ends as its pod did",
                    f"{new.name} has {new.exit_code}, its pod {truth.code}",
                )

    def _healthy(self, was: Group, old: Task, new: Task, attempt: Attempt, truth: Truth) -> None:
        """S5: what was decided about a task, and what its pod had done by then."""
        match new.status:
            case TaskStatus.FAILED_BACKEND_ERROR if new.message == LOST:
                if truth.ended_at is not None:
                    raise Violation("S4", f"the known end of {new.name} became a loss")
                if attempt not in self._kube.truths:
                    raise Violation("S5", f"{new.name} is called lost before it was made")
                if any(attempt_of(pod) == attempt for pod in self._kube.pods_of(was.id)):
                    raise Violation("S5", f"{new.name} is called lost, and its pod is there")
            case TaskStatus.FAILED_START_TIMEOUT:
                began = old.received_at if old.status is TaskStatus.INITIALIZING else None
                self._was_late(new, truth.started_at, began, was.limits.start)
            case TaskStatus.FAILED_QUEUE_TIMEOUT if "in its cluster" in new.message:
                made = [self._truth_of(was, task).made_at for task in was.tasks]
                first = min((at for at in made if at is not None), default=None)
                self._was_late(new, first, was.processing_at, was.limits.processing)
            case TaskStatus.FAILED_QUEUE_TIMEOUT if "upstream" in new.message:
                if was.limits.waiting is not None:
                    self._was_late(new, None, was.waiting_since, was.limits.waiting)
                # Of a group that had to end in steps, some tasks end after it.
                waited = was.status is TaskStatus.WAITING or was.settling is not None
                if was.placed or not waited:
                    raise Violation("S5", f"{new.name} is {new.status}, and waited for nothing")
            case TaskStatus.FAILED_QUEUE_TIMEOUT:
                began = was.scheduling_since
                bound = [self._truth_of(was, task).bound_at for task in was.tasks]
                first = min((at for at in bound if at is not None), default=None)
                self._was_late(new, first, began, was.limits.queue)
            case TaskStatus.FAILED_EXEC_TIMEOUT:
                if any(self._truth_of(was, task).limited for task in was.tasks):
                    return  # one pod ran into the limit, which is one for all
                self._was_late(new, truth.ended_at, self._began(was), was.limits.execution)
            case _:
                return

    def _truth_of(self, group: Group, task: Task) -> Truth:
        attempt = group.id, group.incarnation, task.name, task.retry
        return self._kube.truths.get(attempt, Truth())

    def _began(self, group: Group) -> datetime | None:
        """When its first command did, whatever anybody's clock said; as it is stored where a task
        has ended, for that begins a group's run, too."""
        if any(task.status.final or task.retry for task in group.tasks):
            return group.running_since
        starts = [self._truth_of(group, task).started_at for task in group.tasks]
        first = min((at for at in starts if at is not None), default=None)
        return None if first is None else NOON + timedelta(seconds=first)

    def _was_late(
        self, task: Task, at: float | None, began: datetime | None, limit: timedelta
    ) -> None:
        """Clocks of Lambdas differ, those of pods mean nothing."""
        if began is None:
            return
        due = began + limit - timedelta(seconds=SKEW)
        if self._schedule.now() < due - timedelta(seconds=SKEW):
            raise Violation("S5", f"{task.name} is {task.status}, and its time was not over")
        if at is not None and NOON + timedelta(seconds=at) < due:
            raise Violation("S5", f"{task.name} is {task.status}, and its pod was in time")

    def timeouts_come(self) -> None:
        """While there are no faults."""
        since = max(self.calm_since or 0.0, 0.0)
        patience = self._schedule.seconds - TIMEOUTS_WITHIN
        if since > patience:
            return
        for groups in self._rows.stored_groups.values():
            for stored in groups.values():
                due = deadline(stored.value)
                if due is None or due >= NOON + timedelta(seconds=patience):
                    continue
                asked = [row.asked_at for row in stored.value.pending if row.kind == "observe"]
                if max(asked, default=NOON) < due - timedelta(seconds=SKEW):
                    raise Violation("a timeout is lost", f"{stored.value.name}: {due}")

    # What is pending, and what is counted --------------------------------------------------------

    def _something_wakes(self, id: WorkflowId) -> None:
        rows = self._rows
        workflow = rows.stored_workflows[id].value
        groups = rows.stored_groups[id]
        jobs = [job for job in rows.stored_jobs.values() if job.work.workflow == id]
        starting = {g for job in jobs if isinstance(job.work, StartGroups) for g in job.work.groups}
        names = {job.id for job in jobs}
        self._intents(workflow, groups, names)
        if workflow.status.final:
            return
        sweeping = workflow.sweeping is not None
        live = False
        for stored in groups.values():
            group = stored.value
            if group.status.final:
                live |= group.settling is not None
                continue
            live = True
            if group.status is TaskStatus.WAITING:
                upstream = [groups[one].value for one in self._upstream[group.id]]
                awake = any(not one.status.final or one.settling for one in upstream)
            elif not group.placed:
                awake = group.id in starting
            else:
                awake = bool(group.pending) or self._kube.of_group[group.id] > 0
                if to_start(group) and group.id not in starting and not sweeping:
                    raise Violation("something is pending", f"nothing makes {to_make(group)}")
            if not (awake or sweeping):
                raise Violation(
                    "something is pending", f"nothing wakes {group.name} of {id}: {group.status}"
                )
        if not (live or sweeping):
            raise Violation("something is pending", f"all groups of {id} ended, it did not")

    def _intents(
        self, workflow: Workflow, groups: dict[GroupId, Stored[Group]], jobs: set[JobId]
    ) -> None:
        if workflow.sweeping is not None and workflow.sweeping.job not in jobs:
            raise Violation("an intent has a job", f"{workflow.id}: {workflow.sweeping}")
        for stored in groups.values():
            settling = stored.value.settling
            if settling is not None and settling.job not in jobs:
                raise Violation("an intent has a job", f"{stored.value.name}: {settling}")

    def _counts(self, id: WorkflowId) -> None:
        rows = self._rows
        workflow = rows.stored_workflows[id].value
        groups = [stored.value for stored in rows.stored_groups[id].values()]
        live: dict[int, int] = defaultdict(int)
        ended: dict[int, dict[TaskStatus, int]] = defaultdict(lambda: defaultdict(int))
        for group in groups:
            shard = shard_of(group.id) if workflow.shards > 1 else 0
            if group.status.final:
                ended[shard][group.status] += 1
            else:
                live[shard] += 1
        for shard in range(workflow.shards):
            counts = self._counts_of(workflow, shard)
            if (counts.live, dict(counts.ended)) != (live[shard], dict(ended[shard])):
                raise Violation(
                    "counts equal what the groups say",
                    f"{id}/{shard}: {counts}; there are {live[shard]} and {dict(ended[shard])}",
                )
        telling = any(group.settling for group in groups)
        if telling or workflow.sweeping is not None:
            return
        by_id = {group.id: group for group in groups}
        for group in groups:
            if group.status is not TaskStatus.WAITING:
                continue
            upstream = [by_id[one].status for one in self._upstream[group.id]]
            left = sum(status is not TaskStatus.COMPLETED for status in upstream)
            if group.waits_for != left:
                raise Violation("counts", f"{group.name} waits for {group.waits_for} of {left}")

    def _counts_of(self, workflow: Workflow, shard: int) -> Counts:
        if workflow.shards == 1:
            return workflow.counts
        return self._rows.stored_counts[workflow.id, shard].value

    def attempts_are_counted_once(self) -> None:
        for job in self._rows.stored_jobs.values():
            if job.attempts > self._service.delivered[job.id]:
                raise Violation(
                    "an attempt is counted once",
                    f"{job.id}: {job.attempts} of {self._service.delivered[job.id]} deliveries",
                )

    # The end -------------------------------------------------------------------------------------

    def left(self, *, anchors: bool) -> Iterator[str]:
        """What keeps everything from having ended. `anchors`: those that are closed, too."""
        rows = self._rows
        for id, workflow in rows.stored_workflows.items():
            if not workflow.value.status.final or workflow.value.sweeping:
                yield f"{id} is {workflow.value.status}"
        for id, groups in rows.stored_groups.items():
            if id not in rows.stored_workflows:
                yield f"rows of {id}, which nobody can reach"
            for stored in groups.values():
                yield from _left_of(stored.value)
        for job in rows.stored_jobs.values():
            yield f"job {job.id}: {_about(job)}"
        for _, mail in rows.mail:
            yield f"mail {mail}"
        for key in rows.stored_timers:
            yield f"timer {key}"
        for (kind, name), body in self._kube.objects.items():
            if kind != "Lease" and (anchors or not _is_closed(kind, body)):
                yield f"{kind} {name}"


def _left_of(group: Group) -> Iterator[str]:
    if not group.status.final or group.settling or group.pending:
        yield f"group {group.name} of {group.workflow}: {group.status} {group.pending}"
    elif group.cleanup is not Cleanup.DONE:
        yield f"group {group.name} of {group.workflow} is not cleaned up"
    for task in group.tasks:
        if not task.status.final:
            yield f"task {task.name} of {group.workflow} is {task.status}"


def _about(job: Job) -> str:
    match job.work:
        case StartGroups(workflow=id) | SettleGroup(workflow=id) | SweepWorkflow(workflow=id):
            return f"{job.work.kind} of {id}, parked={job.parked}, {job.last_error}"
        case _:
            return f"{job.work}"


def _is_closed(kind: str, body: Json) -> bool:
    """An anchor that goes by itself, with what is still its own but for pods."""
    if kind == "ConfigMap":
        return bool(body["data"]["state"] == "closed")
    return kind != "Pod"


def _attempt(pod: PodObservation) -> Attempt:
    return pod.group, pod.incarnation, pod.task, pod.retry
