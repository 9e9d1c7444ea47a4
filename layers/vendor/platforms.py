"""Where our functions run: the machine type and the interpreter that a vendor layer is built for.

The embedded stack runs Lambdas with the interpreter of this machine, AWS runs them on Graviton,
which costs a fifth less per GB-second than x86_64 and starts as fast. One lock file serves both:
only the wheels differ. The newest Python that the project's `requires-python` admits is used on
AWS; 3.14 waits for that bound, because the lock is resolved inside it.

Rejected: one platform for both (x86_64 and 3.11 everywhere) would make the layer of a developer's
machine the one of production, and would pay for it with every invocation.
"""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ROOT / "build" / "layers" / "vendor"


@dataclass(frozen=True, slots=True)
class Platform:
    """A Lambda architecture and Python, named like its folder below `build/layers/vendor`."""

    name: str
    machine: str
    """As AWS Lambda spells an architecture: x86_64 or arm64."""
    python: str
    """Major and minor version: Lambda chooses the patch release."""
    wheels: str | None = None
    """uv's word for the platform whose wheels fit; None: those of this interpreter."""
    layers: Path = LAYERS

    @property
    def folder(self) -> Path:
        """The layer: Lambda unpacks it to /opt and has /opt/python on its path."""
        return self.layers / self.name

    @property
    def stamp(self) -> Path:
        """What the layer was built from, as a hash; it lies beside the layer, not in it."""
        return self.layers / f"{self.name}.stamp"


LOCAL = Platform(
    name="local",
    machine="arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64",
    python=f"{sys.version_info.major}.{sys.version_info.minor}",
)

# python3.13 runs on Amazon Linux 2023, whose glibc is 2.34: wheels for 2.28 fit
# (docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, python-package.html).
AWS_ARM64 = Platform(
    name="aws-arm64", machine="arm64", python="3.13", wheels="aarch64-manylinux_2_28"
)

PLATFORMS = (LOCAL, AWS_ARM64)
