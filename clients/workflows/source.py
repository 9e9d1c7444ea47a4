"""What of a program travels so that one function runs elsewhere: its source, and what that uses.

The text is what its author wrote, with the decorator `@task` taken off. What it names is found in
the text as Python compiles it, and comes before it:

    a function or class of the author's    its source, and what that uses
    a module, or something of one that     the import
    is installed
    None, numbers, texts, bytes, paths,    an assignment of the value as it is now
    lists, tuples, sets and dictionaries
    anything else                          `CannotTravel`, by name

Annotations are never evaluated there, so that an image needs nothing for the sake of types.
Rejected: sending the module as it is. It builds the workflow, imports this package, and has the
secrets and side effects of a program that was never meant to run in a pod.
"""

import ast
import builtins
import dis
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal, NamedTuple, NoReturn

from clients.sdk.errors import BadInput

_FUTURE = "from __future__ import annotations\n"
_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_OF_ANY_MODULE = {"__name__", "__file__", "__doc__", "__annotations__", "__builtins__"}
_HERE = __name__.rpartition(".")[0]


class CannotTravel(BadInput):
    """A function uses something that exists only where the workflow is written."""


class _Part(NamedTuple):
    """Of the file: `text` binds a name to `value`."""

    text: str
    value: object
    kind: Literal["import", "value", "definition"]


def source_of(function: Callable[..., Any]) -> str:
    """A module that has the function, by its name, and needs nothing of here. Raises
    `CannotTravel`."""
    if not isinstance(function, FunctionType):
        raise CannotTravel(f"{function!r} is no function: write it with def.")
    if function.__name__ == "<lambda>":
        raise CannotTravel("a lambda has no name to be called by: write it with def.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise CannotTravel(f"{function.__name__} yields: return a list of it instead.")
    luggage = _Luggage(function.__name__)
    luggage.pack(function.__name__, function)
    return luggage.text()


class _Luggage:
    def __init__(self, function: str) -> None:
        self._function = function
        self._parts: dict[str, _Part] = {}
        self._imports: dict[str, None] = {}

    def text(self) -> str:
        def of(kind: str) -> list[str]:
            return [part.text for part in self._parts.values() if part.kind == kind]

        imports = sorted({*self._imports, *of("import")})
        head = [_FUTURE.strip(), *([""] if imports else []), *imports]
        blocks = ["\n".join(head), *(["\n".join(of("value"))] if of("value") else [])]
        return "\n\n".join(blocks) + "\n\n\n" + "\n\n\n".join(of("definition")) + "\n"

    def pack(self, name: str, value: object) -> None:
        value = getattr(value, "function", value) if _is_task(value) else value
        known = self._parts.get(name)
        if known is not None:
            if known.value is not value and known.value != value:
                self._refuse(name, "stands for two different things in what it uses: rename one")
            return
        if isinstance(value, ModuleType):
            self._module(name, value)
        elif isinstance(plain := _unwrapped(value), FunctionType | type):
            self._defined(name, value, plain)
        elif getattr(value, "__module__", None) == "typing":
            self._parts[name] = _Part(self._of_module(name, value, "typing", name), value, "import")
        else:
            self._parts[name] = _Part(f"{name} = {self._literal(name, value)}", value, "value")

    def _module(self, name: str, module: ModuleType) -> None:
        if not _is_installed(module.__name__):
            self._refuse(
                name,
                f"is the module {module.__name__} of yours, which is not in the image: import what "
                f"you need of it (from {module.__name__} import ...), which then travels",
            )
        alias = "" if name == module.__name__ else f" as {name}"
        self._parts[name] = _Part(f"import {module.__name__}{alias}", module, "import")

    def _defined(self, name: str, value: object, plain: FunctionType | type) -> None:
        module = plain.__module__
        if module == "builtins" or _is_installed(module):
            text = self._of_module(name, value, module, plain.__qualname__)
            self._parts[name] = _Part(text, value, "import")
            return
        if module == _HERE or module.startswith(f"{_HERE}."):
            self._refuse(name, "builds workflows: it has no meaning in a task that runs")
        text = self._written(plain)
        # Before what it uses: functions may call each other, and themselves.
        self._parts[plain.__name__] = _Part(text, value, "definition")
        surroundings = _surroundings(plain)
        for used in _names(text):
            if used in _OF_ANY_MODULE:
                continue
            if used in surroundings:
                self.pack(used, surroundings[used])
                if isinstance(surroundings[used], ModuleType):
                    self._submodules(used, text)
            elif not hasattr(builtins, used) and not _is_bound_in(used, text):
                self._refuse(used, "is not defined")
        self._parts[plain.__name__] = self._parts.pop(plain.__name__)  # behind what it uses
        if name != plain.__name__:
            self._parts[name] = _Part(f"{name} = {plain.__name__}", value, "definition")

    def _of_module(self, name: str, value: object, module: str, its_name: str) -> str:
        if getattr(sys.modules.get(module), its_name, None) is not value:
            self._refuse(name, f"is not found in {module} by a name of its own")
        return f"from {module} import {its_name}" + ("" if name == its_name else f" as {name}")

    def _submodules(self, name: str, text: str) -> None:
        """`import xml` does not bring `xml.etree`, which is used as `xml.etree...`."""
        for node in ast.walk(ast.parse(text)):
            dotted = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if dotted.startswith(f"{name}.") and dotted in sys.modules:
                self._imports[f"import {dotted}"] = None

    def _written(self, defined: FunctionType | type) -> str:
        try:
            text = textwrap.dedent(inspect.getsource(defined))
            [node] = ast.parse(text).body
        except (OSError, TypeError, SyntaxError, ValueError) as error:
            raise CannotTravel(
                f"{self._function}: the source of {defined.__qualname__} is not to be had "
                f"({error}). Write it in a file or a notebook."
            ) from error
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            raise CannotTravel(f"{self._function}: {defined.__qualname__} is not written with def.")
        lines = text.splitlines()
        kept = [
            f"@{ast.unparse(each)}"
            for each in node.decorator_list
            if not _is_task_decorator(each, _surroundings(defined))
        ]
        return "\n".join([*kept, *lines[node.lineno - 1 : node.end_lineno]])

    def _literal(self, name: str, value: object) -> str:
        if isinstance(value, Path):
            self._imports["import pathlib"] = None
            return f"pathlib.Path({str(value)!r})"
        if not _is_literal(value):
            self._refuse(
                name,
                f"is {_a(type(value).__name__)} that is made here and not there: make it in the "
                "function, or give the function what it is made of as an argument",
            )
        return repr(value)

    def _refuse(self, name: str, why: str) -> NoReturn:
        raise CannotTravel(f"{self._function} uses {name}, but {name} {why}.")


def _names(text: str) -> list[str]:
    """What it looks up outside of itself when it is defined and when it is called, in order."""
    code = compile(_FUTURE + text, "<task>", "exec", dont_inherit=True)
    return list(dict.fromkeys(_loaded(code)))


def _loaded(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _LOADS and isinstance(instruction.argval, str):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)


def _is_bound_in(name: str, text: str) -> bool:
    """By the body of a class, or as a global of its own."""
    stored = {
        node.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    named = {
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return name in stored | named


def _surroundings(defined: FunctionType | type) -> Mapping[str, object]:
    """What names mean to it. The variables that it closes over become globals of its file."""
    if isinstance(defined, FunctionType):
        cells = zip(defined.__code__.co_freevars, defined.__closure__ or (), strict=True)
        closed = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
        return {**defined.__globals__, **closed}
    module = sys.modules.get(defined.__module__)
    methods = (_unwrapped(one) for one in vars(defined).values())
    functions = [_surroundings(one) for one in methods if isinstance(one, FunctionType)]
    closed = {key: value for each in functions for key, value in each.items()}
    return {**closed, **vars(module)} if module else closed


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises when the variable has no value yet
    except ValueError:
        return False
    return True


def _unwrapped(value: object) -> object:
    return inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value


def _is_task(value: object) -> bool:
    kind = type(value)
    return kind.__module__ == f"{_HERE}.tasks" and kind.__name__ == "Task"


def _is_task_decorator(node: ast.expr, surroundings: Mapping[str, object]) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    match called:
        case ast.Name(id=name):
            found = surroundings.get(name)
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            found = getattr(surroundings.get(module), name, None)
        case _:
            return False
    return getattr(found, "__module__", None) == f"{_HERE}.tasks"


def _is_installed(module: str) -> bool:
    """Of Python itself, or of a package that somebody installs, as an image does."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return True
    found = sys.modules.get(root)
    places = [getattr(found, "__file__", None) or "", *getattr(found, "__path__", ())]
    return any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)


def _is_literal(value: object) -> bool:
    """Also in kind, at each depth: an `IntEnum` is not its number, nor a named tuple a tuple."""
    try:
        return _same(ast.literal_eval(repr(value)), value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _same(one: object, other: object) -> bool:
    """Also in kind, at each depth: an `IntEnum` is not its number, nor a named tuple a tuple."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _same(list(one.items()), list(other.items()))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
