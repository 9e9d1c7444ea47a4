"""A backend as OSMO's clients know it."""

from datetime import datetime

from functions.core_service.views import View, time
from xylem.domain.pool_book import BackendConfig
from xylem.ports.backends import Backend
from xylem.spec.backends import TEXTS, scheduler_config
from xylem.usecases.clusters import is_online


def backend(known: Backend, config: BackendConfig, now: datetime) -> View:
    """Its namespace its operator does not tell, and the day on which it first came is not kept:
    that of its present connection stands there."""
    return {
        "name": known.name,
        "version": known.version,
        "k8s_uid": known.cluster_uid,
        "k8s_namespace": "",
        "tests": list(config.tests),
        **{key: config.texts.get(key, "") for key in TEXTS},
        "scheduler_settings": scheduler_config(config.scheduler),
        "node_conditions": {
            "rules": dict(config.node_conditions.rules),
            "prefix": config.node_conditions.prefix,
        },
        "last_heartbeat": time(known.last_seen),
        "created_date": time(known.connected_at),
        "online": is_online(known, now),
    }
