"""`xylem workflow …`: what is asked about workflows; `clients.cli.submission` sends them."""

from enum import Enum
from types import MappingProxyType
from typing import Annotated

import typer

from clients.cli import cancellation, capacity_view, render, submission
from clients.cli.audit_view import audit_table
from clients.cli.follow import all_records
from clients.cli.later import Later, Word
from clients.cli.moments import moment
from clients.cli.options import (
    MOMENT,
    AllUsers,
    Count,
    FormatType,
    LongFormatType,
    Offset,
    Order,
    Pools,
    Priorities,
    Task,
    Users,
    Workflow,
    command_group,
    examples,
    several,
)
from clients.cli.session import session_of
from clients.sdk.errors import BadInput


class Words(Later):
    """What reaches into tasks and stores brings libraries that nothing else needs."""

    later = MappingProxyType(
        {
            "exec": Word(
                "clients.cli.entering:exec_in_task",
                "Run a command in a running task, a shell if none is named. Exits as the command "
                "exits.",
            ),
            "port-forward": Word(
                "clients.cli.forwarding:port_forward",
                "Listen on this machine, and carry what connects to ports of a running task. "
                "Ctrl-C ends it.",
            ),
            "web": Word(
                "clients.cli.forwarding:web",
                "Open a page that a running task serves. Ctrl-C ends it.",
            ),
            "rsync": Word(
                "clients.cli.rsync:app",
                "Copy files into a running task, and back. What is there already is not sent.",
            ),
            "artifacts": Word(
                "clients.cli.artifacts:app",
                "Artifacts: what the tasks of a workflow left, and their logs.",
            ),
        }
    )


app = command_group("Workflows: submit them and see what became of them.", cls=Words)

Retry = Annotated[
    int | None, typer.Option("--retry-id", "--retry", "-r", min=0, help="Of this attempt.")
]


class Stream(Enum):
    STDOUT = "stdout"
    STDERR = "stderr"
    CONTROL = "control"


app.command("submit")(submission.submit)
app.command("restart")(submission.restart)
app.command("validate")(submission.validate)
app.command("schema")(submission.schema)
app.command("cancel")(cancellation.cancel)


@app.command(
    "list",
    cls=several("--status", "-s", "--user", "-u", "--pool", "-p", "--tags", "--priority"),
    epilog=examples(
        "xylem workflow list --status RUNNING PENDING",
        "xylem workflow list --all-users --submitted-after 2d --label team=vision",
    ),
)
def list_workflows(
    context: typer.Context,
    count: Count = 20,
    offset: Offset = 0,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Part of the id.")] = None,
    order: Order = "asc",
    status: Annotated[
        list[str] | None,
        typer.Option("--status", "-s", metavar="STATUS", help="One or several."),
    ] = None,
    user: Users = None,
    all_users: AllUsers = False,
    pool: Pools = None,
    submitted_after: Annotated[str | None, typer.Option(help=MOMENT)] = None,
    submitted_before: Annotated[str | None, typer.Option(help=MOMENT)] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tags", metavar="TAG", help="One or several.")
    ] = None,
    priority: Priorities = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Repeatable.")
    ] = None,
    no_label: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Without it. Repeatable.")
    ] = None,
    app_name: Annotated[
        str | None, typer.Option("--app", "-P", help="Submitted from it: NAME or NAME:VERSION.")
    ] = None,
    format_type: FormatType = None,
) -> None:
    """List workflows, the newest last, so that it is what stands above the prompt."""
    session = session_of(context)
    with session.connect() as client:
        page = client.list_workflows(
            limit=count,
            offset=offset,
            name=name,
            statuses=[each.upper() for each in status or ()],
            users=user or (),
            all_users=all_users,
            pools=pool or (),
            labels=label or (),
            without_labels=no_label or (),
            tags=tags or (),
            priorities=[each.upper() for each in priority or ()],
            app=app_name,
            after=moment(submitted_after, session.now()),
            before=moment(submitted_before, session.now()),
        )
    if session.json:
        session.write_json(page.model_dump(mode="json"))
        return
    if not page.workflows:
        session.say("No workflows. Submit one: xylem workflow submit FILE")
        return
    shown = page.workflows if order == "desc" else reversed(page.workflows)
    session.out.print(render.workflow_table(shown, session.now()))
    if page.more_entries:
        session.say(f"There are more: --offset {offset + count}")


@app.command()
def query(
    context: typer.Context,
    workflow: Workflow,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Every attempt, not the last alone, and what the cluster says of each.",
        ),
    ] = False,
    format_type: FormatType = None,
) -> None:
    """Show one workflow with its groups and tasks."""
    session = session_of(context)
    with session.connect() as client:
        found = client.query(workflow, verbose=verbose)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(render.workflow_view(found, session.now(), verbose=verbose))


@app.command("why-pending")
def why_pending(context: typer.Context, workflow: Workflow, format_type: FormatType = None) -> None:
    """Show what each group that does not run waits for, since when, and what would change it."""
    session = session_of(context)
    with session.connect() as client:
        found = client.why_pending(workflow)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(capacity_view.pending_view(found, session.now()))


@app.command()
def logs(
    context: typer.Context,
    workflow: Workflow,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    task: Task = None,
    retry_id: Retry = None,
    lines: Annotated[int | None, typer.Option("-n", min=1, help="The last lines alone.")] = None,
    error: Annotated[
        bool, typer.Option("--error", help="What failed tasks said last; of one with --task.")
    ] = False,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Lines that match this regular expression.")
    ] = None,
    stream: Annotated[
        Stream | None, typer.Option("--stream", help="What was written there alone.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="A time, or how long ago: 90s, 10m, 2h, 1d.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="As --since.")] = None,
    format_type: LongFormatType = None,
) -> None:
    """Show what the tasks wrote."""
    _require_task_of(retry_id, task)
    session = session_of(context)
    begin, end = moment(since, session.now()), moment(until, session.now())
    narrowed = any((query, stream, since, until, error))
    if narrowed and (follow or session.json):
        raise BadInput(
            "--query, --stream, --since, --until and --error are of the text that is there: leave"
            " out --follow and --format-type json."
        )
    with session.connect() as client:
        if follow:
            log = render.LogLines()
            for page in client.follow_logs(workflow, task=task, retry=retry_id):
                as_json = [record.model_dump_json() for record in page.records]
                for line in as_json if session.json else log.take(page.records):
                    session.say(line)
            for line in log.rest():
                session.say(line)
        elif session.json:
            records = all_records(client, workflow, task, retry_id).records
            session.write_json([each.model_dump(mode="json") for each in records[-(lines or 0) :]])
        elif error:
            session.write(
                client.error_logs(workflow, task=task, retry=retry_id, lines=lines, query=query)
            )
        else:
            session.write(
                client.logs(
                    workflow,
                    task=task,
                    retry=retry_id,
                    lines=lines,
                    query=query,
                    stream=stream.value if stream else None,
                    since=begin,
                    until=end,
                )
            )


@app.command()
def events(
    context: typer.Context,
    workflow: Workflow,
    task: Task = None,
    retry_id: Retry = None,
    format_type: LongFormatType = None,
) -> None:
    """Show what the cluster said of the pods: why they wait, what was done to them."""
    _require_task_of(retry_id, task)
    session = session_of(context)
    with session.connect() as client:
        text = client.events(workflow, task=task, retry=retry_id)
    if session.json:
        session.write_json({"events": text.splitlines()})
        return
    session.write(text)
    if not text:
        session.hint("Its cluster has said nothing: a pod with which all is well has no events.")


@app.command(
    cls=several("--workflow", "-w", "--add", "-a", "--remove", "-r"),
    epilog=examples(
        "xylem workflow tag", "xylem workflow tag --workflow hello-1 hello-2 --add golden"
    ),
)
def tag(
    context: typer.Context,
    workflow: Annotated[
        list[str] | None, typer.Option("--workflow", "-w", metavar="WORKFLOW")
    ] = None,
    add: Annotated[list[str] | None, typer.Option("--add", "-a", metavar="TAG")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", "-r", metavar="TAG")] = None,
    format_type: FormatType = None,
) -> None:
    """Add tags to workflows and take them away; without an option, list those there may be."""
    session = session_of(context)
    if not workflow and not add and not remove:
        with session.connect() as client:
            known = client.tags()
        if session.json:
            session.write_json(known)
            return
        for one in known:
            session.say(one)
        if not known:
            session.hint("None: an administrator says in the config WORKFLOW which there may be.")
        return
    if not workflow or not (add or remove):
        raise BadInput("say which: --workflow ID with --add TAG or --remove TAG")
    with session.connect() as client:
        for one in workflow:
            client.tag(one, add=add or (), remove=remove or ())
            if not session.json:
                session.say(f"Tagged {one}.")
    if session.json:
        session.write_json([{"name": one} for one in workflow])


@app.command()
def audit(context: typer.Context, workflow: Workflow, format_type: FormatType = None) -> None:
    """Show every change of a workflow: when, by whose word, from what to what."""
    session = session_of(context)
    with session.connect() as client:
        records = sorted(client.audit(workflow), key=lambda record: (record.at, record.version))
    if session.json:
        session.write_json([record.model_dump(mode="json") for record in records])
        return
    session.out.print(audit_table(records))


@app.command()
def spec(
    context: typer.Context,
    workflow: Workflow,
    template: Annotated[
        bool, typer.Option("--template", help="As it was written, not as it was rendered.")
    ] = False,
    format_type: LongFormatType = None,
) -> None:
    """Show what was submitted."""
    session = session_of(context)
    with session.connect() as client:
        text = client.spec(workflow, template=template)
    if session.json:
        session.write_json({"spec": text})
        return
    session.write(text)


def _require_task_of(retry: int | None, task: str | None) -> None:
    if retry is not None and task is None:
        raise BadInput("An attempt is one of a task: name it with --task.")
