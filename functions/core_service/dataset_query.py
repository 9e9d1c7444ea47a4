"""The query language of datasets, as people write it: OSMO's, as far as that has an answer.

    name = "a" AND (label.robot.arm IN ["x", "y"] OR NOT LEN(metadata.tags) > 3)  # a comment

The parser is LALR: it reads from left to right in linear time, and builds what comes of it as it
goes, without recursion. A query is bounded in length and in depth all the same, because its answer
is found by recursion.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast, get_args

from lark import Lark, Token, Transformer, UnexpectedInput, v_args

from xylem.domain.dataset_query import (
    All,
    Any_,
    Comparison,
    Field,
    Not,
    Operator,
    Question,
    Root,
    Scalar,
)
from xylem.domain.errors import InvalidRequest

MOST_CHARS = 8_192
MOST_DEPTH = 50
MOST_TERMS = 500

FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

GRAMMAR = r"""
?start: either
?either: both (_OR both)*          -> either
?both: one (_AND one)*             -> both
?one: _NOT one                     -> negated
    | "(" either ")"
    | field COMPARED value         -> compared
    | value COMPARED field         -> flipped
    | field _IN "[" value ("," value)* "]" -> among
    | field _CONTAINS value        -> contains
    | field _CONTAINS _KEY text    -> contains_key

field: WORD ("." WORD)*            -> field
     | _LEN "(" WORD ("." WORD)* ")" -> length
?value: text | number | boolean
text: STRING
number: SIGNED_NUMBER
boolean: TRUE | FALSE

COMPARED: "!=" | "<=" | ">=" | "=" | "<" | ">"
_AND.2: /AND\b|and\b/
_OR.2: /OR\b|or\b/
_NOT.2: /NOT\b|not\b/
_IN.2: /IN\b|in\b/
_CONTAINS.2: /CONTAINS\b|contains\b/
_KEY.2: /KEY\b|key\b/
_LEN.2: /(LEN|len)(?=\s*\()/
TRUE.2: /(True|TRUE|true)\b/
FALSE.2: /(False|FALSE|false)\b/
WORD: /[a-zA-Z_][a-zA-Z0-9_-]*/
STRING: /"[^"\n]*"|'[^'\n]*'/

%import common.SIGNED_NUMBER
%import common.WS
%ignore WS
%ignore /#[^\n]*/
"""


def question_of(text: str) -> Question:
    """Raises `InvalidRequest`, which says where and what was expected."""
    if len(text) > MOST_CHARS:
        raise _wrong(f"a query has {MOST_CHARS} characters at the most, not {len(text)}")
    try:
        question = cast("Question", _parser().parse(text))
    except UnexpectedInput as error:
        raise _wrong(_where(error, text)) from None
    depth, terms = _size(question)
    if depth > MOST_DEPTH or terms > MOST_TERMS:
        raise _wrong(f"a query has {MOST_TERMS} comparisons, {MOST_DEPTH} levels deep, at the most")
    return question


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Build(), maybe_placeholders=False)


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    def either(self, *of: Question) -> Question:
        return Any_(of) if len(of) > 1 else of[0]

    def both(self, *of: Question) -> Question:
        return All(of) if len(of) > 1 else of[0]

    def negated(self, of: Question) -> Question:
        return Not(of)

    def compared(self, field: Field, operator: Token, value: Scalar) -> Question:
        return _comparison(field, str(operator), value)

    def flipped(self, value: Scalar, operator: Token, field: Field) -> Question:
        return _comparison(field, FLIPPED.get(str(operator), str(operator)), value)

    def among(self, field: Field, *values: Scalar) -> Question:
        if field.root in ("created_date", "is_collection"):
            raise _wrong(f"{field.root} is compared with one value, not with several")
        return Comparison(field, "IN", values)

    def contains(self, field: Field, value: Scalar) -> Question:
        if field.root in ("created_date", "is_collection") or not isinstance(value, str):
            raise _wrong('CONTAINS is for a text in a text: name CONTAINS "a"')
        _leaf(field)
        return Comparison(field, "CONTAINS", value)

    def contains_key(self, field: Field, key: str) -> Question:
        if field.root not in ("label", "metadata") or field.length:
            raise _wrong("CONTAINS KEY is for label and metadata")
        return Comparison(field, "CONTAINS KEY", key)

    def field(self, *words: Token) -> Field:
        return _field(words)

    def length(self, *words: Token) -> Field:
        found = _field(words)
        _leaf(found)
        return Field(found.root, found.path, length=True)

    def text(self, token: Token) -> str:
        return str(token)[1:-1]

    def number(self, token: Token) -> int | float:
        text = str(token)
        if len(text) > 40:
            raise _wrong(f"{text[:40]}... is no number that anything is compared with")
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)

    def boolean(self, token: Token) -> bool:
        return str(token).lower() == "true"


def _field(words: Sequence[Token]) -> Field:
    first, *rest = map(str, words)
    if first not in get_args(Root):
        known = ", ".join(get_args(Root))
        raise _wrong(f"nothing is known of {first!r}: ask for {known}")
    root = cast("Root", first)
    if rest and root not in ("label", "metadata"):
        raise _wrong(f"{root} has nothing below it")
    return Field(root, tuple(rest))


def _comparison(field: Field, operator: str, value: Scalar) -> Comparison:
    _leaf(field)
    if field.length and (isinstance(value, bool) or not isinstance(value, int)):
        raise _wrong("LEN is compared with a whole number")
    if field.root == "is_collection" and not (isinstance(value, bool) and operator in ("=", "!=")):
        raise _wrong("is_collection is True or False: is_collection = True")
    if field.root in ("name", "id") and not field.length and not isinstance(value, str):
        raise _wrong(f'{field.root} is compared with a text: {field.root} = "a"')
    if field.root == "created_date":
        return Comparison(field, cast("Operator", operator), _moment(value))
    return Comparison(field, cast("Operator", operator), value)


def _moment(value: Scalar) -> datetime:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise _wrong(
            f'{str(value)[:40]!r} is no date: write created_date > "2026-11-30", or with a time '
            "behind it: 2026-11-30T12:00:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _leaf(field: Field) -> None:
    if field.root in ("label", "metadata") and not field.path:
        raise _wrong(f"{field.root} alone has no value: write {field.root}.KEY")


def _size(question: Question) -> tuple[int, int]:
    """Depth and number of comparisons, without recursion."""
    depth = terms = 0
    waiting: list[tuple[Question, int]] = [(question, 1)]
    while waiting:
        one, level = waiting.pop()
        depth = max(depth, level)
        match one:
            case Comparison():
                terms += 1
            case Not(of=inner):
                waiting.append((inner, level + 1))
            case All(of=several) | Any_(of=several):
                waiting += [(each, level + 1) for each in several]
    return depth, terms


def _where(error: UnexpectedInput, text: str) -> str:
    expected = getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
    names = sorted(name.strip("_") for name in expected if not name.startswith("__"))
    what = f"; expected {', '.join(names)}" if names else ""
    token = getattr(error, "token", None)
    if isinstance(token, Token) and token.type == "$END":
        return f"the query ends too early{what}"
    line = text.splitlines()[error.line - 1 : error.line]
    at = "".join(line)[max(error.column - 1, 0) :][:20]
    return f"line {error.line}, column {error.column}, at {at!r}{what}"


def _wrong(why: str) -> InvalidRequest:
    return InvalidRequest(f"Parsing error: {why}.", code="USER")
