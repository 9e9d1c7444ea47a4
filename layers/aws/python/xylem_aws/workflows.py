"""`Workflows` on DynamoDB: a commit is one TransactWriteItems, all of it or nothing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition

from xylem.domain.detail import TaskDetail
from xylem.domain.errors import Conflict, Unavailable, UnknownWorkflow
from xylem.domain.group import Group, bare
from xylem.domain.idempotency import require_same
from xylem.domain.ids import (
    SHARDS,
    BackendName,
    GroupId,
    JobId,
    TaskName,
    UserName,
    WorkflowId,
)
from xylem.domain.workflow import Counts, Workflow
from xylem.ports.backends import Mail
from xylem.ports.listing import Part, Rows, Scope
from xylem.ports.stored import Stored
from xylem.ports.workflows import (
    AuditEntry,
    Commit,
    Creation,
    EarlierAttempt,
    Entry,
    Laying,
    Reservation,
)
from xylem.usecases import audit, footprint
from xylem_aws import details, lists, rows
from xylem_aws.tables.backends import BackendsTable, MailRow, mail_key
from xylem_aws.tables.binding import bind
from xylem_aws.tables.workflows import (
    AuditRow,
    CounterRow,
    CountsRow,
    GroupRow,
    IdempotencyRow,
    JobRow,
    LiveKeys,
    ShardRow,
    TaskRow,
    UuidRow,
    WorkflowRow,
    WorkflowsTable,
    audit_key,
    counter_key,
    counts_key,
    entry_keys,
    group_key,
    idempotency_key,
    job_key,
    live_partition,
    shard_key,
    uuid_key,
    workflow_key,
)
from xylem_aws.transaction import Transaction, in_our_words, refused

IDEMPOTENCY = timedelta(hours=24)
REMOVED_AT_ONCE = 100


class DynamoWorkflows:
    """`backends`: the table of the mail that commits write; None in a function that only reads."""

    def __init__(self, region: str, *, workflows: str, backends: str | None) -> None:
        self._connection = bind(WorkflowsTable, table=workflows, region=region)
        if backends:
            bind(BackendsTable, table=backends, region=region)

    def workflow(self, id: WorkflowId) -> Stored[Workflow]:
        with in_our_words(id):
            try:
                row = WorkflowRow.get(*workflow_key(id), consistent_read=True)
            except DoesNotExist:
                raise UnknownWorkflow(f"Workflow {id} was not found.", workflow=id) from None
        return rows.workflow_of(id, row)

    def resolve(self, id_or_uuid: str) -> WorkflowId:
        with in_our_words(id_or_uuid):
            try:
                row = UuidRow.get(*uuid_key(id_or_uuid), consistent_read=True)
                return WorkflowId(row.workflow)
            except DoesNotExist:
                return self.workflow(WorkflowId(id_or_uuid)).value.id

    def group(self, workflow: WorkflowId, group: GroupId) -> Stored[Group] | None:
        pk, prefix = group_key(workflow, group)
        found = self._placed(pk, ShardRow.sk.startswith(prefix))
        return found[0][1] if found else None

    def groups(self, workflow: WorkflowId, *, shards: int = 1) -> list[Stored[Group]]:
        found = [
            placed
            for shard in range(shards)
            for placed in self._placed(shard_key(workflow, shard), None)
        ]
        found.sort(key=lambda placed: placed[0])
        return [stored for _, stored in found]

    def earlier_attempts(self, workflow: WorkflowId, *, shards: int = 1) -> list[EarlierAttempt]:
        return [
            attempt
            for shard in range(shards)
            for attempt in self._earlier_attempts(shard_key(workflow, shard))
        ]

    def live_on(self, backend: BackendName, *, limit: int) -> list[WorkflowId]:
        """The attempts of a group stand together, so a large workflow is many rows in a row."""
        found: dict[WorkflowId, None] = {}
        with in_our_words(backend):
            for shard in range(SHARDS):
                for row in LiveKeys.live.query(live_partition(backend, shard)):
                    found.setdefault(WorkflowId(row.workflow))
                    if len(found) >= limit:
                        return list(found)
        return list(found)

    def audit(self, workflow: WorkflowId, *, after: str = "", limit: int) -> list[AuditEntry]:
        pk, _ = audit_key(workflow)
        beyond = AuditRow.sk > after if after else None
        with in_our_words(workflow):
            found = AuditRow.query(pk, beyond, limit=limit, consistent_read=True)
            return [AuditEntry(row.sk, row.cause, row.at, row.differences) for row in found]

    def shard(
        self, workflow: WorkflowId, shard: int, *, after: GroupId | None = None, limit: int = 100
    ) -> list[Stored[Group]]:
        pk = shard_key(workflow, shard)
        beyond = ShardRow.sk.between(f"{after}#~" if after else "0", "g")
        return [stored for _, stored in self._placed(pk, beyond, limit=limit)]

    def counts(self, workflow: WorkflowId, shard: int) -> Stored[Counts]:
        with in_our_words(workflow):
            try:
                row = CountsRow.get(*counts_key(workflow, shard), consistent_read=True)
            except DoesNotExist:
                raise UnknownWorkflow(
                    f"Workflow {workflow} was not found.", workflow=workflow
                ) from None
        return Stored(row.counts, int(row.version))

    def commit(self, commit: Commit) -> None:
        transaction = Transaction(self._connection, of=commit.workflow)
        if moved := commit.workflow_change:
            transaction.put(
                rows.workflow_row(moved.after, moved.version + 1),
                WorkflowRow.version == moved.version,
            )
            if entry := footprint.changed_entry(moved):
                _put_entries(transaction, entry)
        elif commit.uncancelled:
            unwanted = WorkflowRow.pk.exists() & WorkflowRow.cancel.does_not_exist()
            transaction.check(WorkflowRow, workflow_key(commit.workflow), unwanted)
        for shard, counts in commit.counts.items():
            transaction.put(
                rows.counts_row(commit.workflow, shard, counts.after, counts.version + 1),
                CountsRow.version == counts.version,
            )
        index = rows.index_of(commit.owner) if commit.owner else None
        for change in commit.groups:
            transaction.change(
                *rows.group_rows(change, commit.at), GroupRow.version == change.version
            )
            replaced = commit.replaced.get(change.after.id, ())
            for position, before, after in footprint.changed_tasks(change, replaced):
                row = rows.task_row(change.after, after, position, index)
                if before is None:
                    transaction.put(row)
                else:
                    was = rows.task_row(change.before, before, position, index)
                    transaction.change(was, row)
        for job in commit.jobs:
            transaction.put(rows.job_row(job), JobRow.pk.does_not_exist())
        for done in commit.jobs_done:
            transaction.delete(JobRow(*job_key(done)), JobRow.pk.exists())
        for dropped in commit.jobs_dropped:
            transaction.delete(JobRow(*job_key(dropped)))
        for mail in footprint.mail_to_write(commit):
            transaction.put(_mail_row(mail), MailRow.pk.does_not_exist())
        for backend, id in commit.mail_done:
            transaction.delete(MailRow(*mail_key(backend, id)), MailRow.pk.exists())
        for backend, id in footprint.mail_to_drop(commit):
            transaction.delete(MailRow(*mail_key(backend, id)))
        _put_audit(transaction, audit.of_commit(commit))
        transaction.commit()

    def next_number(self, name: str) -> int:
        with in_our_words(name):
            try:
                return int(CounterRow.get(*counter_key(name), consistent_read=True).number) + 1
            except DoesNotExist:
                return 1

    def made_under(
        self, user: UserName, key: str, *, request: str = "", now: datetime
    ) -> WorkflowId | None:
        with in_our_words(user):
            try:
                row = IdempotencyRow.get(*idempotency_key(user, key), consistent_read=True)
            except DoesNotExist:
                return None
        if row.expires_at <= now.timestamp():
            return None
        require_same(row.request or "", request)
        return WorkflowId(row.workflow)

    def reserve(self, reservation: Reservation) -> None:
        transaction = Transaction(self._connection, of=reservation.workflow)
        _take_number(transaction, reservation.name, reservation.number)
        transaction.put(rows.job_row(reservation.removal), JobRow.pk.does_not_exist())
        _put_audit(transaction, audit.of_reservation(reservation))
        transaction.commit()

    def lay(self, laying: Laying) -> None:
        workflow = laying.workflow
        transaction = Transaction(self._connection, of=workflow.id)
        transaction.check(JobRow, job_key(laying.removal), _unbegun())
        for shard, counts in laying.counts.items():
            transaction.put(rows.counts_row(workflow.id, shard, counts, 1))
        for position, group in zip(laying.positions, laying.groups, strict=True):
            _put_group(transaction, workflow, group, position)
        for id, place, task in laying.tasks:
            transaction.put(rows.laid_task_row(workflow, id, task, place))
        _put_audit(transaction, audit.of_laying(laying))
        transaction.commit()

    def remove_some(self, workflow: WorkflowId, removal: JobId) -> bool:
        with in_our_words(workflow):
            try:
                JobRow(*job_key(removal)).update(
                    actions=[JobRow.removing.set(True)], condition=JobRow.pk.exists()
                )
            except UpdateError as error:
                if refused(error):
                    return False
                raise
            partitions = [shard_key(workflow, shard) for shard in range(SHARDS)]
            for partition in (*partitions, audit_key(workflow)[0]):
                if _delete_some(partition):
                    return True
            JobRow(*job_key(removal)).delete()
        return False

    def create(self, creation: Creation) -> WorkflowId:
        try:
            self._creation(creation).commit()
        except (Conflict, Unavailable):
            # It may have been done all the same: an answer was lost, and its repetition refused.
            made = self._earlier(creation) or self._made(creation)
            if made is None:
                raise
            return made
        return creation.workflow.id

    def details(self, workflow: WorkflowId, *, shards: int = 1, limit: int) -> list[TaskDetail]:
        with in_our_words(workflow):
            return details.of_workflow(workflow, shards=shards, limit=limit)

    def group_details(
        self, workflow: WorkflowId, group: GroupId, first: TaskName, last: TaskName
    ) -> list[TaskDetail]:
        with in_our_words(workflow):
            return details.of_group(workflow, group, first, last)

    def keep_details(self, workflow: WorkflowId, told: Iterable[TaskDetail]) -> int:
        with in_our_words(workflow):
            return sum(details.keep(workflow, one) for one in told)

    def list_part(self, part: Part) -> Rows:
        with in_our_words(part.scope.name or part.scope.kind):
            return lists.read(part)

    def unfinished(self, scope: Scope) -> int:
        with in_our_words(scope.name or scope.kind):
            return lists.unfinished(scope)

    def _creation(self, creation: Creation) -> Transaction:
        workflow = creation.workflow
        transaction = Transaction(self._connection, of=workflow.id)
        if creation.removal is not None:
            transaction.delete(JobRow(*job_key(creation.removal)), _unbegun())
        else:
            _take_number(transaction, workflow.name, creation.number)
        transaction.put(UuidRow(*uuid_key(workflow.uuid), workflow=workflow.id))
        transaction.put(rows.workflow_row(workflow, 1), WorkflowRow.pk.does_not_exist())
        _put_entries(transaction, footprint.entry(workflow))
        for position, group in enumerate(creation.groups):
            _put_group(transaction, workflow, group, position)
        for job in creation.jobs:
            transaction.put(rows.job_row(job), JobRow.pk.does_not_exist())
        if creation.idempotency:
            now = int(workflow.submitted_at.timestamp())
            key = idempotency_key(workflow.user, creation.idempotency)
            expires = now + int(IDEMPOTENCY.total_seconds())
            transaction.put(
                IdempotencyRow(
                    *key,
                    workflow=workflow.id,
                    request=creation.request or None,
                    expires_at=expires,
                ),
                IdempotencyRow.pk.does_not_exist() | (IdempotencyRow.expires_at <= now),
            )
        _put_audit(transaction, audit.of_creation(creation))
        return transaction

    def _made(self, creation: Creation) -> WorkflowId | None:
        """This very workflow, if it exists: nobody else makes one of its uuid."""
        uuid = creation.workflow.uuid
        with in_our_words(creation.workflow.id):
            try:
                return WorkflowId(UuidRow.get(*uuid_key(uuid), consistent_read=True).workflow)
            except DoesNotExist:
                return None

    def _earlier(self, creation: Creation) -> WorkflowId | None:
        if not creation.idempotency:
            return None
        workflow = creation.workflow
        return self.made_under(
            workflow.user,
            creation.idempotency,
            request=creation.request,
            now=workflow.submitted_at,
        )

    def _earlier_attempts(self, pk: str) -> Iterator[EarlierAttempt]:
        """Attempts of a task sort by their number: all but the last of them."""
        later: TaskRow | None = None
        with in_our_words(pk):
            for row in ShardRow.query(pk, scan_index_forward=False, consistent_read=True):
                if not isinstance(row, TaskRow):
                    continue
                group = GroupId(str(row.sk).partition("#")[0])
                if later is not None and _same_task(row, later):
                    yield EarlierAttempt(group, rows.task_of(row))
                later = row

    def _placed(
        self, pk: str, condition: Condition | None, *, limit: int | None = None
    ) -> list[tuple[int, Stored[Group]]]:
        """Groups with their attempts, each with its place in the spec, in the order of that. A
        group's row sorts before those of its tasks, so it is read first: what was written between
        the two is behind a newer version than the one we hold."""
        groups: list[GroupRow] = []
        tasks: dict[str, list[TaskRow]] = defaultdict(list)
        with in_our_words(pk):
            for row in ShardRow.query(pk, condition, consistent_read=True):
                if isinstance(row, GroupRow):
                    if limit is not None and len(groups) == limit:
                        break
                    groups.append(row)
                elif isinstance(row, TaskRow):
                    tasks[str(row.sk).partition("#")[0]].append(row)
        if limit is None:
            groups.sort(key=lambda row: row.position)
        return [(int(row.position), rows.group_of(row, tasks[row.id])) for row in groups]


def _same_task(one: TaskRow, other: TaskRow) -> bool:
    return str(one.sk).rpartition("#")[0] == str(other.sk).rpartition("#")[0]


def _unbegun() -> Condition:
    condition: Condition = JobRow.pk.exists() & JobRow.removing.__eq__(False)
    return condition


def _take_number(transaction: Transaction, name: str, number: int) -> None:
    known = CounterRow.number == number - 1 if number > 1 else CounterRow.pk.does_not_exist()
    transaction.put(CounterRow(*counter_key(name), number=number), known)


def _put_group(transaction: Transaction, workflow: Workflow, group: Group, position: int) -> None:
    transaction.put(rows.new_group_row(group, position))
    for place, task in enumerate(group.tasks):
        transaction.put(rows.task_row(group, bare(group, task), place, rows.index_of(workflow)))


def _delete_some(partition: str) -> int:
    """How many rows of it went."""
    found = list(islice(WorkflowsTable.query(partition, limit=REMOVED_AT_ONCE), REMOVED_AT_ONCE))
    with WorkflowsTable.batch_write() as batch:
        for row in found:
            batch.delete(row)
    return len(found)


def _put_entries(transaction: Transaction, entry: Entry) -> None:
    for key in entry_keys(entry.id, entry.user, entry.pool, entry.submitted_at):
        transaction.put(rows.entry_row(entry, key))


def _put_audit(transaction: Transaction, of: audit.Audit) -> None:
    key = audit_key(of.workflow, of.key)
    differences = of.dump_differences()
    row = AuditRow(*key, cause=of.cause, at=of.at, differences=differences)
    transaction.put(row, AuditRow.pk.does_not_exist())


def _mail_row(mail: Mail) -> MailRow:
    return MailRow(
        *mail_key(mail.backend, mail.id),
        workflow=mail.workflow,
        kind=mail.kind,
        ordinal=mail.ordinal,
        after=mail.after,
        written_at=mail.written_at,
        payload=mail.payload,
        payload_key=mail.payload_key,
        sealed_by=mail.sealed_by,
    )
