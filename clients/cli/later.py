"""Words of which the module is imported when the word is asked for, not when it is listed.

Behind some commands are boto3, a supervisor of processes, WebSockets and metrics: half a second of
imports, for which nobody waits who asked for another. A list of words (a help, a completion) needs
a line about each, which stands here; a test holds it against the command's own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Word:
    """`where`: MODULE:NAME, of a Typer or of a function that is a command. `help`: its line."""

    where: str
    help: str

    def command(self, name: str) -> Any:
        module, _, attribute = self.where.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = name
        return command


class Later(TyperGroup):
    later: ClassVar[Mapping[str, Word]] = {}
    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self.later]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        word = self.later.get(cmd_name)
        if word is None:
            return super().get_command(ctx, cmd_name)
        if self._listing:
            return TyperCommand(cmd_name, help=word.help)
        return word.command(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with self._listed():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        with self._listed():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listed(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False
