"""Pages of lists: complete, in order, and at a price that does not grow with the list."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import NOON, a_workflow
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import PoolName, UserName, WorkflowId
from xylem.domain.label_filter import label_selector
from xylem.domain.status import WorkflowStatus
from xylem.domain.workflow import Workflow
from xylem.memory.store import MemoryStore
from xylem.ports.listing import Filter, is_wanted
from xylem.ports.stored import Stored
from xylem.usecases import footprint, listing
from xylem.usecases.listing import MOST_READS, MOST_ROWS, Page

STATUSES = [WorkflowStatus.COMPLETED, WorkflowStatus.FAILED, WorkflowStatus.RUNNING]


def a_store(*workflows: Workflow) -> MemoryStore:
    store = MemoryStore()
    for workflow in workflows:
        store.stored_workflows[workflow.id] = Stored(workflow, 1)
    return store


def some(count: int, **fields: Any) -> Iterator[Workflow]:
    """One a second, of three users and two pools, every hundredth with a label."""
    for number in range(1, count + 1):
        given: dict[str, Any] = {
            "id": WorkflowId(f"w-{number}"),
            "user": UserName(f"user-{number % 3}"),
            "pool": PoolName(f"pool-{number % 2}"),
            "status": STATUSES[number % 3],
            "submitted_at": NOON + timedelta(seconds=number),
            "labels": {"rare": "yes"} if number % 100 == 0 else {},
            **fields,
        }
        yield a_workflow(**given)


def asked(store: MemoryStore, wanted: Filter | None = None, **more: Any) -> tuple[Page, int]:
    """A page, and the reads that it cost."""
    before = store.lists.reads
    options: dict[str, Any] = {"limit": 20, "newest_first": True, **more}
    page = listing.page(wanted or Filter(), workflows=store.workflows, **options)
    return page, store.lists.reads - before


MANY = 60_000


@pytest.fixture(scope="module")
def many() -> MemoryStore:
    return a_store(*some(MANY))


OF_OSMOS_CLIENT: dict[str, tuple[Filter, dict[str, Any]]] = {
    "list": (Filter(users=["user-1"]), {}),
    "all users": (Filter(), {}),
    "all users, oldest first": (Filter(), {"newest_first": False}),
    "all users, a thousand": (Filter(), {"limit": 1_000}),
    "all users, far down": (Filter(), {"offset": 10_000}),
    "one user, far down": (Filter(users=["user-1"]), {"offset": 10_000}),
    "two pools": (Filter(users=["user-1"], pools=["pool-0", "pool-1"]), {}),
    "pools of all users": (Filter(pools=["pool-0", "pool-1"]), {}),
    "status and label": (
        Filter(statuses=[WorkflowStatus.FAILED], labels=[label_selector("rare=*")]),
        {"limit": 5, "offset": 10},
    ),
    "name": (Filter(name="-777"), {}),
    "what is not there": (Filter(name="nothing"), {}),
    "a user without any": (Filter(users=["nobody"]), {}),
    "many users": (Filter(users=[f"user-{number}" for number in range(9)]), {}),
    "times": (
        Filter(after=NOON + timedelta(hours=1), before=NOON + timedelta(hours=2)),
        {},
    ),
}


@pytest.mark.parametrize(("wanted", "more"), OF_OSMOS_CLIENT.values(), ids=OF_OSMOS_CLIENT)
def test_every_list_costs_twenty_reads_a_page_at_the_most(
    many: MemoryStore, wanted: Filter, more: dict[str, Any]
) -> None:
    page, reads = asked(many, wanted, **more)

    assert reads <= MOST_READS
    assert not wanted.labels or page.entries
    assert len(page.entries) == more.get("limit", 20) or page.cursor or not page.more
    assert all(is_wanted(entry, wanted) for entry in page.entries)


def test_a_page_of_one_users_list_is_one_read(many: MemoryStore) -> None:
    page, reads = asked(many, Filter(users=["user-1"]))

    assert reads == 1
    assert page.entries[0].id == f"w-{MANY - 2}"
    assert page.more


def test_no_read_looks_at_more_than_dynamodb_reads_at_once(many: MemoryStore) -> None:
    page, reads = asked(many, Filter(users=["user-1"]), offset=10_000)

    assert reads == 4
    assert page.entries[0].id == f"w-{MANY - 2 - 3 * 10_000}"


def test_what_was_just_submitted_is_listed_first() -> None:
    store = a_store(*some(50))
    asked(store)
    [newest] = some(1, id=WorkflowId("newest-1"), submitted_at=NOON + timedelta(hours=1))
    store.stored_workflows[newest.id] = Stored(newest, 1)

    for wanted in (Filter(), Filter(users=[newest.user]), Filter(pools=[newest.pool])):
        assert asked(store, wanted)[0].entries[0].id == "newest-1"


def test_beyond_the_newest_fifty_thousand_a_page_ends_early_and_says_where_to_go_on(
    many: MemoryStore,
) -> None:
    wanted = Filter(pools=["pool-0", "pool-1"], name="w-5")
    oldest = [f"w-{number}" for number in range(59, 49, -1)] + ["w-5"]
    nothing = Filter(name="nowhere")

    page, _ = asked(many, nothing)
    rest, _ = asked(many, nothing, cursor=page.cursor)

    assert (page.entries, page.more) == ((), True)
    looked_at = sum(
        f"{one.value.submitted_at.isoformat(timespec='microseconds')}" >= str(page.cursor)[:32]
        for one in many.stored_workflows.values()
    )
    assert MOST_ROWS * 0.9 <= looked_at <= MOST_ROWS
    assert (rest.entries, rest.more, rest.cursor) == ((), False, None)
    found = [entry.id for entry in listing.every(wanted, many.workflows)]
    assert found[-11:] == oldest


def test_an_offset_beyond_ten_thousand_is_refused_with_the_word_cursor() -> None:
    with pytest.raises(InvalidRequest, match="from 0 to 10000.*cursor"):
        asked(a_store(), offset=10_001)


@pytest.mark.parametrize("cursor", ["x", "#", "2026-01-01#a", "2026-01-01T00:00:00.000000+00:00#"])
def test_a_cursor_of_nobody_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="give one that a page came with"):
        asked(a_store(), cursor=cursor)


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 30), max_size=60),
    limit=st.integers(1, 9),
    newest_first=st.booleans(),
    users=st.lists(st.sampled_from(["user-0", "user-1", "user-2"]), max_size=2),
    failed=st.booleans(),
)
def test_pages_together_are_the_list_each_once_and_in_order(
    seconds: list[int], limit: int, newest_first: bool, users: list[str], failed: bool
) -> None:
    """Many at the same second, so that ids decide."""
    workflows = [
        next(
            some(
                1,
                id=WorkflowId(f"w-{number}"),
                user=UserName(f"user-{number % 3}"),
                status=STATUSES[number % 3 if failed else 0],
                submitted_at=NOON + timedelta(seconds=second),
            )
        )
        for number, second in enumerate(seconds)
    ]
    store = a_store(*workflows)
    statuses = [WorkflowStatus.FAILED] if failed else []
    wanted = Filter(users=users, statuses=statuses)
    kept = [one for one in workflows if is_wanted(footprint.entry(one), wanted)]
    kept.sort(key=lambda one: (one.submitted_at, one.id), reverse=newest_first)

    found, cursor = [], ""
    while True:
        page, _ = asked(store, wanted, limit=limit, cursor=cursor, newest_first=newest_first)
        found += [entry.id for entry in page.entries]
        assert page.more is (page.cursor is not None)
        if page.cursor is None:
            break
        cursor = page.cursor

    assert found == [one.id for one in kept]
    third, _ = asked(store, wanted, limit=limit, offset=2, newest_first=newest_first)
    assert [entry.id for entry in third.entries] == found[2 : 2 + limit]
