"""A spec as YAML, as a person writes it: scripts as blocks, files that tasks share written once.

The service renders a text with marks of Jinja. What comes from a program is no template, so texts
with such marks go into raw blocks, in which tokens (`{{output}}`) keep their meaning.
"""

import base64
from collections.abc import Mapping
from typing import Any

import yaml

from clients.sdk.errors import BadInput
from clients.sdk.spec_files import is_template
from xylem.domain.tokens import TOKEN


def as_yaml(spec: Mapping[str, Any]) -> str:
    """Raises `BadInput` for a text that no YAML or no template can carry."""
    return yaml.dump(
        {"workflow": _verbatim(spec, {})},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=10**9,  # a fold may not come between two braces, nor between words of a script
    )


def _verbatim(value: Any, done: dict[int, Any]) -> Any:
    """`done`: lists that were there before, by identity, so that they stay one."""
    match value:
        case str():
            return _text(value)
        case {"path": str(path), "contents": str(text)} if "endraw" in text and _is_marked(text):
            return {
                "path": path,
                "contents": base64.b64encode(text.encode()).decode(),
                "base64": True,
            }
        case Mapping():
            return {key: _verbatim(one, done) for key, one in value.items()}
        case list() | tuple():
            if id(value) not in done:
                done[id(value)] = [_verbatim(one, done) for one in value]
            return done[id(value)]
        case _:
            return value


def _text(text: str) -> str:
    if not _is_marked(text):
        return text
    if "endraw" in text:
        raise BadInput(f"{text[:80]!r} has both braces of a template and endraw: give it in a file")
    return "{% raw %}" + text + "{% endraw %}"


def _is_marked(text: str) -> bool:
    """The service hides tokens, and `${#` of a shell, from the template by itself."""
    return is_template(TOKEN.sub("", text).replace("${#", ""))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Only lists of files are worth a name."""
        return not (isinstance(data, list) and data and isinstance(data[0], dict))


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _short_list(dumper: yaml.SafeDumper, words: list[Any]) -> yaml.SequenceNode:
    plain = all(isinstance(one, str) and len(one) < 40 and "\n" not in one for one in words)
    short = plain and sum(len(one) + 2 for one in words) < 80
    return dumper.represent_sequence("tag:yaml.org,2002:seq", words, flow_style=short or None)


_Dumper.add_representer(str, _string)
_Dumper.add_representer(list, _short_list)
