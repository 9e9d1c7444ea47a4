"""Values become rows and the same values again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from pynamodb.models import Model

from tests.builders import GROUP, HELLO, NOON, a_group, a_job, a_task, a_workflow
from xylem.domain.group import Cleanup, Ending, Group, Pending, Settling
from xylem.domain.ids import GroupId, JobId, TaskName
from xylem.domain.plan import Limits
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.domain.task import Task
from xylem.domain.workflow import Amount, Cancel, Counts, Sweeping, Workflow
from xylem.ports.jobs import (
    Deliver,
    Job,
    MergeLog,
    Notify,
    RemoveWorkflow,
    SettleGroup,
    StartGroups,
    SweepWorkflow,
    Timer,
)
from xylem.ports.stored import Stored
from xylem.usecases.footprint import entry
from xylem_aws import rows
from xylem_aws.tables.keys import moment
from xylem_aws.tables.workflows import (
    DueKeys,
    due_key,
    due_until,
    entry_keys,
    group_key,
    task_key,
    timer_key,
    timer_of,
)

# DynamoDB keeps text as UTF-8: lone surrogates are no text.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
times = st.datetimes(min_value=NOON.replace(year=1970, tzinfo=None), timezones=zones)
maybe_times = st.none() | times
counts = st.integers(0, 10**9)
ends = st.sampled_from([status for status in TaskStatus if status.final])
counters = st.builds(Counts, counts, st.dictionaries(ends, counts), st.booleans())
spans = st.timedeltas(timedelta(milliseconds=1), timedelta(days=366))
limits = st.builds(Limits, spans, spans, spans)
tasks = st.builds(
    Task,
    name=st.just(TaskName("lead")),
    lead=st.booleans(),
    retry=st.integers(0, 999_999),
    status=st.sampled_from(TaskStatus),
    ordinal=counts,
    exit_code=st.none() | st.integers(-255, 5000),
    message=texts,
    uid=st.none() | texts,
    node=st.none() | texts,
    pod_ip=st.none() | texts,
    processing_at=maybe_times,
    scheduling_at=maybe_times,
    initializing_at=maybe_times,
    started_at=maybe_times,
    ended_at=maybe_times,
    received_at=maybe_times,
)
groups = st.builds(
    a_group,
    name=texts,
    tasks=st.lists(tasks, min_size=1, max_size=3).map(
        lambda some: tuple(replace(one, name=TaskName(f"{9 - n}")) for n, one in enumerate(some))
    ),
    status=st.sampled_from(TaskStatus),
    waits_for=counts,
    downstream=st.lists(st.just(GroupId("0" + "b" * 31)), max_size=2).map(tuple),
    ignore_nonlead_status=st.booleans(),
    message=texts,
    incarnation=counts,
    ordinal=counts,
    created=counts,
    pending=st.lists(
        st.builds(
            Pending,
            counts,
            counts,
            st.sampled_from(["create", "cleanup", "observe"]),
            counts,
            times,
            st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
            st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    cleanup=st.sampled_from(Cleanup),
    shards=st.integers(1, 16),
    limits=limits,
    settling=st.none()
    | st.builds(
        Settling,
        st.just(JobId("settle")),
        st.none() | st.builds(Ending, ends, texts, st.none() | counts),
        st.booleans(),
        counts,
    ),
    scheduling_since=maybe_times,
    running_since=maybe_times,
    started_at=maybe_times,
    ended_at=maybe_times,
)
workflows = st.builds(
    a_workflow,
    name=texts,
    user=texts,
    submitted_at=times,
    counts=counters,
    shards=st.integers(1, 16),
    amounts=st.dictionaries(
        st.integers(0, 15),
        st.builds(Amount, st.booleans(), st.booleans(), st.lists(ends, max_size=3).map(tuple)),
    ),
    cancel=st.none() | st.builds(Cancel, texts, times, texts, st.booleans()),
    sweeping=st.none()
    | st.builds(
        Sweeping,
        st.just(JobId("walk")),
        st.sampled_from(["start", "cancel"]),
        st.integers(0, 16),
        st.none() | st.just(GROUP),
    ),
    limits=limits,
    status=st.sampled_from(WorkflowStatus),
    labels=st.dictionaries(texts, texts, max_size=3),
    started_at=maybe_times,
    ended_at=maybe_times,
    templated=st.booleans(),
    heard_by=st.lists(texts, max_size=3).map(tuple),
)
jobs = st.builds(
    a_job,
    work=st.sampled_from(
        [
            StartGroups(HELLO, (GROUP, GROUP)),
            SettleGroup(HELLO, GROUP),
            SweepWorkflow(HELLO),
            RemoveWorkflow(HELLO),
            MergeLog(HELLO, GROUP, 1, TaskName("lead"), 2),
            Notify(HELLO),
            Deliver(HELLO, "webhook:ci"),
        ]
    ),
    next_ring_at=times,
    not_before=times,
    attempts=counts,
    park_at=counts,
    conflicts=counts,
    rings=counts,
    removing=st.booleans(),
    last_error=texts,
)


Row = TypeVar("Row", bound=Model)


def through(row: Row) -> Row:
    """As DynamoDB gives it back."""
    return type(row).from_raw_data(row.serialize())


@given(groups)
def test_a_group_with_its_attempts_is_the_same_again(group: Group) -> None:
    row = through(rows.group_row(group, 7, 3))
    attempts = [
        through(rows.task_row(group, task, place)) for place, task in enumerate(group.tasks)
    ]

    assert rows.group_of(row, reversed(attempts)) == Stored(group, 7)


@given(workflows)
def test_a_workflow_and_its_entry_are_the_same_again(workflow: Workflow) -> None:
    row = through(rows.workflow_row(workflow, 2))
    listed = [
        rows.entry_of(through(rows.entry_row(entry(workflow), key)))
        for key in entry_keys(HELLO, workflow.user, workflow.pool, workflow.submitted_at)
    ]

    assert rows.workflow_of(HELLO, row) == Stored(workflow, 2)
    assert listed == [entry(workflow)] * 3


@given(counters)
def test_counters_are_the_same_again(counted: Counts) -> None:
    assert through(rows.counts_row(HELLO, 3, counted, 2)).counts == counted


@given(times, times, st.integers(0, 999_999))
def test_a_timer_is_read_from_its_keys_alone(due: datetime, ring: datetime, rings: int) -> None:
    pk, sk = group_key(HELLO, GROUP)
    due_pk, due_sk = timer_key(GROUP, next_ring_at=ring, due_at=due, rings=rings)

    found = timer_of(DueKeys(pk, sk, due_pk=due_pk, due_sk=due_sk))

    assert found == Timer(HELLO, GROUP, due, ring, rings)
    assert due_sk <= due_until(ring)
    assert due_sk > due_until(ring - timedelta(microseconds=1))


@given(jobs)
def test_a_job_is_the_same_again(job: Job) -> None:
    assert rows.job_of(through(rows.job_row(job))) == job


def test_the_newest_attempt_of_a_task_counts_and_the_older_stay() -> None:
    group = a_group(tasks=(a_task("lead", TaskStatus.RUNNING, lead=True, retry=10),))
    attempts = [
        rows.task_row(group, replace(group.tasks[0], retry=retry), 0) for retry in (2, 10, 1)
    ]

    assert rows.group_of(rows.group_row(group, 1, 0), attempts).value == group


def test_an_attempt_stands_in_the_index_from_its_hand_over_to_its_end() -> None:
    steps = [
        a_task(status=TaskStatus.PROCESSING),
        a_task(status=TaskStatus.PROCESSING, ordinal=1),
        a_task(status=TaskStatus.RUNNING, ordinal=1),
        a_task(status=TaskStatus.COMPLETED, ordinal=1),
    ]

    live = [rows.task_row(a_group(), task, 0).live_pk is not None for task in steps]

    assert live == [False, True, True, False]


# Keys --------------------------------------------------------------------------------------------


@given(times, times)
def test_keys_sort_as_times_do(one: datetime, other: datetime) -> None:
    assert (moment(one) < moment(other)) == (one < other)


@given(times)
def test_a_job_is_due_at_its_moment_and_not_before(at: datetime) -> None:
    _, sk = due_key(a_job(next_ring_at=at))

    assert sk <= due_until(at)
    assert sk > due_until(at - timedelta(microseconds=1))


def test_a_groups_row_sorts_before_its_attempts_and_those_by_retry() -> None:
    lead = TaskName("lead")
    pk, own = group_key(HELLO, GROUP)
    attempts = [task_key(HELLO, GROUP, lead, retry) for retry in (0, 9, 10)]

    assert {partition for partition, _ in attempts} == {pk}
    assert [own, *(sk for _, sk in attempts)] == sorted([own, *(sk for _, sk in attempts)])
    assert all(sk.startswith(own) for _, sk in attempts)


def test_noon_is_written_as_wide_as_any_time() -> None:
    assert moment(NOON) == "2026-06-01T12:00:00.000000+00:00"
