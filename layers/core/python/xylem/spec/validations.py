"""Conditions of resources as an admin writes them -> `Assertion`s, and back: OSMO's words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from xylem.domain.errors import InvalidRequest
from xylem.domain.pool import Assertion, Comparison
from xylem.domain.pool_book import PoolBook
from xylem.domain.templates import HOLE
from xylem.domain.values import replace
from xylem.spec.resources import size_in_bytes

VARIABLES = ("USER_CPU", "USER_GPU", "USER_MEMORY", "USER_STORAGE")
NODE_VARIABLES = ("K8_CPU", "K8_GPU", "K8_MEMORY", "K8_STORAGE")

TEXT_CHARS = 1_000

Validations = Mapping[str, tuple[Assertion, ...]]


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text", "it holds half of a surrogate pair") from None
    return text


Text = Annotated[str, Field(max_length=TEXT_CHARS), AfterValidator(_whole)]


class AssertionConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    operator: Comparison
    left_operand: Text
    right_operand: Text
    assert_message: Text


def validation_of(configs: Sequence[AssertionConfig], at: str = "configs") -> tuple[Assertion, ...]:
    """One named config of kind RESOURCE_VALIDATION, which stands at this path of a request. Raises
    `InvalidRequest` with all that is wrong with it."""
    if problems := list(assertion_problems(at, configs)):
        raise InvalidRequest("\n".join(problems))
    return assertions_of(configs)


def assertions_of(configs: Sequence[AssertionConfig]) -> tuple[Assertion, ...]:
    return tuple(
        Assertion(one.operator, one.left_operand, one.right_operand, one.assert_message)
        for one in configs
    )


def config_of_assertions(assertions: Sequence[Assertion]) -> list[dict[str, Any]]:
    return [
        {
            "operator": one.operator,
            "left_operand": one.left,
            "right_operand": one.right,
            "assert_message": one.message,
        }
        for one in assertions
    ]


def assertion_problems(path: str, configs: Sequence[AssertionConfig]) -> Iterator[str]:
    known = (*VARIABLES, *NODE_VARIABLES)
    for index, one in enumerate(configs):
        for side in ("left_operand", "right_operand"):
            text = getattr(one, side)
            found = HOLE.fullmatch(text.strip())
            where = f"{path}[{index}].{side}"
            if found and found[1] not in known:
                yield f"{where}: {text} is not known: known are {', '.join(known)}."
            elif found is None:
                try:
                    size_in_bytes(text.strip())
                except ValueError as error:
                    yield f"{where}: {error}"


def require_validation(name: str, book: PoolBook) -> tuple[Assertion, ...]:
    """Raises `InvalidRequest`."""
    found = book.resource_validations.get(name)
    if found is None:
        raise InvalidRequest(f"Resource Validation {name} does not exist.", code="USER")
    return found


def delete_validation(name: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where it is not there, or where a pool names it."""
    require_validation(name, book)
    if users := book.naming_validation(name):
        raise InvalidRequest(
            f"Resource Validation {name} is used by pools: {', '.join(users)}. Take it out of them "
            "first.",
            code="USER",
        )
    rest = {key: one for key, one in book.resource_validations.items() if key != name}
    return replace(book, resource_validations=rest)
