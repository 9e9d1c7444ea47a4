"""Tasks across workflows as a person sees them."""

from collections.abc import Iterable

from rich.table import Table

from clients.cli.render import attempt_name, duration, status_text
from clients.cli.tables import table
from clients.sdk.tasks import ListedTask, TaskSum, Wants

WANTS = ("cpu", "gpu", "memory", "storage")


def task_table(tasks: Iterable[ListedTask], *, verbose: bool = False) -> Table:
    """`verbose`: with what each asks for, and its node."""
    more = ("node", *WANTS) if verbose else ()
    shown = table("workflow", "task", "status", "user", "pool", "priority", "duration", *more)
    for one in tasks:
        shown.add_row(
            one.workflow_id,
            attempt_name(one.task_name, one.retry_id),
            status_text(one.status),
            one.user,
            one.pool or "-",
            one.priority,
            duration(one.duration),
            *((one.node or "-", *_wants(one)) if verbose else ()),
        )
    return shown


def sums_table(sums: Iterable[TaskSum], *, by_workflow: bool) -> Table:
    first = ("workflow", "user") if by_workflow else ("user",)
    shown = table(*first, "pool", "priority", *WANTS)
    for one in sums:
        who = (one.workflow_id or "-", one.user) if by_workflow else (one.user,)
        shown.add_row(*who, one.pool or "-", one.priority, *_wants(one))
    return shown


def _wants(one: Wants) -> tuple[str, ...]:
    """Memory and storage in GiB."""
    return str(one.cpu), str(one.gpu), f"{one.memory:.4g}Gi", f"{one.storage:.4g}Gi"
