"""Values that are never changed: another one is made, with some of its fields changed.

`dataclasses.replace` took four fifths of the engine's time: it looks at each field by name, and a
frozen class then sets each by name again. Here what stays is read at once and goes into the new
value's slots. It is for the values of the service: frozen, with slots, and with nothing to do after
their making.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dataclasses import replace as replace  # what mypy knows of it holds here, too
else:

    def replace(value, /, **changes):
        """Another `value`, with these fields. Raises `TypeError` for one that there is not."""
        kind = type(value)
        shape = _shape(kind)
        whole = list(shape.read(value))
        for name, new in changes.items():
            if name not in shape.places:
                raise TypeError(f"{kind.__name__} has no field {name}.")
            whole[shape.places[name]] = new
        other = object.__new__(kind)
        for put, new in zip(shape.put, whole, strict=True):
            put(other, new)
        return other


class _Shape(NamedTuple):
    places: Mapping[str, int]
    read: Callable[[Any], Any]
    put: tuple[Callable[[Any, Any], None], ...]


@cache
def _shape(kind: type) -> _Shape:
    names = [field.name for field in fields(kind)]
    if len(names) < 2 or hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} has too few fields, or is made in a way of its own.")
    slots = tuple(getattr(kind, name).__set__ for name in names)
    return _Shape({name: place for place, name in enumerate(names)}, attrgetter(*names), slots)
