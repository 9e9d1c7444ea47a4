"""Which route of an HTTP API takes a request.

"API Gateway selects the route with the most-specific match": full matches before path variables,
those before a greedy one ({proxy+}), `$default` last; a method before ANY
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Match:
    route_key: str
    path_parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    method: str
    path: re.Pattern[str]
    specificity: tuple[tuple[int, ...], bool]


_LITERAL, _VARIABLE, _GREEDY = 0, 1, 2


def match(route_keys: Iterable[str], method: str, path: str) -> Match | None:
    """The route for a request; None means 404."""
    best: tuple[tuple[tuple[int, ...], bool], Match] | None = None
    default = None
    for key in route_keys:
        if key == DEFAULT:
            default = Match(DEFAULT, {})
            continue
        pattern = _pattern(key)
        if pattern.method not in (method, "ANY"):
            continue
        found = pattern.path.fullmatch(path)
        if found and (best is None or pattern.specificity < best[0]):
            parameters = {name: unquote(value) for name, value in found.groupdict().items()}
            names = _names(key)
            best = (
                pattern.specificity,
                Match(key, {names[name]: value for name, value in parameters.items()}),
            )
    return best[1] if best else default


@lru_cache(maxsize=4096)
def _pattern(route_key: str) -> _Pattern:
    method, _, path = route_key.partition(" ")
    expression, kinds = [], []
    for number, segment in enumerate(path.strip("/").split("/")):
        if segment.startswith("{") and segment.endswith("+}"):
            kinds.append(_GREEDY)
            expression.append(f"(?P<p{number}>.+)")
        elif segment.startswith("{") and segment.endswith("}"):
            kinds.append(_VARIABLE)
            expression.append(f"(?P<p{number}>[^/]+)")
        else:
            kinds.append(_LITERAL)
            expression.append(re.escape(segment))
    return _Pattern(method, re.compile("/" + "/".join(expression)), (tuple(kinds), method == "ANY"))


@lru_cache(maxsize=4096)
def _names(route_key: str) -> dict[str, str]:
    """Group names of the pattern -> names of the path variables, which may not be identifiers."""
    segments = route_key.partition(" ")[2].strip("/").split("/")
    return {
        f"p{number}": segment.strip("{}").removesuffix("+")
        for number, segment in enumerate(segments)
        if segment.startswith("{")
    }
