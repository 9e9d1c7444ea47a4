"""What a schedule costs in rows written, against the bounds of `docs/rows.md`: they are formulas of
what was submitted and of what happened to it, so a fault costs what the formula says and no more.

Counted is what was written: commits and creations, with every row of theirs, and the writes of a
single row by which jobs and timers keep their times. A commit that a condition refused wrote
nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.builders import NOON
from xylem.domain.detail import TaskDetail
from xylem.domain.group import Cleanup, Group
from xylem.domain.ids import TaskName
from xylem.domain.values import replace
from xylem.ports.jobs import StartGroups
from xylem.ports.workflows import Commit, Creation
from xylem.protocol.agent import Anchor
from xylem.usecases import footprint
from xylem.usecases.timers import LONGEST_SILENCE

MOST_TASKS = 40
"""Of a workflow here; larger ones are made, started and ended in steps, whose bounds are others."""


CLEANED = {Cleanup.ASKED, Cleanup.DONE}


class Costs:
    """`large`: a workflow has more tasks than `MOST_TASKS`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._words: set[TaskDetail] = set()
        self.large = False

    def created(self, creation: Creation) -> None:
        tasks = sum(len(group.tasks) for group in creation.groups)
        self.large |= tasks > MOST_TASKS or creation.removal is not None
        self.counts["rows"] += footprint.creation_actions(creation)
        self.counts["workflows"] += 1
        self.counts["groups"] += len(creation.groups)
        self.counts["edges"] += sum(len(group.downstream) for group in creation.groups)
        self.counts["tasks"] += tasks
        self.counts["starts"] += len(creation.jobs)

    def committed(self, commit: Commit) -> None:
        counts = self.counts
        counts["rows"] += footprint.actions(commit)
        counts["commits"] += 1
        counts["attempts more"] += sum(map(len, commit.replaced.values()))
        counts["parked"] += commit.cause.startswith("job ") and " park" in commit.cause
        counts["deadlines"] += sum(
            footprint.changed_timer(change, commit.at) is not None for change in commit.groups
        )
        for job in commit.jobs:
            counts["starts" if isinstance(job.work, StartGroups) else "intents"] += 1
        for mail in footprint.mail_to_write(commit):
            counts[mail.kind] += 1

    def performed(self, times_received: int, *, done: bool) -> None:
        """A doorbell was answered, or its process died of it."""
        self.counts["jobs tried"] += (times_received > 1) + (not done)

    def shown(self, anchor: Anchor, pods: set[tuple[TaskName, int]], group: Group) -> None:
        """An inventory shows these pods of a group, and its anchor."""
        live = {
            (one.name, one.retry) for one in group.tasks if one.ordinal and not one.status.final
        }
        self.counts["absences"] += not live <= pods
        self.counts["left behind"] += anchor.state != "closed" and group.cleanup in CLEANED

    def explained(self, told: Iterable[TaskDetail], written: int) -> None:
        """A cluster said this of attempts, and so many of it were written."""
        self._words.update(replace(one, told_at=NOON) for one in told)
        self.counts["words"] = len(self._words)
        self.counts["details"] += written

    def over(self, seconds: float) -> Iterator[str]:
        """What is more than its bound, after so much time."""
        if self.large:
            return
        for name, most in self.bounds(seconds).items():
            if self.counts[name] > most:
                yield f"{name}: {self.counts[name]}, at most {most}; {dict(self.counts)}"

    def bounds(self, seconds: float) -> dict[str, int]:
        count = Counter(self.counts)
        again = max(count["cleanup"] - count["groups"], 0)
        rings = 5 + int(seconds / LONGEST_SILENCE.total_seconds())
        return {
            "rows": 18 * count["workflows"]
            + 19 * count["groups"]
            + 2 * count["edges"]
            + 13 * count["tasks"]
            + 19 * count["attempts more"]
            + 4 * count["starts"]
            + 8 * count["intents"]
            + 6 * (count["observe"] + again)
            + 4 * count["parked"],
            "starts": 2 * (count["groups"] + count["attempts more"]),
            "observe": 3 * count["groups"]
            + count["tasks"]
            + count["attempts more"]
            + count["absences"],
            "details": 2 * count["words"],
            "cleanup": 2 * count["groups"] + count["left behind"],
            "times of jobs": 2 * (count["jobs tried"] + count["admin"])
            + rings * (count["starts"] + count["intents"]),
            "times of timers": (1 + rings) * (count["groups"] + count["deadlines"]),
        }
