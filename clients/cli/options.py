"""What several commands have in common."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand

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
