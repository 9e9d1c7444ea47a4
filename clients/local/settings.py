"""Where the local stack lives and listens: parsed once, handed on.

A port is what the command line says, else the environment (`XYLEM_PORT_AWS`,
`XYLEM_PORT_CLUSTER`), else what the last `up` used, else the default. So a stack that was brought
up on other ports is found there by `status` and `down` without saying it again.

The cluster is the desk cluster, unless `up` is told a kubeconfig (`--kubeconfig`): then no desk
cluster is started, and the operator is told that file, as it is told the desk's. There is no other
difference.
"""

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clients.local.errors import LocalError

LOOPBACK = "127.0.0.1"
ENVIRONMENT = "local"
"""Among those of `infra_cdk.environments`."""

REGION = "us-east-1"
ACCOUNT = "000000000000"
"""Those of the embedded AWS."""

DESK_BACKEND = "default"
OWN_KUBECONFIG = "own-kubeconfig"
"""In the home: the path of the one that the last `up` was told, empty without one."""

DEFAULT_PORTS = {"aws": 4566, "cluster": 6440}
"""4566 is the port of LocalStack, which tools know; 6440 is beside Kubernetes' own 6443."""

# sun_path of a Unix socket holds 108 bytes with its NUL (unix(7)); supervisord binds a longer name
# first and renames it.
_SOCKET_CHARS = 90

# What its parser expands, unquotes, or takes for the end of a line or for a comment.
_UNTOLD = re.compile(r"""[%"\\\r\n]|\s[;#]""")


@dataclass(frozen=True, slots=True)
class Settings:
    root: Path
    """The repository."""
    home: Path
    """Everything that the local stack keeps."""
    ports: Mapping[str, int]
    python: Path
    """The interpreter of the parts and of the functions: the one that runs us."""
    own_kubeconfig: Path | None = None
    """Of a cluster of the user's own; None: the desk cluster."""

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['aws']}"

    @property
    def api_url(self) -> str:
        """As `infra_cdk.environments` pins it; a test compares (importing that costs seconds)."""
        return f"{self.endpoint}/_aws/execute-api/xylemhttp/$default"

    @property
    def websocket_url(self) -> str:
        return f"ws://{LOOPBACK}:{self.ports['aws']}/_aws/execute-api/xylemws/live"

    @property
    def cluster_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['cluster']}"

    @property
    def aws_state(self) -> Path:
        return self.home / "embedded-aws"

    @property
    def cluster_state(self) -> Path:
        return self.home / "desk-cluster"

    @property
    def kubeconfig(self) -> Path:
        return self.own_kubeconfig or self.cluster_state / "kubeconfig"

    @property
    def backend(self) -> str:
        """A name belongs to the first cluster that took it, so each file has one of its own."""
        if self.own_kubeconfig is None:
            return DESK_BACKEND
        name = hashlib.sha256(str(self.own_kubeconfig).encode()).hexdigest()[:8]
        return f"cluster-{name}"

    @property
    def operator_token(self) -> Path:
        return self.home / "operator" / "token"

    @property
    def login_folder(self) -> Path:
        """A login of the local stack's own; what `XYLEM_CONFIG_DIR` may point to."""
        return self.home / "login"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def supervisor_configuration(self) -> Path:
        return self.home / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        socket = self.home / "supervisor.sock"
        if len(str(socket)) <= _SOCKET_CHARS:
            return socket
        name = hashlib.sha256(str(self.home).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"xylem-{name}.sock"

    @property
    def remembered_kubeconfig(self) -> Path:
        return self.home / OWN_KUBECONFIG

    @property
    def remembered_ports(self) -> Path:
        return self.home / "ports.json"

    def as_started(self) -> "Settings":
        """With the ports and the cluster of what runs, whatever the environment says by now."""
        ports = {**self.ports, **_remembered(self.home)}
        return replace(self, ports=ports, own_kubeconfig=_remembered_kubeconfig(self.home))

    @property
    def assembly(self) -> Path:
        """The synthesised app. It holds the endpoint, so each has its own."""
        return self.root / "build" / "cdk.out" / f"local-{self.ports['aws']}"

    @property
    def deployment(self) -> Path:
        """What was deployed. It lies within the state that it speaks of, and is gone with it."""
        return self.aws_state / "deployed.json"


def find_settings(
    environ: Mapping[str, str],
    chosen: Mapping[str, int | None] | None = None,
    kubeconfig: Path | None = None,
) -> Settings:
    """`chosen`: ports by name, from the command line. Raises `LocalError`."""
    if kubeconfig is not None and not kubeconfig.is_file():
        raise LocalError(
            f"{kubeconfig} is no file.",
            "Give the kubeconfig of a cluster: kind get kubeconfig, k3s' /etc/rancher/k3s/k3s.yaml,"
            " or what `aws eks update-kubeconfig --kubeconfig FILE` wrote.",
        )
    root = Path(__file__).resolve().parents[2]
    if not (root / "infra_cdk").is_dir():
        raise LocalError(
            "The local stack deploys the CDK app of a checkout, and this is an installed package.",
            "Clone the repository, run `make install`, and use its .venv/bin/xylem.",
        )
    home = Path(environ.get("XYLEM_HOME") or root / ".xylem").expanduser().absolute()
    told = [root, home] if kubeconfig is None else [root, home, kubeconfig.absolute()]
    for folder in told:
        if _UNTOLD.search(str(folder)):
            raise LocalError(
                f"{folder} has a %, a quote, a backslash, a line break, or a ; or # after a space"
                " in its name, which supervisord cannot be told.",
                "Set XYLEM_HOME to another folder, or move what is named so.",
            )
    remembered = _remembered(home)
    ports = {
        name: (chosen or {}).get(name)
        or _port_of(environ, f"XYLEM_PORT_{name.upper()}")
        or remembered.get(name, default)
        for name, default in DEFAULT_PORTS.items()
    }
    # Not resolved: the link in an environment is what makes an interpreter that environment's.
    own = None if kubeconfig is None else kubeconfig.absolute()
    python = Path(sys.executable).absolute()
    return Settings(root=root, home=home, ports=ports, python=python, own_kubeconfig=own)


def _port_of(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise LocalError(f"{name}={text} is not a port.", "Give a number from 1 to 65535.")
    return int(text)


def _remembered_kubeconfig(home: Path) -> Path | None:
    try:
        text = (home / OWN_KUBECONFIG).read_text()
    except OSError:
        return None
    return Path(text) if text else None


def _remembered(home: Path) -> Mapping[str, int]:
    try:
        ports = dict(json.loads((home / "ports.json").read_text()))
    except (OSError, ValueError, TypeError):
        return {}
    return {name: port for name, port in ports.items() if isinstance(port, int)}
