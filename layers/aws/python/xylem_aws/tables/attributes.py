"""What pynamodb has no attribute for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pynamodb.attributes import Attribute
from pynamodb.constants import STRING

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


class Json(Attribute[T], Generic[T]):
    """A value of a known type as JSON text: what nobody asks conditions about."""

    attr_type = STRING

    def __init__(self, kind: type[T], **options: Any) -> None:
        super().__init__(**options)
        self._kind = kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter  # noqa: PLC0415 - 100 ms, and many rows have none of these

        return TypeAdapter(self._kind)

    def serialize(self, value: T) -> str:
        return self._adapter.dump_json(value).decode()

    def deserialize(self, value: str) -> T:
        return self._adapter.validate_json(value)
