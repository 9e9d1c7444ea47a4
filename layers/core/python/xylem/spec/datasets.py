"""Datasets in a spec: what a task reads, and what becomes of its output.

A name may have tokens (`{{workflow_id}}`), whose values are known when the group is rendered; what
it then is, is looked at when it is used. `path`, `paths`, `metadata` and `labels` of what becomes a
dataset are in the output.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from xylem.spec.model import SpecModel, fault, shown

_PART = r"(?:[a-zA-Z0-9_-]|\{\{ *\w+ *\}\})+"
_NAME = re.compile(rf"(?:{_PART}/)?{_PART}(?::{_PART})?", re.ASCII)
NAME_CHARS = 400

Place = tuple[int | str, ...]


def _name(text: str) -> str:
    if len(text) > NAME_CHARS or _NAME.fullmatch(text) is None:
        raise fault(
            f"{shown(text)} names no dataset: write [BUCKET/]NAME[:TAG or VERSION], of letters, "
            "digits, - and _."
        )
    return text


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise fault(f'"{text}" is no regular expression: {error}.') from None
    return text


def _in_output(text: str) -> str:
    path = text.removeprefix("{{output}}").removeprefix("{{ output }}").lstrip("/")
    if ".." in path.split(":")[0].split("/") or (text.startswith("/") and path != text):
        raise fault(f"{shown(text)} leads out of the output: write a path in it.")
    return text


def _destination(text: str) -> str:
    _, _, folder = text.partition(":")
    if ".." in folder.split("/"):
        raise fault(f"{shown(text)} leads out of the dataset.")
    return _in_output(text)


def _refuse_localpath(value: object) -> None:
    if value is not None:
        raise fault(
            "is a folder of the submitting machine, which the command line uploads when it "
            "submits. Upload it with xylem dataset upload, and name its version."
        )


Name = Annotated[
    str,
    AfterValidator(_name),
    Field(description="[BUCKET/]NAME[:TAG or VERSION]; tokens get their values."),
]
Regex = Annotated[
    str,
    AfterValidator(_compiles),
    Field(description="Only files whose path it matches (Python's syntax). Default: all."),
]
OutputPath = Annotated[str, AfterValidator(_in_output)]
Files = Annotated[
    tuple[OutputPath, ...], Field(description="YAML files in the output, merged in their order.")
]


_IDLE = "Has no effect, as with OSMO."


class DatasetSpec(SpecModel):
    name: Name

    @property
    def bare_name(self) -> str:
        return self.name.rpartition("/")[2].partition(":")[0]

    def texts(self) -> Iterator[tuple[Place, str]]:
        """Every string in which tokens get their values, with its place below."""
        for key in ("name", "regex", "path"):
            if text := getattr(self, key, None):
                yield (key,), text
        for key in ("paths", "metadata", "labels"):
            for index, text in enumerate(getattr(self, key, ())):
                yield (key, index), text


class DatasetInputSpec(DatasetSpec):
    regex: Regex = ""
    localpath: Annotated[
        None,
        BeforeValidator(_refuse_localpath),
        WithJsonSchema({"type": "string"}),
        Field(
            description="A file or folder beside this spec, which the command line uploads as a "
            "version of the dataset when it submits."
        ),
    ] = None
    path: Annotated[str, Field(description=_IDLE)] = ""
    metadata: Annotated[tuple[str, ...], Field(description=_IDLE)] = ()
    labels: Annotated[tuple[str, ...], Field(description=_IDLE)] = ()

    def texts(self) -> Iterator[tuple[Place, str]]:
        yield ("name",), self.name
        if self.regex:
            yield ("regex",), self.regex


class DatasetOutputSpec(DatasetSpec):
    """A `:tag` of its name is put onto the version."""

    path: Annotated[OutputPath, Field(description="The part of {{output}}. Default: all.")] = ""
    regex: Regex = ""
    metadata: Files = ()
    labels: Files = ()


class DatasetUpdateSpec(DatasetSpec):
    """A `:tag` or version of its name is what it begins with."""

    paths: Annotated[
        tuple[Annotated[str, AfterValidator(_destination)], ...],
        Field(description="Paths in {{output}}, each SOURCE or SOURCE:FOLDER of the dataset."),
    ] = ()
    metadata: Files = ()
    labels: Files = ()

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if not self.paths:
            raise fault("has no paths: write which of the output the new version has besides.")
        return self
