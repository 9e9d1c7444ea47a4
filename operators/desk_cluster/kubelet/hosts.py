"""/etc/hosts of a pod: every name that a cluster's DNS would know, and all of them are this
machine.

Pods have no network of their own here. A pod's name within a headless service and a service's name
lead to 127.0.0.1, so tasks that talk to each other by name do so over loopback; two that listen on
the same port are in each other's way, which the documentation says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.desk_cluster.objects import Json, is_finished, name_of, namespace_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterable

DOMAIN = "svc.cluster.local"

_LOOPBACK = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


def names_seen_in(namespace: str, pods: Iterable[Json], services: Iterable[Json]) -> str:
    """The lines that all pods of a namespace share."""
    lines: list[str] = []
    headless: set[tuple[str, str]] = set()
    for service in services:
        name, own = name_of(service), namespace_of(service)
        headless.add((own, name))
        lines.append(_line(name, own, namespace))
    for pod in pods:
        host, subdomain = spec_of(pod).get("hostname"), spec_of(pod).get("subdomain")
        own = namespace_of(pod)
        if host and (own, subdomain) in headless and not is_finished(pod):
            lines.append(_line(f"{host}.{subdomain}", own, namespace))
    return "".join(sorted(lines))


def hosts_file(hostname: str, shared: str, aliases: Iterable[Json]) -> str:
    own = [f"{each['ip']}\t{' '.join(each.get('hostnames') or ())}\n" for each in aliases]
    return f"{_LOOPBACK}127.0.0.1\t{hostname}\n{''.join(own)}{shared}"


def _line(name: str, own: str, namespace: str) -> str:
    longest = f"{name}.{own}.{DOMAIN}"
    names = [longest, f"{name}.{own}.svc", f"{name}.{own}"]
    if own == namespace:
        names.append(name)
    return f"127.0.0.1\t{' '.join(names)}\n"
