"""`@task`: a function that is a task when it is called in a workflow."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from clients.sdk.errors import BadInput
from clients.workflows import building, promises
from clients.workflows.building import FOLDER, Text
from clients.workflows.options import Options
from clients.workflows.source import source_of

P = ParamSpec("P")
R = TypeVar("R")

IMAGE = "python:3.12-slim"
"""The smallest that has all that a function needs: python3."""

LONGEST_ARGUMENT = 100_000
"""Linux takes words of 131,072 bytes (MAX_ARG_STRLEN, include/uapi/linux/binfmts.h); tokens grow
when they get their values."""

_RUN = (Path(__file__).parent / "run.py").read_text()


@dataclass(frozen=True)
class Task(Generic[P, R]):
    """`function` is what was decorated."""

    function: Callable[P, R]
    options: Options = field(default_factory=lambda: Options())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """In a workflow a promise of what the function will return; else what it returns."""
        workflow = building.current()
        if workflow is None:
            return self.function(*args, **kwargs)
        bound = signature(self.function).bind(*args, **kwargs)
        words = [promises.arguments(bound.args)]
        if bound.kwargs:
            words.append(promises.keywords(bound.kwargs))
        if (longest := max(len(word.encode()) for word in words)) > LONGEST_ARGUMENT:
            raise BadInput(
                f"the arguments of {self.function.__name__} have {longest} bytes, and a command "
                f"takes {LONGEST_ARGUMENT}: return them from a task, or read them from an input."
            )
        name = workflow.add(
            self.function.__name__.strip("_"),
            ["python3", "-u", f"{FOLDER}/run.py", self.function.__name__],
            [str(promises.OUTPUT), *words],
            {"image": IMAGE, **self.options},
            files=self.files,
        )
        return cast("R", promises.Promise(name))

    def with_options(self, **options: Unpack[Options]) -> "Task[P, R]":
        """The same function, as a task with these options instead of its own."""
        return Task(self.function, {**self.options, **options})

    @cached_property
    def files(self) -> tuple[Text, ...]:
        return (
            Text(f"{FOLDER}/run.py", _RUN),
            Text(f"{FOLDER}/task.py", source_of(self.function)),
        )


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[Options]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(function: Callable[..., Any] | None = None, /, **options: Unpack[Options]) -> Any:
    """A task of a function: `@task`, or `@task(image=..., resources=...)`."""
    if function is None:
        return lambda decorated: Task(decorated, options)
    return Task(function, options)
