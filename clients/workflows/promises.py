"""What a call in a workflow gives back, and how it is written into the words of a task.

A promise is told apart from a value by refusing to be one: whoever looks into it while the workflow
is built has mistaken when things happen, and a wrong answer would be an `if` that never holds.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from clients.sdk.errors import BadInput
from xylem.domain.ids import TaskName

OUTPUT = Path("{{output}}")
"""The folder whose files a task hands on: in a script, and in what a function is given or uses."""

WORKFLOW_ID = "{{workflow_id}}"
"""The name under which the workflow runs."""


class Promise:
    """What a function will have returned. `promise[key]` is a part of it, `f"{promise}"` the folder
    that it lies in."""

    __slots__ = ("_at", "task")
    __hash__ = None  # type: ignore[assignment]  # it is equal to nothing, not even to itself

    def __init__(self, task: TaskName, at: tuple[str | int, ...] = ()) -> None:
        self.task = task
        self._at = at

    def __getitem__(self, key: str | int) -> "Promise":
        if type(key) not in (str, int):
            self._refuse(f"[{key!r}]: a part is named by one text or number")
        return Promise(self.task, (*self._at, key))

    def __str__(self) -> str:
        if self._at:
            self._refuse("as text, but for the folder of the whole")
        return folder_of(self.task)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"<what {self.task} will return{''.join(f'[{key!r}]' for key in self._at)}>"

    def told(self) -> Mapping[str, Any]:
        return {"$result": folder_of(self.task), **({"at": list(self._at)} if self._at else {})}

    def __iter__(self) -> NoReturn:
        self._refuse("in a loop or an assignment of several names")

    def __bool__(self) -> NoReturn:
        self._refuse("as a condition")

    def __len__(self) -> NoReturn:
        self._refuse("for its length")

    def __eq__(self, other: object) -> NoReturn:
        self._refuse("in a comparison")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"for .{name}")

    def _refuse(self, what: str) -> NoReturn:
        raise BadInput(
            f"{self!r} was asked {what}: it is there when {self.task} has run, and the workflow is "
            "only being written. Do that in a task which is given it."
        )


def folder_of(task: TaskName) -> str:
    return f"{{{{input:{task}}}}}"


def arguments(values: Sequence[Any]) -> str:
    """As `run.given` reads them. Raises `BadInput`."""
    return json.dumps([_told(value, "an argument") for value in values], ensure_ascii=False)


def keywords(values: Mapping[str, Any]) -> str:
    told = {key: _told(value, f"the argument {key}") for key, value in values.items()}
    return json.dumps(told, ensure_ascii=False)


def _told(value: Any, what: str) -> Any:
    match value:
        case Promise():
            return value.told()
        case Path():
            return {"$path": str(value)}
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_told(one, what) for one in value]
    if kind is tuple:
        return {"$tuple": [_told(one, what) for one in value]}
    if kind is dict and all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _told(one, what) for key, one in value.items()}
    hint = "whose keys are not all texts without $ first" if kind is dict else f"of {kind.__name__}"
    raise BadInput(
        f"{what} has a value {hint}, which is not written into a spec: give None, bool, int, "
        "float, str, Path, or lists, tuples and dictionaries of them, or make it in a task."
    )
