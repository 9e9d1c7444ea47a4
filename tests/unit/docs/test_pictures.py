"""The page of the state machines is what the tables say, and the engine does what they say."""

import random
from datetime import timedelta

from tests.builders import NOON, a_group, a_task
from tests.unit.docs.pictures import PAGE, page
from xylem.domain.exits import ExitRule
from xylem.domain.group import GroupEvent, HandedOver, TimerDue, UpstreamCompleted
from xylem.domain.status import TaskStatus
from xylem.domain.task import PodSeen
from xylem.domain.transitions import TABLE, decide, ready


def test_the_page_is_made_of_the_tables() -> None:
    assert PAGE.read_text() == page(), "python -m tests.unit.docs.pictures"


def test_no_decision_leads_where_its_row_does_not() -> None:
    dice = random.Random(1)
    rules = (ExitRule("reschedule", ((3, 3),)),)
    seen = [status for status in TaskStatus if status.rank >= TaskStatus.SCHEDULING.rank]
    for _ in range(2_000):
        tasks = (a_task("lead", lead=True, exit_rules=rules), a_task("side"))
        group, _ = ready(a_group(tasks=tasks, waits_for=dice.choice((0, 1))), NOON)
        now = NOON
        for _ in range(6):
            task = dice.choice(group.tasks)
            status, code = dice.choice(seen), dice.choice((None, 0, 3))
            pod = PodSeen(0, task.name, task.retry, status, exit_code=code)
            events: tuple[GroupEvent, ...] = (HandedOver(), UpstreamCompleted(), TimerDue(), pod)
            event = dice.choice(events)
            now += timedelta(days=dice.choice((0, 0, 90)))
            after, effects = decide(group, event, now)
            rows = [row for row in TABLE[type(event)] if group.status in row.states]
            row = next((row for row in rows if row.when(group)), None)
            if row is not None:
                assert after.status is group.status or after.status in row.to
                assert {type(effect) for effect in effects} <= row.effects
            group = after
