"""Files that a spec names by `localpath` travel inside the spec: the service has no other way to
them.

The text is operated on, not parsed and written anew: comments, templates and line numbers stay the
user's. YAML tells where each `localpath` entry begins and ends, and `contents` takes its place.

The service renders the whole spec, files included, when it has a mark of Jinja. A script of the
user's is not a template, so its text is put in a raw block when it has such marks (`{{output}}` and
its relatives keep their meaning there). What cannot be text in YAML goes as base64. OSMO pastes the
text as it is, and a script with `${#x[@]}` or `{{` breaks.

A template that is no YAML before it is rendered, or that computes a `localpath`, raises
`NeedsRendering`: let the service render it (`Client.render`) and come back with the result.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from clients.sdk.errors import BadInput

_JINJA = ("{{", "{%", "{#")
_KEY = "localpath"


class NeedsRendering(Exception):
    """Which files are meant is only known after the template was rendered."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One `localpath: VALUE` of the text, from its key's first character to its value's last."""

    start: int
    end: int
    column: int
    flow: bool
    value: str
    line: int


def with_local_files(text: str, folder: Path) -> str:
    """The spec with the contents of its local files, whose paths are relative to `folder`.

    Raises `NeedsRendering`, and `BadInput` for a file that is not there."""
    if _KEY not in text:
        return text
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        if is_template(text):
            raise NeedsRendering from error
        raise BadInput(f"the spec is not valid YAML: {error}") from error
    for entry in sorted(_entries(root), key=lambda entry: entry.start, reverse=True):
        if is_template(entry.value):
            raise NeedsRendering
        contents = _as_yaml(_read(entry, folder), entry)
        text = text[: entry.start] + contents + text[entry.end :]
    return text


def _entries(node: yaml.Node | None, *, below_files: bool = False) -> Iterator[_Entry]:
    match node:
        case yaml.SequenceNode():
            for item in node.value:
                yield from _entries(item, below_files=below_files)
        case yaml.MappingNode():
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for key, value in node.value:
                if below_files and key.value == _KEY and isinstance(value, yaml.ScalarNode):
                    if "contents" in keys:
                        raise BadInput(
                            f"line {key.start_mark.line + 1}: a file has either localpath or"
                            " contents, not both"
                        )
                    yield _Entry(
                        start=key.start_mark.index,
                        end=value.end_mark.index,
                        column=key.start_mark.column,
                        flow=bool(node.flow_style),
                        value=value.value,
                        line=key.start_mark.line + 1,
                    )
                else:
                    yield from _entries(value, below_files=key.value == "files")
        case _:
            return


def _read(entry: _Entry, folder: Path) -> bytes:
    path = folder / entry.value
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"line {entry.line}: localpath {entry.value} cannot be read ({error.strerror});"
            f" it is relative to {folder}"
        ) from error


def _as_yaml(raw: bytes, entry: _Entry) -> str:
    text = _text(raw)
    if text is not None:
        # A JSON string is a YAML string: one line, whatever the text is and wherever it stands.
        return f"contents: {json.dumps(text, ensure_ascii=False)}"
    between = ", " if entry.flow else "\n" + " " * entry.column
    return f"contents: {base64.b64encode(raw).decode()}{between}base64: true"


def _text(raw: bytes) -> str | None:
    """What YAML and Jinja can carry unharmed; None where they cannot."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character in "\n\t\r" for character in text):
        return None
    if not is_template(text):
        return text
    if "endraw" in text:
        return None
    return "{% raw %}" + text + "{% endraw %}"


def is_template(text: str) -> bool:
    return any(mark in text for mark in _JINJA)
