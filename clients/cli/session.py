"""What a command may use of the world: made once in `__main__`, and from fakes in tests."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer
from rich.console import Console
from rich.control import strip_control_codes

from clients.sdk.errors import BadInput, NotLoggedIn, Unauthorized
from clients.sdk.login import Login, cache_folder, config_folder, current_login, ended, store

if TYPE_CHECKING:
    import httpx

    from clients.sdk.client import Client

_WIDE = 200
"""Columns where nobody watches: a name that is cut is no name for the next program."""


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


@dataclass
class Session:
    out: Console
    err: Console
    stdin: TextIO
    environ: Mapping[str, str]
    transport: "httpx.BaseTransport | None" = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    format: Format = Format.TEXT

    @property
    def json(self) -> bool:
        """For a program: JSON, or YAML, which says the same."""
        return self.format is not Format.TEXT

    @property
    def config_folder(self) -> Path:
        return config_folder(self.environ)

    @property
    def cache_folder(self) -> Path:
        return cache_folder(self.environ)

    def login(self) -> Login:
        """With a token that has not ended, where one can be had. Raises `ClientError`."""
        login = current_login(self.environ)
        if login is None:
            raise NotLoggedIn("You are not logged in.")
        if not ended(login, self.now()):
            return login
        try:
            found = self.fresh(login)
        except Unauthorized:
            # Of two programs that refresh at once the second is refused, where a refresh token is
            # good for once: it finds what the first has stored.
            stored = current_login(self.environ)
            if stored is None or stored == login or ended(stored, self.now()):
                raise
            return stored
        if "XYLEM_URL" not in self.environ:
            store(found, self.config_folder)
        return found

    def fresh(self, login: Login) -> Login:
        """With another token. Raises `ClientError`."""
        from clients.sdk.fresh import fresh  # noqa: PLC0415 - for whose token has ended alone

        return fresh(login, transport=self.transport)

    def connect(self) -> "Client":
        # `data` and `--help` ask the service nothing, and this is half of what a start takes.
        from clients.sdk.client import Client  # noqa: PLC0415 - see above

        return Client(self.login(), transport=self.transport)

    def read(self, file: Path) -> str:
        """A file that the user named; `-` is standard input. Raises `BadInput`."""
        try:
            return self.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            name = "standard input" if str(file) == "-" else file
            raise BadInput(f"{name} is not a text in UTF-8") from None
        except OSError as error:
            raise BadInput(f"{file} cannot be read: {error.strerror}") from error

    def say(self, text: str) -> None:
        """A line for a person, as it is: no markup, no wrapping."""
        self.write(f"{text}\n")

    def hint(self, text: str) -> None:
        """A line beside the answer, which must not get into a pipe with it."""
        self.err.print(text, markup=False, highlight=False, soft_wrap=True)

    def write(self, text: str) -> None:
        """Text of the service's, with its own line ends. Not through Rich, which takes a second for
        5 MB to find that there is nothing to lay out."""
        self.out.file.write(strip_control_codes(text))
        self.out.file.flush()

    def write_json(self, value: object) -> None:
        """In the form that was asked for; JSON unless it was YAML."""
        text = json.dumps(value, indent=2, default=str)
        self.say(_as_yaml(json.loads(text)) if self.format is Format.YAML else text)

    def yes(self, question: str, *, force: bool, what: str) -> bool:
        """Whether to go on with what cannot be undone. Raises `BadInput` where nobody is there to
        be asked: a script that means it says so."""
        if force:
            return True
        answer = self.ask(question)
        if answer is None:
            raise BadInput(f"nobody answered, so {what}: say --force to go on without asking")
        if not answer:
            self.hint(f"{what[:1].upper()}{what[1:]}.")
        return answer

    def ask(self, question: str) -> bool | None:
        """None: nobody is there to answer."""
        self.hint(f"{question} [y/N]")
        answer = self.stdin.readline()
        return answer.strip().lower() in ("y", "yes") if answer else None


def _as_yaml(value: object) -> str:
    import yaml  # noqa: PLC0415 - for who wants YAML alone

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).rstrip("\n")


def console(*, stderr: bool = False) -> Console:
    """Rich leaves colours out by itself where there is no terminal."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=_WIDE)


def session_of(context: typer.Context) -> Session:
    found = context.find_root().obj
    assert isinstance(found, Session)
    return found


def choose_format(context: typer.Context, value: Format | None) -> Format | None:
    """The option may stand before the command or after it."""
    if value is not None:
        session_of(context).format = value
    return value
