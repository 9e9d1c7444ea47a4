"""The chart as Helm renders it, without a cluster and without the network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

CHART = Path(__file__).parents[1] / "operators" / "chart"
NAMESPACE = "xylem"
RELEASE = "xylem-operator"
TOKEN = "xop_my-cluster_a-secret"

Object = dict[str, Any]

JOINED: Mapping[str, Any] = {
    "backend": "my-cluster",
    "url": "wss://service.example/live",
    "credential": {"token": TOKEN},
}
"""What `xylem backend add` sets."""


def files(values: Mapping[str, Any] = JOINED) -> dict[str, str]:
    """By template. Raises `HelmError` for values that the chart refuses."""
    with Chart.load(CHART) as chart:
        return chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)


def rendered(**values: Any) -> list[Object]:
    return [
        found
        for name, text in files({**JOINED, **values}).items()
        if not name.endswith("NOTES.txt")
        for found in yaml.safe_load_all(text)
        if found is not None
    ]


def of_kind(kind: str, objects: list[Object]) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def the(kind: str, **values: Any) -> Object:
    [found] = of_kind(kind, rendered(**values))
    return found


Grant = tuple[str, str, str, str, str]
"""Namespace (empty: the whole cluster), group, resource, the one name or `*`, verb."""


def grants(objects: list[Object]) -> set[Grant]:
    """Every single right that the roles give."""
    return {
        (role["metadata"].get("namespace", ""), group, resource, name, verb)
        for role in (*of_kind("Role", objects), *of_kind("ClusterRole", objects))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ["*"])
        for verb in rule["verbs"]
    }
