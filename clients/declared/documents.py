"""What is written in a folder: documents of YAML, of which each declares one thing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from clients.sdk.errors import BadInput

SUFFIXES = (".yaml", ".yml")


class Kind(StrEnum):
    """In the order in which they are written: what is named comes before what names it."""

    SERVICE = "SERVICE"
    WORKFLOW = "WORKFLOW"
    ROLE = "ROLE"
    USER = "USER"
    POD_TEMPLATE = "POD_TEMPLATE"
    GROUP_TEMPLATE = "GROUP_TEMPLATE"
    RESOURCE_VALIDATION = "RESOURCE_VALIDATION"
    BACKEND_TEST = "BACKEND_TEST"
    BACKEND = "BACKEND"
    POOL = "POOL"
    BUCKET = "BUCKET"
    CREDENTIAL = "CREDENTIAL"
    APP = "APP"


NAMELESS = (Kind.SERVICE, Kind.WORKFLOW)


@dataclass(frozen=True, slots=True)
class Document:
    """`at`: its file, as messages name it; `folder`: what paths in it are relative to."""

    kind: Kind
    name: str
    spec: Any
    at: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


def read(folder: Path) -> list[Document]:
    """Raises `BadInput` for the first thing that is wrong, with its file."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder")
    found = [document for path in _files(folder) for document in _documents(path, folder)]
    if not found:
        raise BadInput(f"{folder} declares nothing: it has no YAML with a `kind`")
    known: dict[tuple[Kind, str], Document] = {}
    for document in found:
        before = known.setdefault((document.kind, document.name), document)
        if before is not document:
            raise BadInput(f"{document.at}: {document} is declared in {before.at} already")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """What begins with a dot is somebody else's: `.github`, `.git`."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in SUFFIXES and path.is_file() and not hidden:
            yield path


def _documents(path: Path, folder: Path) -> Iterator[Document]:
    at = str(path.relative_to(folder))
    try:
        parts = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except UnicodeDecodeError:
        raise BadInput(f"{at} is not a text in UTF-8") from None
    except yaml.YAMLError as error:
        if _is_spec(path):
            return
        raise BadInput(f"{at} is no YAML: {' '.join(str(error).split())}") from None
    for part in parts:
        if part is None or _is_spec(path):
            continue
        yield _document(part, at, path.parent)


def _is_spec(path: Path) -> bool:
    """The spec of an app lies beside what declares the app; a template of one is no YAML yet."""
    return any(line.startswith("workflow:") for line in path.read_text("utf-8").splitlines())


def _document(given: Any, at: str, folder: Path) -> Document:
    if not isinstance(given, Mapping) or "kind" not in given:
        raise BadInput(f"{at}: a document has a `kind`, a `name` and a `spec`")
    if unknown := sorted(map(str, set(given) - {"kind", "name", "spec"})):
        raise BadInput(f"{at}: a document has no {', '.join(unknown)}: it has kind, name, spec")
    try:
        kind = Kind(str(given["kind"]).upper())
    except ValueError:
        raise BadInput(f"{at}: {given['kind']} is no kind: there are {', '.join(Kind)}") from None
    name = given.get("name")
    if (name is None) != (kind in NAMELESS):
        need = "has no name: there is one alone" if kind in NAMELESS else "needs a `name`"
        raise BadInput(f"{at}: {kind} {need}")
    if name is not None and not isinstance(name, str):
        raise BadInput(f"{at}: {name!r} is no name: write it in quotes")
    return Document(kind, name or "", given.get("spec"), at, folder)
