"""Templates of groups: objects of Kubernetes beside the pods of a group. Kept, and without an
effect in this release."""

from collections.abc import Mapping
from typing import Any

from xylem.domain.errors import InvalidRequest
from xylem.domain.pool_book import PoolBook
from xylem.domain.templates import Template
from xylem.domain.values import replace
from xylem.spec import pod_templates


def group_template_of(config: Mapping[str, Any], path: str = "configs") -> Template:
    """Raises `InvalidRequest`: what Kubernetes needs to know any object by has to be there."""
    pod_templates.require_flat(config, path)
    pod_templates.require_small(config, path)
    metadata = config.get("metadata")
    lacking = [
        *(key for key in ("apiVersion", "kind") if not isinstance(config.get(key), str)),
        *([] if isinstance(metadata, Mapping) and metadata.get("name") else ["metadata.name"]),
    ]
    if lacking:
        raise InvalidRequest(
            f"{path}: a group template is an object of Kubernetes and needs {', '.join(lacking)}.",
            code="USER",
        )
    return config


def put_group_template(name: str, template: Template, book: PoolBook) -> PoolBook:
    return replace(book, group_templates={**book.group_templates, name: template})


def delete_group_template(name: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where it is not there, or where a pool names it."""
    require_group_template(name, book)
    if users := book.naming_group_template(name):
        raise InvalidRequest(
            f"Group Template {name} is used by pools: {', '.join(users)}. Take it out of them "
            "first.",
            code="USER",
        )
    rest = {key: one for key, one in book.group_templates.items() if key != name}
    return replace(book, group_templates=rest)


def require_group_template(name: str, book: PoolBook) -> Template:
    """Raises `InvalidRequest`."""
    found = book.group_templates.get(name)
    if found is None:
        raise InvalidRequest(f"Group Template {name} does not exist.", code="USER")
    return found
