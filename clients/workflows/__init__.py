"""Workflows written in Python: the same YAML that a person would write, from functions.

    @task                                       a function that runs in a container of its own
    def count(words: list[str]) -> int: ...

    with Workflow("poem") as poem:              calls in here add tasks, and run nothing
        words = split("to every leaf")          what a call returns is there when its task has ended
        count(words)                            so this task waits for that one

    print(poem.to_yaml())                       what `xylem workflow submit` takes
    poem.submit(client, pool="default")         or without a detour

A call has the type that the function says (`words` is a `list[str]` to an editor and to mypy, as in
Flyte), so that what is handed on is checked before anything runs; really it is a promise, which
refuses to be looked at. Outside of a workflow a task is its function, which a test just calls.

Nothing new happens in the service. A call is a task with two files, the source of the function
(`source`) and a short program that calls it (`run`); arguments are words of its command, results
files in `{{output}}`. What a task waits for is what its words name as `{{input:NAME}}`, no matter
whether a promise or a person wrote it: so `shell` and `container` tasks, whose result is the path
of their folder, mix with functions. Rejected: pickled functions, which bind the image to the
Python of whoever submits, and which nobody can read in the spec; and a language of its own for
loops and conditions, since the workflow is built where Python runs.
"""

from clients.workflows.building import Workflow, container, group, host, shell
from clients.workflows.options import Options, Resources
from clients.workflows.promises import OUTPUT, WORKFLOW_ID
from clients.workflows.source import CannotTravel
from clients.workflows.tasks import Task, task

__all__ = [
    "OUTPUT",
    "WORKFLOW_ID",
    "CannotTravel",
    "Options",
    "Resources",
    "Task",
    "Workflow",
    "container",
    "group",
    "host",
    "shell",
    "task",
]
