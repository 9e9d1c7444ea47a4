"""From text to YAML values: the top-level keys of a spec, and a loader that nobody can blow up.

A spec has up to three top-level keys, which are found on the raw text, at column 0, before any
template is rendered: the values of the template's variables stand in the same file as the template.
What comes before the first key (a licence, comments) is not looked at, as in OSMO; each section
keeps its line numbers, so that an error names the line that the user sees.

PyYAML's C loader is the fast one, and it trusts its input: 200,000 opening brackets end the process
with a segmentation fault, forty lines of aliases grow for ever in a merge, a number written in base
60 takes hours. So the events, which libyaml tells one after the other, are bounded first. Most
specs are maps, lists and plain values alone: their values are put together in the same pass, which
takes a third of the ordinary loader's time. What a plain value means is asked of PyYAML's own
tables; a spec with an anchor, an alias, a tag, a merge key or a list as a key goes, once it is
bounded, to the ordinary loader, so that there is no second opinion on what YAML means.
"""

import gc
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from xylem.domain.errors import InvalidSpec, TooLarge

SPEC_BYTES = 4 * 1024 * 1024
"""Design section 3: specs up to 4 MB. It holds before and after the template."""

KEYS = ("workflow", "default-values", "version")

_DEPTH = 100
"""A spec nests to about 8. The C loader survives some 10,000 with a stack of 8 MB."""

_VALUES = 1_000_000
"""With every alias written out. A workflow of 10,000 tasks has about 300,000."""

_NUMBER_CHARS = 64
_DIGITS = re.compile(r"[-+]?(0[xb][0-9a-fA-F_]+|[0-9_:.]+)")
_KEY_LINE = re.compile(r"^([a-zA-Z][a-zA-Z0-9_-]*):", re.MULTILINE)

_Loader: Any = yaml.CSafeLoader
"""All wheels of PyYAML have it."""

_NO_KEY = object()
_ONLY_THE_LOADER = {"tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"}


def sections(text: str) -> Mapping[str, str]:
    """The text of each top-level key, on the lines on which it stands in the file.

    Raises `TooLarge` above `SPEC_BYTES`, `InvalidSpec` for keys that are unknown, come twice or
    are missing."""
    check_size(text, "The spec")
    text = text.removeprefix("\ufeff")
    found = list(_KEY_LINE.finditer(text))
    if faults := list(_key_faults(text, found)):
        raise InvalidSpec("\n".join(faults), code="USER")
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {
        match[1]: "\n" * text.count("\n", 0, match.start()) + text[match.start() : end]
        for match, end in zip(found, ends, strict=True)
    }


def line_finder(text: str) -> Callable[[Sequence[int | str]], int | None]:
    """Tells the line on which a value of a text begins that `load` has read: of what is not there,
    the line of what it would be in. It composes the text once more, so it is for errors."""
    root = yaml.compose(text, Loader=_Loader)

    def line_of(at: Sequence[int | str]) -> int | None:
        node, line = root, None
        for part in at:
            marked = node
            match node:
                case yaml.MappingNode():
                    found = [pair for pair in node.value if pair[0].value == str(part)]
                    if not found:
                        break
                    marked, node = found[-1]
                case yaml.SequenceNode() if isinstance(part, int) and part < len(node.value):
                    marked = node = node.value[part]
                case _:
                    break
            line = marked.start_mark.line + 1
        return line

    return line_of


def _key_faults(text: str, found: Sequence[re.Match[str]]) -> Iterator[str]:
    seen: set[str] = set()
    for match in found:
        name, line = match[1], text.count("\n", 0, match.start()) + 1
        if name not in KEYS:
            yield (
                f"Unknown top-level key {name}: known are {', '.join(KEYS)}. "
                f"Everything else is indented below workflow. (line {line})"
            )
        elif name in seen:
            yield (
                f"The top-level key {name} is there more than once. Keep one of them. (line {line})"
            )
        seen.add(name)
    if "workflow" not in seen:
        yield "Workflow spec not found: no line begins with workflow:"


def check_size(text: str, what: str) -> None:
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size > SPEC_BYTES:
        raise TooLarge(f"{what} has {size} bytes; the most is {SPEC_BYTES}.")


def load(text: str) -> object:
    """The value of a YAML text. Raises `InvalidSpec`."""
    try:
        with without_collector():
            reader = _Reader(text)
            return reader.value() if reader.read() else yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidSpec(f"The spec is not valid YAML: {_explained(error)}") from None
    except ValueError as error:
        raise InvalidSpec(f"The spec has a value that YAML cannot read: {error}.") from None


@contextmanager
def without_collector() -> Iterator[None]:
    """While a tree grows, Python's collector walks all of it again and again, and finds nothing: of
    10,000 tasks that is more than half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def mapping(text: str, key: str) -> Mapping[str, Any]:
    """The value below a top-level key, which has to be a map (or nothing: an empty one)."""
    document = load(text)
    value = document.get(key) if isinstance(document, dict) else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidSpec(f"{key}: should be a map of keys and values, not {_kind(value)}.")
    return value


class _Reader:
    """One pass over the events of a text."""

    def __init__(self, text: str) -> None:
        self._parser = _Loader(text)
        self._sizes: dict[str | None, int] = {}
        """By anchor, with aliases written out. While the anchored value is still open: endless."""
        self._open: list[tuple[str | None, int]] = []
        self._size = 0
        self._plain = True
        """Nothing was met yet that only the ordinary loader understands."""
        self._meanings: dict[str, Any] = {}
        self._root: list[Any] = []
        self._above: list[tuple[Any, Any]] = []
        self._into: Any = self._root
        self._key: Any = _NO_KEY

    def value(self) -> object:
        return self._root[0] if self._root else None

    def read(self) -> bool:
        """Whether `value` is the text's. Raises `InvalidSpec` for what is beyond the bounds, and
        PyYAML's errors."""
        documents = 0
        parser = self._parser
        try:
            while (event := parser.get_event()) is not None:
                kind = type(event)
                if kind is yaml.ScalarEvent:
                    self._scalar(event)
                elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                    self._begin(event, {} if kind is yaml.MappingStartEvent else [])
                elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                    self._end()
                elif kind is yaml.AliasEvent:
                    self._plain = False
                    self._size += self._sizes.get(event.anchor, 1)
                elif kind is yaml.DocumentStartEvent:
                    documents += 1
                if self._size > _VALUES:
                    raise _beyond(
                        event, f"with its aliases written out it has more than {_VALUES} values"
                    )
        finally:
            parser.dispose()
        return self._plain and documents <= 1

    def _scalar(self, event: Any) -> None:
        self._size += 1
        text = event.value
        plain = event.implicit[0]
        if plain and len(text) > _NUMBER_CHARS:
            _check_no_number(event)
        if event.anchor is not None:
            self._sizes[event.anchor] = 1
            self._plain = False
        elif event.tag is not None:
            self._plain = False
        if self._plain:
            self._put(self._meaning(text) if plain else text)

    def _begin(self, event: Any, value: dict[Any, Any] | list[Any]) -> None:
        self._open.append((event.anchor, self._size))
        self._size += 1
        if event.anchor is not None:
            self._sizes[event.anchor] = _VALUES
            self._plain = False
        elif event.tag is not None:
            self._plain = False
        if len(self._open) > _DEPTH:
            raise _beyond(event, f"values are nested more than {_DEPTH} deep")
        if self._plain:
            if type(self._into) is dict and self._key is _NO_KEY:
                self._plain = False
                return
            self._put(value)
            self._above.append((self._into, self._key))
            self._into, self._key = value, _NO_KEY

    def _end(self) -> None:
        anchor, before = self._open.pop()
        if anchor is not None:
            self._sizes[anchor] = self._size - before
        if self._plain:
            self._into, self._key = self._above.pop()

    def _put(self, value: Any) -> None:
        if type(self._into) is list:
            self._into.append(value)
        elif self._key is _NO_KEY:
            self._key = value
        else:
            self._into[self._key] = value
            self._key = _NO_KEY

    def _meaning(self, text: str) -> Any:
        """Of a plain value: most often its text."""
        if text in self._meanings:
            return self._meanings[text]
        parser, meaning = self._parser, text
        for tag, form in parser.yaml_implicit_resolvers.get(text[:1], ()):
            if form.match(text):
                construct = parser.yaml_constructors.get(tag)
                if tag in _ONLY_THE_LOADER or construct is None:
                    self._plain = False
                else:
                    meaning = construct(parser, yaml.ScalarNode(tag, text))
                break
        self._meanings[text] = meaning
        return meaning


def _check_no_number(event: yaml.ScalarEvent) -> None:
    if _DIGITS.fullmatch(event.value):
        raise _beyond(event, f"a number of more than {_NUMBER_CHARS} digits; put text in quotes")


def _beyond(event: yaml.Event, why: str) -> InvalidSpec:
    line = event.start_mark.line + 1 if event.start_mark else 1
    return InvalidSpec(f"The spec is too much to read: line {line}: {why}.")


def _explained(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"{error}."
    context = error.context
    if context and error.context_mark:
        context += f" (from line {error.context_mark.line + 1})"
    why = ", ".join(part for part in (context, error.problem) if part)
    if error.problem and "unhashable" in error.problem:
        why += " (a value that begins with {{ has to stand in quotes)"
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {why}." if mark else f"{why}."


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "one value"
