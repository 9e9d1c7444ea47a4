"""Checking a workflow without a service, with the code by which the service checks it.

What only the service knows is not checked, and the answer says so: what the pool allows and has,
which credentials its user has, whether an earlier workflow is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.cli.problems import SubmissionRefused
from clients.sdk.spec_datasets import local_datasets, validated_as
from clients.sdk.spec_files import NeedsRendering, with_local_files
from xylem import spec
from xylem.domain.errors import InvalidSpec, TooLarge
from xylem.domain.plan import WorkflowPlan
from xylem.spec.jinja import rendered_here

NOT_CHECKED = (
    "without a service it is not known what the pool has and allows (platforms, nodes, mounts, "
    "privileges), which credentials you have, and which earlier workflows there are."
)

_BOUNDED = Path("/proc/self/statm").exists()
"""The bounds of a template (time, memory) are the kernel's, by means that Linux alone has.
Elsewhere a template without an end is ended by whoever waits for it."""


@dataclass(frozen=True, slots=True)
class Variables:
    """What the options of the command say."""

    set_variables: Sequence[str] = ()
    set_string_variables: Sequence[str] = ()
    env_vars: Sequence[str] = ()
    labels: Sequence[str] = ()


def checked(text: str, folder: Path, variables: Variables) -> Mapping[str, Any]:
    """What the service would answer, about a spec whose local files are relative to `folder`.
    Raises `SubmissionRefused` with all that is wrong, and `BadInput` for a file that is not
    there."""
    try:
        plan = _checked(text, folder, variables)
    except (InvalidSpec, TooLarge) as error:
        status = 413 if isinstance(error, TooLarge) else 400
        refused = SubmissionRefused(str(error), status=status, code=error.code)
        if isinstance(error, InvalidSpec):
            refused.problems = [
                {
                    "path": each.path,
                    "line": each.line,
                    "rendered": each.rendered,
                    "message": each.text,
                    "error_code": each.code,
                }
                for each in error.problems
            ]
        raise refused from None
    return {
        "name": plan.name,
        "logs": "Workflow validation succeeded, as far as can be told without a service.",
        "warnings": [NOT_CHECKED],
        "groups": len(plan.groups),
        "tasks": sum(len(group.tasks) for group in plan.groups),
    }


def _checked(text: str, folder: Path, variables: Variables) -> WorkflowPlan:
    try:
        whole = _local(text, folder)
        rendered = _rendered(whole, variables)
    except NeedsRendering:
        whole = _local(_rendered(text, variables), folder)
        rendered = _rendered(whole, Variables())
    return spec.read(
        rendered, env_vars=variables.env_vars, labels=variables.labels, written=text
    ).plan


def _rendered(text: str, variables: Variables) -> str:
    return spec.render(
        text,
        set_variables=variables.set_variables,
        set_string_variables=variables.set_string_variables,
        renderer=None if _BOUNDED else rendered_here,
    )


def _local(text: str, folder: Path) -> str:
    """With its files, and without the datasets that its submission would upload."""
    whole = with_local_files(text, folder)
    return validated_as(whole, local_datasets(whole))
