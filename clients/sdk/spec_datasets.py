"""Datasets that a spec names by `localpath`: folders of this machine, uploaded at its submission.

As with files (`spec_files`), the text is operated on and not written anew. A submission is first
validated without them, so that an invalid workflow uploads nothing; then each becomes a version of
its dataset, and its name names that version.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from clients.sdk.errors import BadInput
from clients.sdk.spec_files import NeedsRendering, is_template

_KEY = "localpath"

IDLE = 'path: ""'
"""What stands in its place: a key of an input that has no effect."""


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """`named`: from where to where its name stands; `said`: its `localpath: VALUE`."""

    name: str
    localpath: str
    named: tuple[int, int]
    said: tuple[int, int]
    line: int


def local_datasets(text: str) -> list[LocalDataset]:
    """Raises `NeedsRendering`, and `BadInput` for one that cannot be uploaded."""
    if _KEY not in text:
        return []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        if is_template(text):
            raise NeedsRendering from error
        raise BadInput(f"the spec is not valid YAML: {error}") from error
    return list(_found(root))


def validated_as(text: str, found: Sequence[LocalDataset]) -> str:
    """The spec as it is without what is uploaded."""
    return _edited(text, {one.said: IDLE for one in found})


def with_versions(text: str, versions: Mapping[LocalDataset, str]) -> str:
    """The spec with the number of each version that was uploaded."""
    edits = {one.said: IDLE for one in versions}
    edits |= {one.named: f'"{one.name}:{version}"' for one, version in versions.items()}
    return _edited(text, edits)


def _found(node: yaml.Node | None, *, below_inputs: bool = False) -> Iterator[LocalDataset]:
    match node:
        case yaml.SequenceNode():
            for item in node.value:
                yield from _found(item, below_inputs=below_inputs)
        case yaml.MappingNode():
            for key, value in node.value:
                if below_inputs and key.value == "dataset" and isinstance(value, yaml.MappingNode):
                    yield from _dataset(value)
                else:
                    yield from _found(value, below_inputs=key.value == "inputs")
        case _:
            return


def _dataset(node: yaml.MappingNode) -> Iterator[LocalDataset]:
    entries = {key.value: (key, value) for key, value in node.value}
    if _KEY not in entries:
        return
    key, local = entries[_KEY]
    _, name = entries.get("name", (None, None))
    line = key.start_mark.line + 1
    if not isinstance(local, yaml.ScalarNode) or not isinstance(name, yaml.ScalarNode):
        raise BadInput(f"line {line}: a dataset with a localpath has a name, and both are texts")
    if is_template(local.value) or is_template(name.value):
        raise NeedsRendering
    if ":" in name.value:
        raise BadInput(
            f"line {line}: {name.value} names a tag or version, but what is uploaded is a new one: "
            "write the name alone"
        )
    if "path" in entries:
        raise BadInput(f"line {line}: a dataset has localpath or path, not both")
    yield LocalDataset(
        name.value,
        local.value,
        (name.start_mark.index, name.end_mark.index),
        (key.start_mark.index, local.end_mark.index),
        line,
    )


def _edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    for (start, end), words in sorted(edits.items(), reverse=True):
        text = text[:start] + words + text[end:]
    return text
