"""The templates of an environment, made once a session, and how tests ask about them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra_cdk.app import compose
from infra_cdk.environments import ENVIRONMENTS, Environment
from infra_cdk.policies import Permission, allowed
from layers.vendor.platforms import ROOT

ACCOUNT = "123456789012"
REGION = "eu-central-1"

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """What `cdk synth` makes of an environment."""

    environment: Environment
    app: App
    folder: Path

    @property
    def data(self) -> Mapping[str, Any]:
        return self._template("data")

    @property
    def control_plane(self) -> Mapping[str, Any]:
        return self._template("control-plane")

    @cached_property
    def resources(self) -> dict[str, Resource]:
        return {**self.data["Resources"], **self.control_plane["Resources"]}

    def all(self, kind: str) -> dict[str, Resource]:
        """By logical id: the resources of a CloudFormation type."""
        return {name: each for name, each in self.resources.items() if each["Type"] == kind}

    def properties(self, kind: str) -> list[Mapping[str, Any]]:
        return [each["Properties"] for each in self.all(kind).values()]

    @cached_property
    def functions(self) -> dict[str, Mapping[str, Any]]:
        """By short name: the properties of the functions."""
        prefix = f"xylem-{self.environment.name}-"
        return {
            each["FunctionName"].removeprefix(prefix): each
            for each in self.properties("AWS::Lambda::Function")
        }

    @cached_property
    def permissions(self) -> dict[str, frozenset[Permission]]:
        """By short name: what a function may do."""
        templates = (self.data, self.control_plane)
        prefix = f"xylem-{self.environment.name}-"
        return {
            name.removeprefix(prefix): permissions
            for name, permissions in allowed(templates, account=ACCOUNT, region=REGION).items()
        }

    def text(self, value: Any) -> str:
        """A value of a template, with `<...>` for what only a deployment knows."""
        match value:
            case {"Ref": "AWS::AccountId"}:
                return ACCOUNT
            case {"Ref": "AWS::Region"}:
                return REGION
            case {"Ref": "AWS::Partition"}:
                return "aws"
            case {"Ref": str(name)}:
                return f"<{name}>"
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"<{name}.{attribute}>"
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(self.text(part) for part in parts)
            case _:
                return str(value)

    def _template(self, stack: str) -> Mapping[str, Any]:
        name = f"xylem-{self.environment.name}-{stack}.template.json"
        template: Mapping[str, Any] = json.loads((self.folder / name).read_text())
        return template


def synthesize(environment: Environment, folder: Path, *, with_assets: bool) -> Synthesized:
    """Make the templates below `folder`; the assets' files, too, or only their names."""
    context = dict(json.loads((ROOT / "cdk.json").read_text())["context"])
    if not with_assets:
        context["aws:cdk:disable-asset-staging"] = True
    app = compose(App(outdir=str(folder), context=context), environment)
    app.synth()
    return Synthesized(environment, app, folder)


NAMES = tuple(ENVIRONMENTS)
