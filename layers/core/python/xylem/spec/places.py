"""Where things are in a task's container: files, credentials, folders of the node.

All paths below `/osmo` are the runtime's, but for the output folder, into which a file of the spec
may be put. Nothing is mounted over something else: Kubernetes would do it, and hide one of the two.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from xylem.domain.tokens import OUTPUT_FOLDER, TOKEN, references, substitute
from xylem.spec.model import fault, shown

_ENVIRONMENT_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
"""Kubernetes refuses any other: `IsEnvVarName` of k8s.io/apimachinery."""

_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def is_variable_name(text: str) -> bool:
    return _ENVIRONMENT_NAME.fullmatch(text) is not None


def variable_name(text: str) -> str:
    if not is_variable_name(text):
        raise fault(
            f"{shown(text)} is no name of an environment variable: use letters, digits, _, - and "
            "., not beginning with a digit."
        )
    return text


def location(path: str) -> str:
    """Where it will be: absolute, without `.` and `..`."""
    return posixpath.normpath(posixpath.join("/", substitute(path, {"output": OUTPUT_FOLDER})))


def file_path(path: str) -> str:
    at = location(path)
    if path.endswith("/") or at == "/":
        raise fault(f"{shown(path)} names a folder. Give the name of the file, too.")
    _check_mountable(path)
    if _is_ours(path) and not at.startswith(f"{OUTPUT_FOLDER}/"):
        raise fault(
            f"{shown(path)} lies below /osmo, which is the runtime's. "
            "Only files below {{output}} may be put there."
        )
    return path


def folder(path: str) -> str:
    """Where something may be mounted. Raises a `fault`."""
    if not path.startswith("/"):
        raise fault(f"{shown(path)} is no absolute path. Begin it with a slash.")
    if location(path) == "/":
        raise fault(f"{shown(path)} is the root of the container. Name a folder in it.")
    _check_mountable(path)
    if _is_ours(path):
        raise fault(f"{shown(path)} lies below /osmo, which is the runtime's. Take another folder.")
    return path


def _is_ours(path: str) -> bool:
    at = location(path)
    return at == "/osmo" or at.startswith("/osmo/") or any(references(path))


def _check_mountable(path: str) -> None:
    if ":" in TOKEN.sub("", path):
        raise fault(f"{shown(path)} has a colon, which Kubernetes refuses in a mount path.")


def _volume_mount(text: str) -> str:
    """`source` or `source:target`, folders of the node."""
    source, colon, target = text.partition(":")
    if ":" in target:
        raise fault(f"{shown(text)} has two colons. Write SOURCE or SOURCE:TARGET.")
    if not source.startswith("/") or ".." in source.split("/"):
        raise fault(
            f"{shown(text)} names no folder of the node: its source has to be an absolute path "
            "without .. in it."
        )
    folder(target if colon else source)
    return text


def target_of(volume_mount: str) -> str:
    source, _, target = volume_mount.partition(":")
    return target or source


def _credential(value: object) -> object:
    match value:
        case str():
            return folder(value)
        case dict() if value:
            return {_variable(name): _payload_key(key) for name, key in value.items()}
    raise fault(
        "says neither where nor as what the task gets it: write the folder to mount it at, "
        "or NAME: KEY for each environment variable."
    )


def _variable(name: object) -> str:
    return variable_name(name if isinstance(name, str) else str(name))


def _payload_key(key: object) -> str:
    text = str(key) if isinstance(key, str | int | float) and not isinstance(key, bool) else None
    if text is None or not _SECRET_KEY.fullmatch(text):
        raise fault(
            f"{shown(key)} is no key of a credential: use letters, digits, -, _ and ., up to 253."
        )
    return text


def collision(task: str, places: Iterable[tuple[str, str]]) -> str | None:
    """What is said about two things (what it is, its path) that would be at the same place."""
    taken: dict[str, str] = {}
    for what, path in places:
        at = location(path)
        if at in taken:
            other = taken[at]
            both = f"two {what}s" if other == what else f"a {other} and a {what}"
            return f"{both} of task {task} have the path {at}. Give one of them another."
        taken[at] = what
    return None


FilePath = Annotated[str, AfterValidator(file_path)]
VariableName = Annotated[str, AfterValidator(variable_name)]
VolumeMount = Annotated[
    str, AfterValidator(_volume_mount), Field(json_schema_extra={"pattern": r"^/[^:]*(:/[^:]+)?$"})
]
Credential = Annotated[
    str | Mapping[str, str],
    BeforeValidator(_credential),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^/", "description": "The folder to mount it at."},
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"type": ["string", "number"]},
                    "description": "Environment variables, and the key that each gets.",
                },
            ]
        }
    ),
]
