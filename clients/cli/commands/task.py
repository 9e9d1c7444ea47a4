"""`xylem task …`: tasks across workflows."""

from typing import Annotated

import typer

from clients.cli import task_view
from clients.cli.moments import moment
from clients.cli.options import (
    MOMENT,
    AllUsers,
    Count,
    FormatType,
    Offset,
    Order,
    Pools,
    Priorities,
    Users,
    as_sent,
    command_group,
    examples,
    several,
)
from clients.cli.session import session_of
from clients.sdk.errors import BadInput
from clients.sdk.tasks import TaskFilter
from xylem.domain.status import TaskStatus

app = command_group("Tasks, of all workflows: which run, where, and what they ask for.")

UNDER_WAY = (
    TaskStatus.PROCESSING,
    TaskStatus.SCHEDULING,
    TaskStatus.INITIALIZING,
    TaskStatus.RUNNING,
)
"""What is listed unless told otherwise, as with OSMO."""


@app.callback()
def _task() -> None:
    pass


@app.command(
    "list",
    cls=several("--status", "-s", "--user", "-u", "--pool", "-p", "--node", "-n", "--priority"),
    epilog=examples(
        "xylem task list",
        "xylem task list --workflow-id hello-1 --status FAILED RUNNING",
        "xylem task list --all-users --summary",
    ),
)
def list_tasks(
    context: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            "-s",
            metavar="STATUS",
            help="One or several; FAILED is every way to fail.",
            show_default="those under way",
        ),
    ] = None,
    workflow_id: Annotated[
        str | None, typer.Option("--workflow-id", "-w", help="Of this workflow alone.")
    ] = None,
    user: Users = None,
    all_users: AllUsers = False,
    pool: Pools = None,
    node: Annotated[
        list[str] | None, typer.Option("--node", "-n", metavar="NODE", help="One or several.")
    ] = None,
    started_after: Annotated[str | None, typer.Option(help=MOMENT)] = None,
    started_before: Annotated[str | None, typer.Option(help=MOMENT)] = None,
    count: Count = 20,
    offset: Offset = 0,
    order: Order = "asc",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="With nodes, and what each asks for.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", "-S", help="What they ask for, by user and pool.")
    ] = False,
    aggregate_by_workflow: Annotated[
        bool, typer.Option("--aggregate-by-workflow", "-W", help="The same, by workflow.")
    ] = False,
    priority: Priorities = None,
    format_type: FormatType = None,
) -> None:
    """List tasks that are under way, or of the statuses that are named."""
    session = session_of(context)
    wanted = TaskFilter(
        workflow=workflow_id,
        statuses=_statuses(status),
        users=user or (),
        all_users=all_users,
        pools=pool or (),
        nodes=node or (),
        priorities=[one.upper() for one in priority or ()],
        after=moment(started_after, session.now()),
        before=moment(started_before, session.now()),
    )
    sent = as_sent(order)
    with session.connect() as client:
        if summary or aggregate_by_workflow:
            sums = client.task_sums(
                wanted, by_workflow=aggregate_by_workflow, limit=count, offset=offset, order=sent
            )
            if session.json:
                session.write_json(sums.model_dump(mode="json"))
                return
            session.out.print(
                task_view.sums_table(sums.summaries, by_workflow=aggregate_by_workflow)
            )
            return
        found = client.tasks(wanted, limit=count, offset=offset, order=sent)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    if not found.tasks:
        session.say("No tasks match.")
        return
    session.out.print(task_view.task_table(found.tasks, verbose=verbose))
    if len(found.tasks) == count:
        session.hint(f"There may be more: --offset {offset + count}")


def _statuses(said: list[str] | None) -> list[str]:
    """FAILED means every failure, as it is one word for whoever looks. Raises `BadInput`."""
    if not said:
        return [one.value for one in UNDER_WAY]
    chosen: dict[str, None] = {}
    for word in (one.upper() for one in said):
        if word == "FAILED":
            chosen |= {one.value: None for one in TaskStatus if one.failed}
        elif word in TaskStatus.__members__:
            chosen[word] = None
        else:
            known = ", ".join(TaskStatus.__members__)
            raise BadInput(f"{word} is no status of a task: there are FAILED, {known}")
    return list(chosen)
