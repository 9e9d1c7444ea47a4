"""Values that are never changed: another one is made, with some of its fields changed.

A `dataclass` of this module is the standard library's with `frozen=True` and `slots=True`, and a
type checker takes it for that: the same fields, the same refusals, the same text, equality, hash,
pickles. What differs is what it costs, and there are two hundred of them:

* **The making of a class.** The standard library compiles eight methods for each, 0.6 ms in all,
  which every new Lambda process waits for. Here one is compiled, and the others are the same for
  all classes: 0.1 ms.
* **The making of a value.** A frozen class of the standard library sets each field through
  `object.__setattr__`, by name, which was most of the engine's time. Here a value is of an open
  class with the same slots until its fields are set: a third of the time.
* **Another value like it.** `dataclasses.replace` looks at each field by name, and makes the value
  as if by hand. Here a function of the class's own passes its slots on: a twelfth of the time.

Rejected: `msgspec.Struct`, twice as quick again, but a third kind of model beside these and
pydantic's; and classes that only the type checker holds to be frozen.
"""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from dataclasses import dataclass as standard_dataclass
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "replace"]

if TYPE_CHECKING:  # what mypy knows of them holds here, too
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:

    def dataclass(*, frozen, slots):
        """Decorates a class whose values are frozen and have slots: no other is made here."""
        if not (frozen and slots):
            raise TypeError("A dataclass of this module is frozen and has slots.")
        return _frozen

    def replace(value, /, **changes):
        """Another `value`, with these fields. Raises `TypeError` for one that there is not."""
        return _replacer(type(value))(value, changes)


@cache
def _replacer(kind: Any) -> Any:
    if "__slots__" not in kind.__dict__:
        raise TypeError(f"{kind.__name__} has no slots: the library's `replace` is for it.")
    names = [each.name for each in fields(kind)]
    lines = [
        "def replacer(value, changes):",
        "other = new(open_)",
        *(f"other.{name} = value.{name}" for name in names),
        "for name, changed in changes.items():",
        " if name not in names: raise TypeError(f'{kind.__name__} has no field {name}.')",
        " put(other, name, changed)",
        "other.__class__ = kind",
        *(["other.__post_init__()"] if hasattr(kind, "__post_init__") else []),
        "return other",
    ]
    known = {"new": object.__new__, "put": object.__setattr__, "open_": _open(kind)}
    return _compiled(lines, {**known, "kind": kind, "names": frozenset(names)})


def _compiled(lines: Sequence[str], known: dict[str, Any]) -> Any:
    """The function of these lines, which know these names."""
    made: dict[str, Any] = {}
    exec("\n ".join(lines), known, made)
    [function] = made.values()
    return function


def _frozen(given: Any) -> Any:
    given.__doc__ = given.__doc__ or given.__name__  # else one is made, by the slow `inspect`
    kind: Any = standard_dataclass(init=False, repr=False, eq=False, slots=True)(given)
    known = fields(kind)
    methods = [_init(kind, known), *_comparing(known), _showing(known), *_pickling(known)]
    for method in (*methods, *_REFUSING):
        if method.__name__ not in given.__dict__:
            setattr(kind, method.__name__, method)
    kind.__dataclass_params__ = vars(_Standard)["__dataclass_params__"]
    return kind


@standard_dataclass(frozen=True, slots=True)
class _Standard:
    """What others, pydantic for one, read of how a class was made, is so for ours as well."""


def _init(kind: Any, known: tuple[Field[Any], ...]) -> Any:
    taken, done = ["self"], []
    names = {"__missing__": MISSING, "__kind__": kind, "__open__": _open(kind), "__turn__": _turn}
    for number, each in enumerate(known):
        if not each.init or each.kw_only:
            raise TypeError(f"{kind.__name__}.{each.name}: all fields are said, by name or place.")
        given = each.name
        if each.default_factory is not MISSING:
            names[f"__make{number}__"] = each.default_factory
            taken.append(f"{each.name}=__missing__")
            given = f"__make{number}__() if {each.name} is __missing__ else {each.name}"
        elif each.default is not MISSING:
            names[f"__default{number}__"] = each.default
            taken.append(f"{each.name}=__default{number}__")
        else:
            taken.append(each.name)
        done.append(f"self.{each.name} = {given}")
    if done:
        done = ["__turn__(self, __open__)", *done, "self.__class__ = __kind__"]
    if hasattr(kind, "__post_init__"):
        done.append("self.__post_init__()")
    made = _compiled([f"def __init__({', '.join(taken)}):", *(done or ["pass"])], names)
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made


_turn = object.__dict__["__class__"].__set__
"""Makes a value one of another class with the same slots."""


def _open(kind: type) -> type:
    """A class with the slots of `kind`, whose values can be changed: the interpreter lets a value
    pass from one to the other since both add the same slots to the same bases
    (https://docs.python.org/3/reference/datamodel.html#object.__slots__, the last note)."""
    copied = {n: kind.__dict__[n] for n in ("__slots__", "__orig_bases__") if n in kind.__dict__}
    return type(kind)(kind.__name__, kind.__bases__, {**copied, "__setattr__": object.__setattr__})


def _comparing(known: tuple[Field[Any], ...]) -> tuple[Callable[..., Any], ...]:
    names = [each.name for each in known]
    read = attrgetter(*names) if len(names) > 1 else lambda self: [getattr(self, n) for n in names]

    def __eq__(self: Any, other: object) -> Any:
        return read(self) == read(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(tuple(read(self)))

    return __eq__, __hash__


def _showing(known: tuple[Field[Any], ...]) -> Callable[..., str]:
    names = [each.name for each in known if each.repr]

    @recursive_repr()
    def __repr__(self: Any) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({inside})"

    return __repr__


def _pickling(known: tuple[Field[Any], ...]) -> tuple[Callable[..., Any], ...]:
    names = [each.name for each in known]

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __getstate__, __setstate__


def __setattr__(self: object, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_REFUSING = (__setattr__, __delattr__)
