"""A backend as OSMO's clients know it, and what is ours of it."""

from functions.core_service.views import View, time
from xylem.domain.pool_book import BackendConfig
from xylem.spec.backends import TEXTS, scheduler_config
from xylem.usecases.joining import Known


def backend(it: Known, config: BackendConfig) -> View:
    """Its namespace its operator does not tell, and the day on which it first came is not kept:
    that of its present connection stands there, or that of its registration."""
    known, registered = it.backend, it.registration
    since = time(it.since)
    return {
        "name": it.name,
        "version": known.version if known is not None else "",
        "k8s_uid": known.cluster_uid if known is not None else "",
        "k8s_namespace": "",
        "tests": list(config.tests),
        **{key: config.texts.get(key, "") for key in TEXTS},
        "scheduler_settings": scheduler_config(config.scheduler),
        "node_conditions": {
            "rules": dict(config.node_conditions.rules),
            "prefix": config.node_conditions.prefix,
        },
        "last_heartbeat": time(known.last_seen) if known is not None else since,
        "created_date": since,
        "online": it.online,
        "joined": known is not None,
        "draining": it.state == "draining",
        "registered_by": registered.by if registered is not None else "",
    }
