"""What the server is told on its command line, and the environment it makes of it for ministack.

ministack is configured by environment variables that its modules read when they are imported, and
it hands its own environment on to every Lambda. Two things follow. The environment is not added to
but replaced: an `AWS_ENDPOINT_URL` or a profile of the person who started us must reach neither.
And it is set before the first import of ministack (see `seams`).

Correction 10: stock ministack leaves unpacked functions behind in the system's temporary directory
when it is killed. It gets a `TMPDIR` of its own below the state folder, which the next start
empties.
"""

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Nothing but what programs need to start other programs; `xylem local` finds its own tools itself.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Settings:
    port: int
    state: Path
    lambda_python: Path
    runtime: Path
    """The folder with awslambdaric, see `install`."""
    region: str = "us-east-1"
    websocket_idle_seconds: float = 600.0
    websocket_life_seconds: float = 7200.0

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def definitions(self) -> Path:
        return self.state / "definitions"

    @property
    def items(self) -> Path:
        return self.state / "items.sqlite3"

    @property
    def objects(self) -> Path:
        return self.state / "s3"

    @property
    def functions(self) -> Path:
        """Code and layers of the functions, unpacked."""
        return self.state / "functions"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def calls(self) -> Path:
        return self.state / "calls.jsonl"

    @property
    def temporary(self) -> Path:
        return self.state / "tmp"


def ministack_environment(settings: Settings, *, log_level: str) -> dict[str, str]:
    """The whole environment of the server process."""
    return {
        "PATH": SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "HOME": str(settings.temporary),
        "TMPDIR": str(settings.temporary),
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_REGION": settings.region,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(settings.definitions),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(settings.objects),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Our own pool caps how many run at once and makes the others wait, see lambda_pool.
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",
        # A socket that is not there: without it ministack imports the Docker client to look for
        # one.
        "DOCKER_HOST": f"unix://{settings.temporary}/no-docker.sock",
        "LOG_LEVEL": log_level,
    }
