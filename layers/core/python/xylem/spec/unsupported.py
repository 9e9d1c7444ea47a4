"""What OSMO's specs can say and this release does not carry out yet: refused, never ignored.

Each key is a field of the models (`NotYet`), so that it is no unknown key; its value may be what
OSMO has as its default, because that asks for nothing. Whoever carries one out gives the field its
true type and takes the line away here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo
from pydantic_core import PydanticCustomError

NOT_YET: Mapping[str, str] = MappingProxyType({"dataset": "datasets", "update_dataset": "datasets"})


def not_yet(key: str, what: str) -> PydanticCustomError:
    return PydanticCustomError(
        "not_yet",
        "{key} is not supported yet: this version of Xylem does not carry out {what}. Take it out.",
        {"key": key, "what": what},
    )


def _refuse(value: object, info: ValidationInfo) -> None:
    if value is None or value is False or value == [] or value == {}:
        return
    key = info.field_name or ""
    raise not_yet(key, NOT_YET[key])


NotYet = Annotated[None, BeforeValidator(_refuse)]
