"""What a person is told of the commands: lists of words, and examples that work."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.core import TyperGroup

from clients.cli.__main__ import root
from clients.cli.later import Later
from clients.cli.session import Session
from tests.unit.clients.cli.terminal import ROOT as FOLDER
from tests.unit.clients.cli.terminal import environment

ROOT = typer.main.get_command(root)


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, TyperGroup):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(commands(ROOT))
EXAMPLES = [
    line
    for command in COMMANDS.values()
    for line in re.findall(r"^xylem .*$", command.epilog or "", re.MULTILINE)
]


def groups(group: Any) -> Iterator[Any]:
    context = typer.Context(group)
    yield group
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, TyperGroup):
            yield from groups(command)


def test_what_is_said_of_a_word_without_its_module_is_what_it_says_itself() -> None:
    for group in groups(ROOT):
        if isinstance(group, Later):
            for name, word in group.later.items():
                own = (word.command(name).help or "").split("\n\n")[0]
                assert " ".join(own.split()) == word.help, name


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_that_there_is(example: str) -> None:
    """It is parsed as far as what it would do."""
    words = shlex.split(example)[1:]
    path = next(path for path in COMMANDS if tuple(words[: len(path)]) == path)
    command = COMMANDS[path]

    context = command.make_context(
        path[-1], words[len(path) :], parent=typer.Context(ROOT, obj=a_session())
    )

    assert context.params


def a_session() -> Session:
    console = Console(file=StringIO())
    return Session(out=console, err=console, stdin=StringIO(), environ={})


def test_every_command_is_told_of_in_a_line() -> None:
    assert [path for path, command in COMMANDS.items() if not command.help] == []


def test_everything_of_osmo_s_client_is_there() -> None:
    """As docs/cli.md lists it, and what it lists is there."""
    page = (FOLDER / "docs" / "cli.md").read_text()
    listed = {
        tuple(shlex.split(line)) for line in re.findall(r"^\| `xylem ([a-z -]+?)`", page, re.M)
    }

    assert listed == set(COMMANDS)


@pytest.mark.parametrize("words", [("--help",), ("version",), ("workflow", "list", "--help")])
def test_nobody_waits_for_the_libraries_of_other_commands(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "clients.cli", *words],
        cwd=FOLDER,
        env=environment("http://127.0.0.1:9", tmp_path) | {"XYLEM_URL": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in said.stderr.splitlines()}
    assert "clients.cli.lazy" in imported
    assert imported & {"boto3", "websockets", "prometheus_client", "psutil", "obstore"} == set()
