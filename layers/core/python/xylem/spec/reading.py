"""Rendered YAML in, a checked specification out; and the texts that people get of it.

`parse` is what a submission needs: the plan. A `Specification` keeps the models beside the plan,
because the text that `GET .../spec` answers names the entries of `resources` as the user did, and
the plan has forgotten them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from xylem.domain.errors import InvalidSpec, Problem
from xylem.domain.plan import WorkflowPlan
from xylem.domain.values import dataclass
from xylem.spec import labels as label_rules
from xylem.spec.document import line_finder, mapping, sections, without_collector
from xylem.spec.outline import DEFAULT, outline_of, outline_of_broken
from xylem.spec.places import is_variable_name
from xylem.spec.planning import plan, problems
from xylem.spec.problems import problems_of, refusal
from xylem.spec.resources import ResourceSpec
from xylem.spec.workflow import KEYS, GroupSpec, TaskSpec, WorkflowSpec, is_name

VERSION = 2
"""What OSMO writes into every stored spec, whatever the user wrote."""

_NEVER_FOLD = 2**30


@dataclass(frozen=True, slots=True)
class Specification:
    """A spec without a mistake, environment variables and labels of the request included.
    `rendered`: its text; `moved`: that has other lines than the text before its template."""

    written: WorkflowSpec
    plan: WorkflowPlan
    rendered: str
    moved: bool

    def on_lines(self, problems: Sequence[Problem]) -> Sequence[Problem]:
        """What is found wrong with it later, by a pool for example, with the lines."""
        return _with_lines(problems, self.rendered, moved=self.moved)


class DryRun(NamedTuple):
    """The spec after its template, checked no further."""

    name: str
    text: str


def parse(
    rendered: str, *, env_vars: Sequence[str] = (), labels: Sequence[str] = ()
) -> WorkflowPlan:
    """The plan of a rendered spec. Raises `InvalidSpec`, which names all that is wrong."""
    return read(rendered, env_vars=env_vars, labels=labels).plan


def read(
    rendered: str,
    *,
    env_vars: Sequence[str] = (),
    labels: Sequence[str] = (),
    written: str | None = None,
) -> Specification:
    """`env_vars` (`NAME=VALUE`) go to every task, `labels` (`KEY=VALUE`) to the workflow; both win
    over what the spec says. `written`: the text before its template, by which it is known whose
    lines an error names. Raises `InvalidSpec`, which names all that is wrong."""
    with without_collector():
        value = dict(mapping(rendered, "workflow"))
        if given := label_rules.given(labels):
            own = value.get("labels")
            value["labels"] = {**(own if isinstance(own, dict) else {}), **given}
        variables = _assignments(env_vars)
        found: list[Problem] = []
        try:
            spec = _with_environment(WorkflowSpec.model_validate(value), variables)
            outline = outline_of(spec)
        except ValidationError as error:
            found += problems_of(error, KEYS)
            outline = outline_of_broken(value)
        found += problems(outline)
        if not found:
            moved = _is_moved(rendered, written)
            return Specification(spec, plan(spec, outline), rendered, moved)
    name = value.get("name")
    known = found[0].code in ("USAGE", "USER") and is_name(name)
    located = _with_lines(found, rendered, moved=_is_moved(rendered, written))
    raise refusal(located, name if known else None)


def _with_lines(problems: Sequence[Problem], rendered: str, *, moved: bool) -> Sequence[Problem]:
    line_of = line_finder(rendered)
    return [each.on(line_of(each.at), rendered=moved) for each in problems]


def _is_moved(rendered: str, written: str | None) -> bool:
    """A template that adds or takes away lines makes a text whose lines the user has not seen."""
    return written is not None and _lines(rendered) != _lines(sections(written)["workflow"])


def _lines(text: str) -> int:
    return text.rstrip().count("\n")


def dry_run(rendered: str, *, labels: Sequence[str] = ()) -> DryRun:
    """The YAML with its keys sorted, as OSMO's dry run gives it. Raises `InvalidSpec` for what is
    no YAML, no label, or has no name."""
    label_rules.given(labels)
    value = mapping(rendered, "workflow")
    if not isinstance(value.get("name"), str):
        raise InvalidSpec("workflow.name: is required, and text.")
    return DryRun(value["name"], dump({"workflow": value}))


def stored_text(specification: Specification, *, default_platform: str | None) -> str:
    """The normalised spec: groups, leads and platforms written out, defaults left out, tokens kept.
    It can be submitted again."""
    spec = specification.written
    resources = spec.resources or {DEFAULT: ResourceSpec()}
    workflow = spec.model_dump(by_alias=True, exclude_defaults=True, exclude={"tasks", "groups"})
    workflow["groups"] = [_written_out(group) for group in spec.all_groups()]
    workflow["resources"] = {
        name: _with_platform(entry, default_platform) for name, entry in resources.items()
    }
    return dump({"version": VERSION, "workflow": workflow})


def dump(value: Mapping[str, Any]) -> str:
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, width=_NEVER_FOLD)


def _written_out(group: GroupSpec) -> Mapping[str, Any]:
    return group.model_dump(by_alias=True, exclude_defaults=True)


def _with_platform(entry: ResourceSpec, default_platform: str | None) -> Mapping[str, Any]:
    platform = {} if default_platform is None else {"platform": default_platform}
    return {**platform, **entry.model_dump(by_alias=True, exclude_defaults=True)}


def _assignments(texts: Sequence[str]) -> Mapping[str, str]:
    variables = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not is_variable_name(name):
            raise InvalidSpec(
                f"Environment variable {text} is incorrectly formatted\nWrite it as NAME=VALUE."
            )
        variables[name] = value
    return variables


def _with_environment(spec: WorkflowSpec, variables: Mapping[str, str]) -> WorkflowSpec:
    if not variables:
        return spec

    def extended(tasks: Sequence[TaskSpec]) -> tuple[TaskSpec, ...]:
        return tuple(
            task.model_copy(update={"environment": {**task.environment, **variables}})
            for task in tasks
        )

    groups = [group.model_copy(update={"tasks": extended(group.tasks)}) for group in spec.groups]
    return spec.model_copy(update={"tasks": extended(spec.tasks), "groups": tuple(groups)})


class _Dumper(yaml.CSafeDumper):
    """No anchors: each value is written where it stands. Text of several lines stays readable."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text_node(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


_Dumper.add_representer(str, _text_node)
