"""Configs of every kind as OSMO's clients know them, today's and those of the history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, assert_never

from functions.core_service import dataset_views
from functions.core_service.views import time
from xylem.domain.config import ConfigKind
from xylem.spec import backend_tests, service_configs
from xylem.spec.backends import TEXTS, scheduler_config
from xylem.spec.pools import config_of
from xylem.spec.roles import config_of_role
from xylem.spec.validations import config_of_assertions
from xylem.usecases.config_book import BOOK, book_of, value_of

if TYPE_CHECKING:
    from functions.core_service.views import View
    from xylem.domain.config import Revision, ServiceConfig, WorkflowConfig
    from xylem.domain.pool_book import BackendConfig, PoolBook
    from xylem.ports.tokens import Signer


def workflow(config: WorkflowConfig) -> View:
    return service_configs.masked(service_configs.workflow_form(config))


def service(config: ServiceConfig, signer: Signer | None = None) -> View:
    """The keys are the deployment's, and the same in each revision: in the history they are left
    out."""
    shown = service_configs.masked(service_configs.service_form(config))
    if signer is not None:
        shown["service_auth"] |= {
            "keys": {
                kid: {
                    "public_key": json.dumps(key, sort_keys=True, separators=(",", ":")),
                    "private_key": service_configs.MASK,
                }
                for kid, key in signer.public_keys().items()
            },
            "active_key": signer.active_key,
            "issuer": signer.issuer,
            "audience": signer.audience,
        }
    return shown


def revision(it: Revision, *, with_data: bool) -> View:
    return {
        "config_type": it.kind,
        "name": it.name,
        "revision": it.number,
        "username": it.author,
        "created_at": time(it.at),
        "description": it.description,
        "tags": None if it.tags is None else list(it.tags),
        "data": data(it) if with_data else None,
    }


def data(it: Revision) -> Any:
    """All of a kind at one time, as its route answers. Whether pools were online is not kept."""
    value = value_of(it)
    match it.kind:
        case ConfigKind.SERVICE:
            return service(value)
        case ConfigKind.WORKFLOW:
            return workflow(value)
        case ConfigKind.ROLE:
            return [config_of_role(value[name]) for name in sorted(value)]
        case ConfigKind.DATASET:
            return dataset_views.config(value)
        case _:
            return _part(it.kind, book_of({it.kind: value}))


def _part(kind: ConfigKind, book: PoolBook) -> Any:
    match kind:
        case ConfigKind.POOL:
            pools = {name: config_of(pool) for name, pool in book.pools.items()}
            return {"pools": {name: {**one, "status": None} for name, one in pools.items()}}
        case ConfigKind.POD_TEMPLATE:
            return dict(book.pod_templates)
        case ConfigKind.GROUP_TEMPLATE:
            return dict(book.group_templates)
        case ConfigKind.RESOURCE_VALIDATION:
            known = book.resource_validations
            return {name: config_of_assertions(one) for name, one in known.items()}
        case ConfigKind.BACKEND_TEST:
            return {name: backend_tests.config_of_test(name, book) for name in book.backend_tests}
        case ConfigKind.BACKEND:
            return {"backends": [_backend(name, one) for name, one in book.backends.items()]}
        case ConfigKind.SERVICE | ConfigKind.WORKFLOW | ConfigKind.ROLE | ConfigKind.DATASET:
            raise AssertionError(f"{kind} is no part of {sorted(BOOK)}")
        case _:
            assert_never(kind)


def _backend(name: str, config: BackendConfig) -> View:
    return {
        "name": name,
        **{key: config.texts.get(key, "") for key in TEXTS},
        "tests": list(config.tests),
        "scheduler_settings": scheduler_config(config.scheduler),
        "node_conditions": {
            "rules": dict(config.node_conditions.rules),
            "prefix": config.node_conditions.prefix,
        },
    }
