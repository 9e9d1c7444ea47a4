"""The special tokens in a task's strings: `{{output}}` and its relatives.

They look like Jinja and are not: they survive the template (`xylem.spec.template`), are checked
when the workflow is submitted (`xylem.spec.references`), and get their values when a group is
rendered (`xylem.manifests`), because only then the group's id is known.

    {{workflow_id}}                     hello-1
    {{output}}                          the folder whose files the task hands on
    {{input:0}}  {{input:NAME}}         the folder with the files of that input
    {{host:NAME}}                       the host name of a task of the same group
    {{uuid}}                            an id of the task, the same for all its attempts

OSMO knows them without inner spaces only, and never gives `{{uuid}}` a value; both work here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

TOKEN = re.compile(r"\{\{ *(workflow_id|output|uuid|(?:input|host):[\w.:-]+) *\}\}", re.ASCII)
"""Group 1 is the token's key: `output`, `input:0`, `host:server`."""


OUTPUT_FOLDER = "/osmo/data/output"
INPUT_FOLDER = "/osmo/data/input"
"""Below it one folder for each input, named by its position. Both paths are OSMO's."""


class Reference(NamedTuple):
    kind: str
    """`input` or `host`."""
    name: str


def references(text: str) -> Iterator[Reference]:
    """What the text wants to know of other tasks."""
    for found in TOKEN.finditer(text):
        kind, _, name = found[1].partition(":")
        if name:
            yield Reference(kind, name)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """The text with the values of the tokens' keys; a key without a value stays as it was."""
    if "{{" not in text:
        return text
    return TOKEN.sub(lambda found: values.get(found[1], found[0]), text)
