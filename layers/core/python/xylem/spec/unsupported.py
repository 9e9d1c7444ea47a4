"""What OSMO's specs can say and this release does not carry out yet: refused, never ignored.

Each key is a field of the models (`NotYet`), so that it is no unknown key; its value may be what
OSMO has as its default (`privileged: false`), because that asks for nothing. Whoever carries one
out gives the field its true type and takes the line away here.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

NOT_YET: Mapping[str, str] = MappingProxyType(
    {
        "exitActions": "actions by exit code",
        "checkpoint": "uploading checkpoints while a task runs",
        "kpis": "KPI files",
        "credentials": "credentials in tasks",
        "outputs": "outputs other than {{output}}, which downstream tasks read as an input",
        "url": "inputs from object stores",
        "dataset": "datasets",
        "volumeMounts": "mounting folders of the node",
        "hostNetwork": "the network of the node",
        "privileged": "privileged containers",
        "cacheSize": "the size of the data cache",
        "downloadType": "the way of downloading inputs",
        "topology": "placement by topology",
        "nodesExcluded": "excluding nodes",
    }
)

OF_OTHER_WORKFLOWS = "inputs from another workflow's task"


def not_yet(key: str, what: str) -> PydanticCustomError:
    return PydanticCustomError(
        "not_yet",
        "{key} is not supported yet: this version of Xylem does not carry out {what}. Take it out.",
        {"key": key, "what": what},
    )


def _refuse(value: object, info: ValidationInfo) -> None:
    if value is None or value is False or value == [] or value == {}:
        return
    key = to_camel(info.field_name or "")
    raise not_yet(key, NOT_YET[key])


NotYet = Annotated[None, BeforeValidator(_refuse)]
