"""What several commands have in common."""

from typing import Annotated, Literal

import typer

from clients.cli.session import Format, choose_format

FormatType = Annotated[
    Format | None,
    typer.Option(
        "--format-type",
        "-t",
        help="For people (text) or for programs (json).",
        callback=choose_format,
        show_default="text",
    ),
]
LongFormatType = Annotated[
    Format | None,
    typer.Option(
        "--format-type",
        help="For people (text) or for programs (json).",
        callback=choose_format,
        show_default="text",
    ),
]
Mode = Annotated[
    Literal["used", "free"], typer.Option("--mode", "-m", help="What is used, or what is free.")
]
Pool = Annotated[
    str | None,
    typer.Option(
        "--pool",
        "-p",
        help="Default: the one of your login, or the only one there is. Several, with commas "
        "between them: the one is chosen that starts it soonest.",
    ),
]


def command_group(help: str) -> typer.Typer:
    """A word with words below it. Completion is installed for the whole program, by its root."""
    return typer.Typer(add_completion=False, no_args_is_help=True, help=help)
