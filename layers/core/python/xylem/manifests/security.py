"""What a pod's containers may not do, as strictly as its task allows, where nobody said otherwise.

It comes last: an admin's template that says something of a container's privileges or capabilities
says all of it, since what a default took away could not be given back by a merge.

A task's container is root if its image is: images of OSMO's users install packages and own files as
root. So root keeps what that takes, and loses what reaches beyond the container.
"""

from typing import Any

Manifest = dict[str, Any]

DROPPED = ("MKNOD", "NET_RAW", "SETFCAP", "SETPCAP")
"""Of the fourteen that container runtimes leave to root (containerd: pkg/oci/spec.go,
`defaultUnixCaps`): making devices, forging packets, and giving files and children capabilities that
no_new_privs would void anyway. CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETUID and SETGID install
packages and step down from root; NET_BIND_SERVICE, SYS_CHROOT and AUDIT_WRITE are an sshd's."""

ESCALATING = "SYS_ADMIN"
"""With it, or privileged, Kubernetes refuses `allowPrivilegeEscalation: false`
(kubernetes.io/docs/tasks/configure-pod-container/security-context)."""


def hardened(pod: Manifest, of_task: str) -> Manifest:
    """`of_task`: the name of the task's container. Ours have said all of theirs; what an admin's
    template adds is the admin's."""
    spec = pod["spec"]
    containers = [
        {**one, "securityContext": _context(one.get("securityContext") or {})}
        if one["name"] == of_task
        else one
        for one in spec["containers"]
    ]
    return {**pod, "spec": {**spec, "containers": containers}}


def _context(said: Manifest) -> Manifest:
    if said.get("privileged"):
        return said
    added = (said.get("capabilities") or {}).get("add") or ()
    escalation = {} if ESCALATING in added else {"allowPrivilegeEscalation": False}
    capabilities = {"capabilities": {"drop": list(DROPPED)}}
    return {**escalation, **capabilities, **said}
