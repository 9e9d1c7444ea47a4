"""`submit --follow`: show what a workflow prints and what becomes of it.

One loop, no threads: there is a page of its log every second, whether the service pushes what is
printed or is asked for it, and the status is asked for with each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from rich.live import Live

from clients.cli import render
from clients.cli.live_view import picture
from clients.cli.session import Session
from clients.sdk.client import Client
from clients.sdk.models import LogPage, LogRecord, Workflow

_EVERY_SECONDS = 1
_LAST_PAGES = 5
"""Pages of the log of a workflow that is at its end, before its result is told without. A
task's last lines may be on their way when its status has come."""


_TASKS_A_SECOND = 1000
"""Read of a workflow that is followed, on the average: an answer of so many tasks is 125 KB."""


def pages_between(workflow: Workflow) -> int:
    """How many pages of its log come for one look at its tasks: the more there are, the rarer."""
    tasks = sum(len(group.tasks) for group in workflow.groups)
    return 1 + tasks // _TASKS_A_SECOND


class View(Protocol):
    def show(self, workflow: Workflow, records: list[LogRecord]) -> None: ...
    def end(self) -> None: ...


def follow(client: Client, name: str, view: View) -> Workflow:
    """Until the workflow is at its end and its log is told."""
    ended, pages_left = 0, 0
    for page in client.follow_logs(name, every=_EVERY_SECONDS):
        if not pages_left or page.closed:
            workflow = client.query(name)
            pages_left = pages_between(workflow)
        pages_left -= 1
        view.show(workflow, page.records)
        if workflow.status.final:
            ended += 1
            if page.closed or ended >= _LAST_PAGES:
                break
    view.end()
    return workflow


@dataclass
class Lines:
    """For pipes and files: a line for each change of a status and each line of a log."""

    say: Callable[[str], None]
    _log: render.LogLines = field(default_factory=render.LogLines)
    _before: Workflow | None = None

    def show(self, workflow: Workflow, records: list[LogRecord]) -> None:
        for line in self._log.take(records) + render.changes(self._before, workflow):
            self.say(line)
        self._before = workflow

    def end(self) -> None:
        for line in self._log.rest():
            self.say(line)


@dataclass
class Pictures:
    """For terminals: a picture that is drawn in its place, the newest line of each task in it."""

    live: Live
    now: Callable[[], datetime]
    _newest: dict[str, LogRecord] = field(default_factory=dict)

    def show(self, workflow: Workflow, records: list[LogRecord]) -> None:
        self._newest |= {record.task: record for record in records if record.text.strip()}
        running = [] if workflow.status.final else list(self._newest.values())
        height = self.live.console.size.height
        drawn = picture(workflow, self.now(), height=height, newest=running)
        self.live.update(drawn, refresh=True)

    def end(self) -> None:
        """The last picture stays."""


def follow_in(session: Session, client: Client, name: str) -> Workflow:
    """Follow it in the way that fits whoever watches."""
    if session.json or not session.out.is_terminal:
        say = session.say if not session.json else lambda _: None
        return follow(client, name, Lines(say))
    with Live(console=session.out, auto_refresh=False, vertical_overflow="crop") as live:
        return follow(client, name, Pictures(live, session.now))


def all_records(client: Client, name: str, task: str | None, retry: int | None) -> LogPage:
    """Everything that is there now."""
    cursor, records = "", []
    while True:
        page = client.log_page(name, cursor=cursor, wait=0, task=task, retry=retry)
        records += page.records
        if page.closed or not page.records or page.cursor == cursor:
            return LogPage(records=records, cursor=page.cursor, closed=page.closed)
        cursor = page.cursor
