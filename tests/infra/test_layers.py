"""What a function finds when Lambda starts it: its own folder, our layers, and wheels that fit.

For this machine's platform every handler is imported as Lambda would: from the assets of the
deployment and nothing else. What another machine would run can only be looked at: the wheels' tags,
and the header of each compiled library.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_cdk.aws_lambda import Runtime
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from layers.vendor.build import LAMBDA_LIMIT, folder_size
from layers.vendor.platforms import AWS_ARM64, LOCAL, PLATFORMS, ROOT, Platform
from tests.infra.synthesized import Synthesized
from tests.infra.test_functions import HANDLERS

# e_machine in an ELF header: refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
MACHINES = {"x86_64": 62, "arm64": 183}
WHEEL_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
# Of Amazon Linux 2023, which runs python3.12 and later:
# docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
GLIBC = (2, 34)

# What Lambda itself has for a function; nothing else of this process is passed on.
LAMBDA_SETTINGS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_EC2_METADATA_DISABLED": "true",
}

IMPORT = """
import importlib, sys
sys.path[:0] = sys.argv[2:]
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)
assert callable(handler)
"""


@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_is_imported_from_what_is_deployed_and_nothing_else(
    local: Synthesized, function: str
) -> None:
    properties = local.functions[function]
    # The function comes first on Lambda's path, then /opt/python, where layers lie over each other.
    path = [_asset(local, properties["Code"])]
    path += [layer / "python" for layer in _layers(local, function)]
    settings = {
        name: local.text(value) for name, value in properties["Environment"]["Variables"].items()
    }

    # Neither this process's settings (-I) nor its site-packages (-S); nothing is written (-B).
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", IMPORT, properties["Handler"], *map(str, path)],
        env={**settings, **LAMBDA_SETTINGS, "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_brings_its_own_component_and_no_other(
    local: Synthesized, function: str
) -> None:
    properties = local.functions[function]
    asset = _asset(local, properties["Code"])
    component = properties["Handler"].split(".")[1]
    files = {path.relative_to(asset) for path in asset.rglob("*") if path.is_file()}
    strangers = {path for path in files if path.parts[:2] != ("functions", component)}

    assert strangers == {Path("functions", "__init__.py")}
    assert not [path for path in files if "__pycache__" in path.parts]


@pytest.mark.parametrize("function", HANDLERS)
def test_a_function_with_its_layers_is_small_enough_for_lambda(
    local: Synthesized, function: str
) -> None:
    parts = [_asset(local, local.functions[function]["Code"]), *_layers(local, function)]

    assert sum(folder_size(part) for part in parts) < LAMBDA_LIMIT
    assert len(parts) <= 1 + 5, "Lambda takes five layers a function"


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_every_wheel_is_for_its_platform(platform: Platform) -> None:
    tags = dict(_wheel_tags(platform))

    assert len(tags) > 10
    assert {
        wheel for wheel, each in tags.items() if not any(_fits(tag, platform) for tag in each)
    } == (set())


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_every_compiled_library_is_for_its_platform(platform: Platform) -> None:
    libraries = list((platform.folder / "python").rglob("*.so"))
    version = platform.python.replace(".", "")
    machines = {path.name: _machine(path) for path in libraries}
    for_other_pythons = [
        path.name
        for path in libraries
        if (found := re.search(r"\.cpython-(\d+)", path.name)) and found[1] != version
    ]

    assert libraries
    assert set(machines.values()) == {MACHINES[platform.machine]}, machines
    assert for_other_pythons == []


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_bytecode_is_shipped_only_for_the_python_that_wrote_it(platform: Platform) -> None:
    written = {path.suffixes[-2] for path in (platform.folder / "python").rglob("*.pyc")}
    own = {f".{sys.implementation.cache_tag}"} if platform.python == LOCAL.python else set()

    assert written == own


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_the_layer_holds_third_parties_alone(platform: Platform) -> None:
    packages = {path.name for path in (platform.folder / "python").iterdir()}

    assert {"boto3", "fastapi", "pydantic", "pynamodb"} <= packages
    assert {"xylem", "xylem_aws", "functions", "pytest", "moto", "aws_cdk"} & packages == set()


def test_aws_runs_the_newest_python_that_the_lock_file_was_made_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = SpecifierSet(project["requires-python"])
    known = [name.removeprefix("PYTHON_3_") for name in dir(Runtime) if name.startswith("PYTHON_3")]
    admitted = [minor for minor in map(int, known) if Version(f"3.{minor}") in locked]

    assert AWS_ARM64.python == f"3.{max(admitted)}"


def _asset(stacks: Synthesized, code: dict[str, str]) -> Path:
    return stacks.folder / f"asset.{Path(code['S3Key']).stem}"


def _layers(stacks: Synthesized, function: str) -> list[Path]:
    layers = stacks.all("AWS::Lambda::LayerVersion")
    names = [layer["Ref"] for layer in stacks.functions[function]["Layers"]]
    return [_asset(stacks, layers[name]["Properties"]["Content"]) for name in names]


def _wheel_tags(platform: Platform) -> Iterator[tuple[str, list[str]]]:
    for notes in (platform.folder / "python").glob("*.dist-info/WHEEL"):
        lines = notes.read_text().splitlines()
        yield notes.parent.name, [line.split()[1] for line in lines if line.startswith("Tag:")]


def _fits(tag: str, platform: Platform) -> bool:
    """Whether a wheel with this tag suits Lambda there (packaging.python.org/specifications)."""
    python, abi, where = tag.rsplit("-", 2)
    if where == "any":
        return True
    version = f"cp{platform.python.replace('.', '')}"
    stable = abi == "abi3" and int(python[3:]) <= int(platform.python.split(".")[1])
    if abi != version and not stable:
        return False
    if platform is LOCAL:
        return where.endswith(WHEEL_MACHINES[platform.machine])
    return any(_old_enough(each, platform) for each in where.split("."))


def _old_enough(where: str, platform: Platform) -> bool:
    aliases = {"manylinux2014": "manylinux_2_17", "manylinux1": "manylinux_2_5"}
    for old, new in aliases.items():
        where = where.replace(old, new)
    found = re.fullmatch(r"manylinux_(\d+)_(\d+)_(.+)", where)
    return (
        found is not None
        and (int(found[1]), int(found[2])) <= GLIBC
        and found[3] == WHEEL_MACHINES[platform.machine]
    )


def _machine(library: Path) -> int:
    with library.open("rb") as file:
        header = file.read(20)
    assert header[:4] == b"\x7fELF", library
    return int.from_bytes(header[18:20], "little")
