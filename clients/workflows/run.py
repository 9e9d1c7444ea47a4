"""Calls a function in a task: `run.py FUNCTION OUTPUT ARGUMENTS [KEYWORDS]`.

This text travels with every workflow that is written in Python, and needs Python 3.8 and nothing
else. Arguments are JSON; a result is `result.json` where JSON has it exactly, `result.pickle`
where not. `{"$result": FOLDER}` is what another function left in a folder.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import pickle
import sys
from pathlib import Path
from typing import Any


def main(name: str, output: str, arguments: str, keywords: str = "{}") -> None:
    function = getattr(importlib.import_module("task"), name)
    here = Path()
    result = function(*given(json.loads(arguments), here), **given(json.loads(keywords), here))
    if inspect.isawaitable(result):
        result = asyncio.run(awaited(result))
    keep(result, Path(output))


async def awaited(result: Any) -> Any:
    return await result


def given(told: Any, folder: Path) -> Any:
    if isinstance(told, list):
        return [given(one, folder) for one in told]
    if not isinstance(told, dict):
        return told
    if "$path" in told:
        return folder / told["$path"]
    if "$tuple" in told:
        return tuple(given(told["$tuple"], folder))
    if "$result" in told:
        value = left_in(Path(told["$result"]))
        for key in told.get("at", []):
            value = value[key]
        return value
    return {key: given(one, folder) for key, one in told.items()}


def left_in(folder: Path) -> Any:
    if (folder / "result.json").exists():
        return given(json.loads((folder / "result.json").read_text(encoding="utf-8")), folder)
    with (folder / "result.pickle").open("rb") as file:
        try:
            return pickle.load(file)
        except AttributeError as error:  # a class of the workflow's that is not in this file
            raise TypeError(f"{error}: name the type of what is read in this function") from error


def keep(result: Any, output: Path) -> None:
    try:
        text = json.dumps(told(result, output), ensure_ascii=False)
    except TypeError:
        with (output / "result.pickle").open("wb") as file:
            pickle.dump(result, file, protocol=4)  # the newest that Python 3.8 has as its own
    else:
        (output / "result.json").write_text(text, encoding="utf-8")


def told(value: Any, output: Path) -> Any:
    """Raises `TypeError` for what JSON would change."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [told(one, output) for one in value]
    if kind is tuple:
        return {"$tuple": [told(one, output) for one in value]}
    if kind is dict and all(type(key) is str and key[:1] != "$" for key in value):
        return {key: told(one, output) for key, one in value.items()}
    if isinstance(value, Path):
        if not value.is_absolute():
            raise ValueError(f"{value} is relative to where the task ran: return OUTPUT / ...")
        return {"$path": str(value.relative_to(output) if output in value.parents else value)}
    raise TypeError(kind.__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
