"""`xylem job …`: what the service itself has yet to do, for admins."""

from typing import Annotated

import typer

from clients.cli.job_view import dead_table, job_table, job_view
from clients.cli.options import FormatType, command_group
from clients.cli.session import session_of

app = command_group("Jobs of the service that failed or are overdue, for administrators.")

JobId = Annotated[str, typer.Argument(help="Id of the job, as `xylem job list` shows it.")]


@app.command("list")
def list_jobs(context: typer.Context, format_type: FormatType = None) -> None:
    """List jobs that wait for an administrator, those that are overdue, and dead letters."""
    session = session_of(context)
    with session.connect() as client:
        found = client.jobs()
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    if found.jobs:
        session.out.print(job_table(found.jobs))
    else:
        session.say("No job is parked or overdue.")
    if any(queue.depth for queue in found.dead_letters):
        session.say("\nMessages that nobody could answer:")
        session.out.print(dead_table(found.dead_letters))


@app.command()
def show(context: typer.Context, job: JobId, format_type: FormatType = None) -> None:
    """Show one job with its last error."""
    session = session_of(context)
    with session.connect() as client:
        found = client.job(job)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.out.print(job_view(found))


@app.command()
def retry(
    context: typer.Context,
    job: JobId,
    attempts: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Before it is parked again.", show_default="5"),
    ] = None,
    format_type: FormatType = None,
) -> None:
    """Have a job tried again, now."""
    session = session_of(context)
    with session.connect() as client:
        again = client.retry_job(job, attempts=attempts)
    if session.json:
        session.write_json(again.model_dump(mode="json"))
        return
    session.say(f"Job {again.id} is tried again. Watch it: xylem job show {again.id}")


@app.command()
def drop(context: typer.Context, job: JobId, format_type: FormatType = None) -> None:
    """Give a parked job up: what waits for it fails."""
    session = session_of(context)
    with session.connect() as client:
        client.drop_job(job)
    if session.json:
        session.write_json({"id": job})
        return
    session.say(f"Dropped job {job}.")
