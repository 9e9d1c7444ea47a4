"""What the operator is told by its environment: read once, at its start, into one frozen object.

| variable | |
|---|---|
| XYLEM_URL | the service's WebSocket URL, wss://… |
| XYLEM_BACKEND | the name under which this cluster is known |
| XYLEM_TOKEN | the operator's token, or XYLEM_TOKEN_FILE: a file with it, read at each connect |
| XYLEM_NAMESPACE | where tasks run (`xylem`) |
| KUBECONFIG | a kubeconfig; without it the service account of the pod |
| POD_NAME | unique among running operators: the holder's name in the Lease (the host's name) |
| XYLEM_TEST_IMAGE | the image with this package, which runs backend tests; without it none is |
| XYLEM_TEST_ACCOUNT | the service account that it runs as (`xylem-backend-test`) |
| XYLEM_HEALTH | `host:port` of /healthz, /readyz and /metrics; without it there is none |
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

TEST_ACCOUNT = "xylem-backend-test"


class BadSettings(Exception):
    """The message is one sentence that says what to change."""


@dataclass(frozen=True, slots=True)
class Settings:
    url: str
    backend: str
    namespace: str
    pod_name: str
    kubeconfig: str | None = None
    test_image: str = ""
    test_account: str = TEST_ACCOUNT
    health: tuple[str, int] | None = None
    token_text: str = field(default="", repr=False)
    token_file: Path | None = None

    def token(self) -> str:
        """Read anew from a file each time: tokens are renewed there. Raises `BadSettings`."""
        if self.token_file is None:
            return self.token_text
        try:
            token = self.token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadSettings(
                f"XYLEM_TOKEN_FILE names {self.token_file}, which cannot be read ({error}): "
                f"let it name a file with the token from `xylem backend token`."
            ) from error
        if not token:
            raise BadSettings(f"The file {self.token_file} in XYLEM_TOKEN_FILE is empty.")
        return token


def settings(environment: Mapping[str, str]) -> Settings:
    """Raises `BadSettings`."""
    text = environment.get("XYLEM_TOKEN", "")
    file = environment.get("XYLEM_TOKEN_FILE", "")
    if bool(text) == bool(file):
        raise BadSettings(
            "Set either XYLEM_TOKEN or XYLEM_TOKEN_FILE to the token from `xylem backend token`."
        )
    url = _required(environment, "XYLEM_URL", "the WebSocket URL of the service, wss://...")
    if urlsplit(url).scheme not in {"ws", "wss"} or not urlsplit(url).hostname:
        raise BadSettings(f"XYLEM_URL is {url!r}: it must begin with wss:// (or ws:// locally).")
    found = Settings(
        url=url,
        backend=_required(environment, "XYLEM_BACKEND", "the name of this cluster's backend"),
        namespace=environment.get("XYLEM_NAMESPACE") or "xylem",
        pod_name=environment.get("POD_NAME") or socket.gethostname(),
        kubeconfig=environment.get("KUBECONFIG") or None,
        test_image=environment.get("XYLEM_TEST_IMAGE", ""),
        test_account=environment.get("XYLEM_TEST_ACCOUNT") or TEST_ACCOUNT,
        health=_address(environment.get("XYLEM_HEALTH", "")),
        token_text=text.strip(),
        token_file=Path(file) if file else None,
    )
    found.token()
    return found


def _required(environment: Mapping[str, str], name: str, meaning: str) -> str:
    if not environment.get(name):
        raise BadSettings(f"Set {name} to {meaning}.")
    return environment[name]


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise BadSettings(f"XYLEM_HEALTH is {text!r}: it must be host:port, like 127.0.0.1:8081.")
    return host or "127.0.0.1", int(port)
