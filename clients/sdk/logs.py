"""What tasks write: what is there now, and what comes."""

import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from clients.sdk import live
from clients.sdk.connection import Connection, Parameter, parsed, workflow_path
from clients.sdk.models import LogPage
from xylem.protocol.following import Follow


class LogCalls(Connection):
    def logs(
        self,
        workflow: str,
        *,
        task: str | None = None,
        retry: int | None = None,
        lines: int | None = None,
        query: str | None = None,
        stream: Literal["stdout", "stderr", "control"] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> str:
        """What is there now, as text: lines that match the regular expression `query`, from `since`
        on and before `until`, the last `lines` of them."""
        asked: dict[str, Parameter] = {
            **_asked(task, retry, lines, query),
            "stream": stream,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
        }
        return self.get(workflow_path(workflow, "logs"), asked).text

    def error_logs(
        self,
        workflow: str,
        *,
        task: str | None = None,
        retry: int | None = None,
        lines: int | None = None,
        query: str | None = None,
    ) -> str:
        """The last lines of a failed task; without one, which there are."""
        asked = _asked(task, retry, lines, query)
        return self.get(workflow_path(workflow, "error_logs"), asked).text

    def log_page(
        self,
        workflow: str,
        *,
        cursor: str = "",
        wait: int = live.HOLD_SECONDS,
        age: int = 0,
        task: str | None = None,
        retry: int | None = None,
    ) -> LogPage:
        """What came after the cursor; held for up to `wait` seconds while that is nothing. That
        there is nothing may have been true `age` seconds ago."""
        asked: dict[str, Parameter] = {
            "cursor": cursor or None,
            "wait": wait,
            "age": age or None,
            "task_name": task,
            "retry_id": retry,
        }
        return parsed(LogPage, self.get(workflow_path(workflow, "logs", "follow"), asked))

    def follow_logs(
        self,
        workflow: str,
        *,
        task: str | None = None,
        retry: int | None = None,
        every: float | None = None,
    ) -> Iterator[LogPage]:
        """Pages of new records until the log is closed, as soon as they come; a page may be empty.
        `every`: one for so many seconds, or a little less often."""

        def read(cursor: str, age: int, wait: int) -> LogPage:
            return self.log_page(
                workflow, cursor=cursor, age=age, wait=wait, task=task, retry=retry
            )

        def dial(url: str) -> live.Socket:
            from clients.sdk.sockets import Dialled  # noqa: PLC0415 - for who follows alone: 30 ms

            return Dialled(url, self._who)

        question = Follow(workflow=workflow, task=task, retry=retry)
        return live.pages(
            question, live.World(read, dial, time.monotonic, random.random), every=every
        )


def _asked(
    task: str | None, retry: int | None, lines: int | None, query: str | None
) -> dict[str, Parameter]:
    return {"last_n_lines": lines, "task_name": task, "retry_id": retry, "query": query}
