"""Texts that people write for a command: in a file, or in their editor."""

import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from clients.cli.session import Session
from clients.sdk.errors import BadInput

EDITOR = "vi"
"""Which every POSIX system has (IEEE Std 1003.1, Utilities)."""


def text_of(session: Session, file: Path | None, begin_with: str) -> str:
    """Of the file, else of the editor. Raises `BadInput`."""
    return session.read(file) if file is not None else edited(session, begin_with)


def edited(session: Session, text: str, *, name: str = "edited.yaml") -> str:
    """What became of it in the editor: `VISUAL`, else `EDITOR`. Raises `BadInput`."""
    if not session.out.is_terminal:
        raise BadInput("there is no terminal to open an editor in: give it as --file FILE")
    chosen = session.environ.get("VISUAL") or session.environ.get("EDITOR") or EDITOR
    with TemporaryDirectory(prefix="xylem-") as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run(
                [*shlex.split(chosen), str(path)], env=dict(session.environ), check=False
            )
        except OSError as error:
            raise BadInput(f"the editor {chosen} cannot be started: {error.strerror}") from None
        if ended.returncode:
            raise BadInput(f"the editor {chosen} ended with {ended.returncode}: nothing was sent")
        return path.read_text(encoding="utf-8")


def value_of(text: str, name: str) -> Any:
    """YAML, of which JSON is a part. Raises `BadInput`."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(f"{name} is no YAML: {' '.join(str(error).split())}") from None


def text_of_value(value: object) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
