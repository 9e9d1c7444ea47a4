"""Builds the vendor layer of each platform: the third parties of the functions, from the lock file.

    python -m layers.vendor.build [PLATFORM ...]

`uv export` says what the group `functions` needs, with hashes; `uv pip install --target` fetches
wheels for the platform, this machine's or another's, so neither Docker nor a compiler has a part in
it. A layer is built beside its place and moved there whole. Its stamp is a hash of all that it was
made from: while that is the same a second run does nothing, and `infra_cdk` uses it as the asset's
hash, which spares each synth the reading of some thousand files.

What a function never opens is left out, which halves the layer, and with it the upload of each
deployment and the unpacking at each cold start: service descriptions of AWS that we do not call,
test suites, type stubs and the installers' notes. What is opened at each cold start is made small:
botocore's list of all endpoints, and what it says of services to readers.

/opt is read-only on Lambda, so Python cannot keep what it compiles there and would compile every
module at every cold start. The layer brings the bytecode along, marked as unchecked because packing
changes the time stamps that Python would compare. Bytecode belongs to one version of Python: it is
written where this interpreter is the platform's, and left out elsewhere.

Rejected: CDK's bundling (it wants Docker, and runs at every synth); `pip download --platform` (it
does not know the lock file and evaluates markers for this machine).
"""

import argparse
import compileall
import gzip
import hashlib
import json
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

from layers.vendor.platforms import LOCAL, PLATFORMS, ROOT, Platform

# Unpacked size of a function with all its layers:
# docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_LIMIT = 250 * 1024 * 1024
# What our own code, some 2 MB, may grow to before anyone has to think about the limit.
VENDOR_LIMIT = LAMBDA_LIMIT - 50 * 1024 * 1024

# Those that xylem_aws calls, and sts because botocore loads it for some kinds of credentials.
SERVICES = frozenset(
    {"apigatewaymanagementapi", "dynamodb", "s3", "sesv2", "sqs", "ssm", "sts", "xray"}
)

OPERATIONS = {
    "sesv2": frozenset({"SendEmail"}),
    "ssm": frozenset({"GetParameter", "PutParameter"}),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjects",
            "GetObject",
            "HeadObject",
            "ListObjectsV2",
            "ListParts",
            "PutObject",
            "UploadPart",
        }
    ),
}
"""Of the services that have many more, those that xylem_aws calls: botocore reads a description
whole, 9 ms for all of SSM's. What pynamodb calls is its own affair."""

ENDPOINTS = SERVICES - {"apigatewaymanagementapi", "sesv2"} | {"execute-api", "email"}
"""As botocore's endpoints.json calls them."""

NEVER_OPENED = (
    "bin",
    "**/tests",
    "**/*.pyi",
    "*-stubs",
    "**/*.pyx",
    "**/*.dist-info/RECORD",
    "**/*.dist-info/INSTALLER",
    "**/*.dist-info/REQUESTED",
    "**/*.dist-info/uv_*.json",
    "**/*.dist-info/direct_url.json",
    "boto3/examples",
    "boto3/data",
    "pycparser",  # cffi compiles with it at build time; nothing imports it in a function
    # FastAPI asks of each annotation whether it is of the old pydantic, 25 ms to import, and takes
    # it for none where that is not installed (fastapi/_compat/shared.py).
    "pydantic/v1",
)


class BuildError(Exception):
    """The layer cannot be built; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    names = [platform.name for platform in PLATFORMS]
    parser = argparse.ArgumentParser(
        prog="python -m layers.vendor.build",
        description="Install the third parties of the functions for each Lambda platform.",
    )
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=f"{' or '.join(names)}")
    wanted = parser.parse_args(arguments).platforms or names
    if unknown := set(wanted) - set(names):
        parser.error(f"unknown platform {min(unknown)}: choose from {', '.join(names)}")
    try:
        uv = find_uv()
        requirements = locked_requirements(uv)
        for platform in PLATFORMS:
            if platform.name in wanted:
                print(build(platform, uv, requirements))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def find_uv(interpreter: Path = Path(sys.executable), path: str | None = None) -> str:
    """uv beside this interpreter, where `make install` puts it; else the one on the path."""
    beside = shutil.which("uv", path=str(interpreter.parent))
    if found := beside or shutil.which("uv", path=path):
        return found
    raise BuildError("uv is missing: run `make install`, or put uv on the PATH")


def locked_requirements(uv: str) -> str:
    """The third parties of the group `functions`, pinned and hashed; none of our own packages."""
    what = ["--only-group", "functions", "--no-emit-workspace", "--no-emit-project"]
    return _run([uv, "export", "--quiet", "--frozen", "--no-header", "--no-annotate", *what])


def build(platform: Platform, uv: str, requirements: str) -> str:
    """Build the layer of one platform, unless it is there already; say what was done."""
    stamp = stamp_of(platform, requirements)
    if is_built(platform) and platform.stamp.read_text() == stamp:
        return f"vendor layer {platform.name}: nothing changed"
    platform.stamp.unlink(missing_ok=True)

    unfinished = platform.layers / f"{platform.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    packages = unfinished / "python"
    packages.mkdir(parents=True)
    _install(platform, uv, requirements, packages)
    prune(packages)
    if platform.python == LOCAL.python:
        _compile(packages)
    size = folder_size(unfinished)
    if size > VENDOR_LIMIT:
        raise BuildError(
            f"the vendor layer {platform.name} has {size >> 20} MB, more than {VENDOR_LIMIT >> 20}:"
            " Lambda takes 250 MB with all layers; take a dependency out of the group `functions`"
        )
    shutil.rmtree(platform.folder, ignore_errors=True)
    unfinished.rename(platform.folder)
    platform.stamp.write_text(stamp)
    return f"vendor layer {platform.name}: {size / 2**20:.1f} MB for Python {platform.python}"


def is_built(platform: Platform) -> bool:
    """Whether a layer is there whole, from whatever lock."""
    return platform.folder.is_dir() and platform.stamp.is_file()


def stamp_of(platform: Platform, requirements: str) -> str:
    """A hash of all that decides what is in the layer, this file included."""
    compiled_by = sys.implementation.cache_tag if platform.python == LOCAL.python else ""
    where = [platform.machine, platform.python, platform.wheels or ""]
    made_from = [*where, compiled_by, requirements, Path(__file__).read_text()]
    return hashlib.sha256("\0".join(made_from).encode()).hexdigest()


def prune(packages: Path) -> None:
    """Leave out what a function never opens."""
    described = packages / "botocore" / "data"
    unwanted = [path for path in described.glob("*/") if path.name not in SERVICES]
    unwanted += [path for pattern in NEVER_OPENED for path in packages.glob(pattern)]
    for path in unwanted:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    endpoints = described / "endpoints.json"
    endpoints.write_text(of_our_services(endpoints.read_text()))
    for service in described.glob("*/*/service-2.json.gz"):
        spoken = gzip.decompress(service.read_bytes()).decode()
        spoken = without_prose(spoken)
        if (called := OPERATIONS.get(service.parent.parent.name)) is not None:
            spoken = of_operations(spoken, called)
        service.write_bytes(gzip.compress(spoken.encode()))


def of_our_services(endpoints: str) -> str:
    """botocore's endpoints.json without the services that we do not call: 33 KB of 1.2 MB."""
    known = json.loads(endpoints)
    for partition in known["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in ENDPOINTS}
    return json.dumps(known, separators=(",", ":"))


def without_prose(service: str) -> str:
    """botocore's description of a service without what is for readers: a quarter of it stays. The
    key does: of some parameters botocore asks for it."""

    def emptied(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {
            key: "" if key == "documentation" and isinstance(value, str) else value
            for key, value in pairs
        }

    return json.dumps(json.loads(service, object_pairs_hook=emptied), separators=(",", ":"))


def of_operations(service: str, called: Set[str]) -> str:
    """botocore's description of a service with these operations alone, and the shapes that they
    lead to."""
    described = json.loads(service)
    operations = {name: described["operations"][name] for name in sorted(called)}
    shapes = described["shapes"]
    kept: dict[str, Any] = {}
    ahead = list(_shapes_in(operations))
    while ahead:
        name = ahead.pop()
        if name not in kept:
            kept[name] = shapes[name]
            ahead += _shapes_in(shapes[name])
    return json.dumps(described | {"operations": operations, "shapes": kept}, separators=(",", ":"))


def _shapes_in(described: Any) -> Iterator[str]:
    """The names of shapes that a description refers to."""
    if isinstance(described, dict):
        name = described.get("shape")
        if isinstance(name, str):
            yield name
        for inner in described.values():
            yield from _shapes_in(inner)
    elif isinstance(described, list):
        for inner in described:
            yield from _shapes_in(inner)


def folder_size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _install(platform: Platform, uv: str, requirements: str, target: Path) -> None:
    listed = target.parent / "requirements.txt"
    listed.write_text(requirements)
    interpreter = ["--python", sys.executable]
    if platform.wheels:
        interpreter += ["--python-platform", platform.wheels]
        interpreter += ["--python-version", platform.python]
    exactly = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    # Hard links into uv's cache would let whatever touches the layer touch the cache.
    placed = ["--target", str(target), "--link-mode", "copy"]
    _run([uv, "pip", "install", "--quiet", *interpreter, *exactly, *placed, "-r", str(listed)])
    listed.unlink()


def _compile(packages: Path) -> None:
    # `stripdir` keeps this machine's folders out of the tracebacks and out of the bytes.
    compileall.compile_dir(
        packages,
        quiet=2,
        stripdir=packages,
        prependdir="/opt/python",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        workers=os.cpu_count() or 1,
    )


def _run(command: list[str]) -> str:
    # An activated environment, or another project's index settings, are not this build's business.
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        doing = " ".join(command[:3])
        raise BuildError(f"`{doing}` failed; it needs the package registry.\n{done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
