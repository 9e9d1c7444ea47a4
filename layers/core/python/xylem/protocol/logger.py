"""What who follows a log is told: `GET /api/workflow/{name}/logs/follow`, ours alone.

    ?cursor=&wait=20&task_name=&retry_id=   -> LogPage, held up to `wait` seconds while it is empty

Whoever asks again with the cursor of the page before gets each line once, in the order of its task;
lines of different tasks come in the order of their times, page by page. The plain text of
`GET .../logs` is OSMO's and has no model.
"""

from datetime import datetime
from typing import Literal

from xylem.protocol.message import Message

LONGEST_WAIT_SECONDS = 20
"""API Gateway waits 30 s for an answer; reading takes its time, too."""


class LogRecord(Message):
    """A line without its end; one that is very long may come in parts."""

    task: str
    retry: int
    stream: Literal["stdout", "stderr", "control"]
    time: datetime
    text: str


class LogPage(Message):
    """`closed`: nothing more will ever come."""

    records: list[LogRecord]
    cursor: str
    closed: bool
