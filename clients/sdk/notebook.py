"""Answers as a notebook shows them: a workflow as a tree, lists as tables, the rest by its fields.

All text comes from workflows and whoever wrote them, so that all of it is escaped; nothing is a
link, and nothing is loaded from anywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from pydantic import BaseModel

MOST_ROWS = 200
"""Of a table; a browser with more is slow, and nobody reads them."""

_COLORS = {"RUNNING": "#0a6", "COMPLETED": "#06c", "FAILED": "#c33"}


def html(answer: BaseModel) -> str:
    fields = dict(answer)
    if "groups" in fields and "submitted_by" in fields:
        return _tree(fields)
    return _table(fields)


def _tree(workflow: Mapping[str, Any]) -> str:
    head = f"<b>{_text(workflow['name'])}</b> {_status(workflow['status'])}"
    who = f"{_text(workflow['submitted_by'])}, {_text(workflow['pool'])}"
    groups = "".join(map(_group, workflow["groups"][:MOST_ROWS]))
    left = len(workflow["groups"]) - MOST_ROWS
    more = f"<li>and {left} more groups</li>" if left > 0 else ""
    return f"<div>{head} <small>{who}</small><ul>{groups}{more}</ul></div>"


def _group(group: BaseModel) -> str:
    fields = dict(group)
    tasks = "".join(f"<li>{_task(dict(task))}</li>" for task in fields["tasks"][:MOST_ROWS])
    left = len(fields["tasks"]) - MOST_ROWS
    more = f"<li>and {left} more tasks</li>" if left > 0 else ""
    summary = f"<summary>{_text(fields['name'])} {_status(fields['status'])}</summary>"
    return f'<li><details open="open">{summary}<ul>{tasks}{more}</ul></details></li>'


def _task(task: Mapping[str, Any]) -> str:
    said = [_text(task["name"]), _status(task["status"])]
    if task["retry_id"]:
        said.append(f"<small>attempt {task['retry_id'] + 1}</small>")
    if task["exit_code"]:
        said.append(f"<small>exit code {_text(task['exit_code'])}</small>")
    if task["failure_message"]:
        said.append(f"<br/><small>{_text(task['failure_message'])}</small>")
    return " ".join(said)


def _table(fields: Mapping[str, Any]) -> str:
    """Its lists as tables, what else it says above them."""
    lists = {name: _models(value) for name, value in fields.items() if _models(value)}
    plain = {name: value for name, value in fields.items() if name not in lists}
    said = {name: value for name, value in plain.items() if value not in (None, [], {}, "", False)}
    above = _rows([said]) if said and not lists else ""
    return above + "".join(_rows([dict(one) for one in value]) for value in lists.values())


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = [
        name
        for name in dict.fromkeys(name for row in rows for name in row)
        if any(row.get(name) not in (None, [], {}, "") for row in rows)
    ]
    head = "".join(f"<th>{_text(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(name, row.get(name))}</td>' for name in columns)}</tr>"
        for row in rows[:MOST_ROWS]
    )
    left = len(rows) - MOST_ROWS
    more = f"<caption>and {left} more</caption>" if left > 0 else ""
    return f"<table>{more}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(name: str, value: object) -> str:
    if name == "status":
        return _status(value)
    if models := _models(value):
        return _rows([dict(one) for one in models])
    if isinstance(value, BaseModel):
        return _table(dict(value))
    if isinstance(value, Mapping):
        return _text(", ".join(f"{key}={one}" for key, one in value.items()))
    if isinstance(value, list | tuple):
        return _text(", ".join(map(str, value)))
    return _text(value)


def _models(value: object) -> list[BaseModel]:
    """None of what is no list, or dictionary, of answers."""
    several: Iterable[object] = value.values() if isinstance(value, Mapping) else ()
    if isinstance(value, list | tuple):
        several = value
    found = [one for one in several if isinstance(one, BaseModel)]
    return found if isinstance(value, Mapping | list | tuple) and len(found) == len(value) else []


def _status(status: object) -> str:
    color = _COLORS.get(str(status).partition("_")[0], "#777")
    return f'<span style="color:{color}">{_text(status)}</span>'


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = f"{value:%Y-%m-%d %H:%M:%S}"
    return escape(str(value))
