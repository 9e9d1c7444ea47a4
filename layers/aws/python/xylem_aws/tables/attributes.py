"""What pynamodb has no attribute for."""

from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pynamodb.attributes import Attribute
from pynamodb.constants import STRING

T = TypeVar("T")


class Json(Attribute[T], Generic[T]):
    """A value of a known type as JSON text: what nobody asks conditions about."""

    attr_type = STRING

    def __init__(self, kind: type[T], **options: Any) -> None:
        super().__init__(**options)
        self._kind = kind

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self._kind)

    def serialize(self, value: T) -> str:
        return self._adapter.dump_json(value).decode()

    def deserialize(self, value: str) -> T:
        return self._adapter.validate_json(value)
