"""What several commands have in common."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from clients.cli import completion
from clients.cli.session import Format, choose_format

if TYPE_CHECKING:
    from clients.sdk.connection import Order as SentOrder

_FORMAT_HELP = "For people (text) or for programs (json, yaml)."

FormatType = Annotated[
    Format | None,
    typer.Option(
        "--format-type", "-t", help=_FORMAT_HELP, callback=choose_format, show_default="text"
    ),
]
LongFormatType = Annotated[
    Format | None,
    typer.Option("--format-type", help=_FORMAT_HELP, callback=choose_format, show_default="text"),
]
Mode = Annotated[
    Literal["used", "free"], typer.Option("--mode", "-m", help="What is used, or what is free.")
]
Workflow = Annotated[
    str,
    typer.Argument(
        help="Id of the workflow, e.g. hello-1.", autocompletion=completion.workflow_names
    ),
]
Task = Annotated[
    str | None,
    typer.Option("--task", "-t", help="Of this task alone.", autocompletion=completion.task_names),
]
TaskName = Annotated[
    str, typer.Argument(help="Name of the task.", autocompletion=completion.task_names)
]
RetryOfTask = Annotated[
    int | None,
    typer.Option("--retry-id", "--retry", "-r", min=0, help="This attempt; default: the last."),
]
Pool = Annotated[
    str | None,
    typer.Option(
        "--pool",
        "-p",
        autocompletion=completion.pool_names,
        help="Default: the one of your login, or the only one there is. Several, with commas "
        "between them: the one is chosen that starts it soonest.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", "-f", "--yes", "-y", help="Ask nothing.", show_default=False)
]

File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="YAML; - is standard input. Default: your editor."),
]
Description = Annotated[
    str | None, typer.Option("--description", "-d", help="Why; kept in the history.")
]

# Of deployments, for who holds their keys --------------------------------------------------------

Environment = Annotated[
    Literal["local", "dev", "prod"],
    typer.Option("--environment", "-e", help="Which deployment."),
]
Region = Annotated[
    str | None, typer.Option(help="Of the deployment; default: as your AWS profile says.")
]
Url = Annotated[
    str | None, typer.Option(help="The service's address; default: as the stack's outputs say.")
]
Days = Annotated[int, typer.Option("--days", min=1, max=365, help="How long the token is good.")]

# Of lists ----------------------------------------------------------------------------------------

Count = Annotated[int, typer.Option("--count", "-c", min=1, max=1000, help="At the most.")]
Offset = Annotated[int, typer.Option("--offset", "-f", min=0, help="Pass over so many.")]
Order = Annotated[
    Literal["asc", "desc"],
    typer.Option("--order", "-o", case_sensitive=False, help="The newest last, or first."),
]
Users = Annotated[
    list[str] | None, typer.Option("--user", "-u", help="Whose; one or several.", metavar="USER")
]
AllUsers = Annotated[bool, typer.Option("--all-users", "-a", help="Not yours alone.")]
Pools = Annotated[
    list[str] | None,
    typer.Option(
        "--pool",
        "-p",
        help="One or several.",
        metavar="POOL",
        autocompletion=completion.pool_names,
    ),
]
Priorities = Annotated[
    list[str] | None,
    typer.Option("--priority", help="One or several.", metavar="HIGH|NORMAL|LOW"),
]
MOMENT = "A time, or how long ago: 90s, 10m, 2h, 1d."


def as_sent(order: str) -> "SentOrder":
    return "DESC" if order.lower() == "desc" else "ASC"


def command_group(help: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A word with words below it. Completion is installed for the whole program, by its root."""
    return typer.Typer(cls=cls, add_completion=False, no_args_is_help=True, help=help)


def examples(*lines: str) -> str:
    """The end of a command's help. Each is a command that there is: a test runs them all."""
    return "\n\n".join(("Examples:", *lines))


class SeveralValues(TyperCommand):
    """OSMO's `--payload a=1 b=2`: what follows such an option is its values, up to the next."""

    several: ClassVar[frozenset[str]] = frozenset()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(self._each(args)))

    def _each(self, args: Iterable[str]) -> Iterator[str]:
        option, given = "", 0
        for word in args:
            if word.startswith("-"):
                option, given = (word, 0) if word in self.several else ("", 0)
            elif option and given:
                yield option
            given += 1 if option and not word.startswith("-") else 0
            yield word


def several(*options: str) -> type[SeveralValues]:
    """A command of which these options take several values."""
    return type("Several", (SeveralValues,), {"several": frozenset(options)})
