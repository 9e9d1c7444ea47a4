"""The build of the vendor layer, as far as it goes without a package registry."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from layers.vendor.build import (
    OPERATIONS,
    BuildError,
    build,
    find_uv,
    folder_size,
    main,
    of_operations,
    of_our_services,
    prune,
    stamp_of,
    without_prose,
)
from layers.vendor.platforms import AWS_ARM64, LOCAL, ROOT

LOCKED = "boto3==1.44.5 --hash=sha256:0\n"


def test_the_stamp_stays_while_nothing_changes() -> None:
    assert stamp_of(LOCAL, LOCKED) == stamp_of(LOCAL, LOCKED)


def test_the_stamp_changes_with_the_lock_and_with_the_platform() -> None:
    stamps = {
        stamp_of(LOCAL, LOCKED),
        stamp_of(LOCAL, LOCKED + "pynamodb==6.1.0\n"),
        stamp_of(AWS_ARM64, LOCKED),
        stamp_of(replace(LOCAL, python="3.12"), LOCKED),
    }

    assert len(stamps) == 4


def test_an_unknown_platform_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["aws-riscv"])

    assert "unknown platform aws-riscv: choose from local, aws-arm64" in capsys.readouterr().err


def test_uv_beside_the_interpreter_comes_first(tmp_path: Path) -> None:
    beside, elsewhere = tmp_path / "venv" / "bin", tmp_path / "bin"
    for folder in (beside, elsewhere):
        _program(folder / "uv")

    assert find_uv(beside / "python", str(elsewhere)) == str(beside / "uv")


def test_uv_is_looked_for_on_the_path(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "uv")

    assert find_uv(tmp_path / "python", str(tmp_path / "bin")) == str(tmp_path / "bin" / "uv")


def test_without_uv_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="run `make install`"):
        find_uv(tmp_path / "python", str(tmp_path))


def test_a_layer_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    there = replace(LOCAL, layers=tmp_path)
    there.folder.mkdir()
    there.stamp.write_text(stamp_of(there, LOCKED))

    said = build(there, uv="/nowhere/uv", requirements=LOCKED)

    assert said == "vendor layer local: nothing changed"


def test_a_layer_whose_build_failed_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    there = replace(LOCAL, layers=tmp_path)
    there.folder.mkdir()
    there.stamp.write_text(stamp_of(there, "an older lock"))

    with pytest.raises(BuildError, match="needs the package registry"):
        build(there, uv=_failing_uv(tmp_path), requirements=LOCKED)

    assert not there.stamp.exists()


def test_what_a_function_never_opens_is_left_out(tmp_path: Path) -> None:
    kept = [
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "botocore/data/endpoints.json",
        "pydantic/main.py",
        "pydantic-2.14.3.dist-info/METADATA",
        "pydantic-2.14.3.dist-info/WHEEL",
    ]
    left_out = [
        "bin/jp.py",
        "boto3/examples/s3.rst",
        "botocore/data/ec2/service-2.json.gz",
        "pkg/tests/test_it.py",
        "pkg/stubs.pyi",
        "pydantic/v1/main.py",
        "pydantic-2.14.3.dist-info/RECORD",
    ]
    for name in kept + left_out:
        _file(tmp_path / name)
    _file(tmp_path / "botocore/data/endpoints.json", '{"partitions": []}')
    described = tmp_path / "botocore/data/dynamodb/2012-08-10/service-2.json.gz"
    described.parent.mkdir(exist_ok=True)
    described.write_bytes(gzip.compress(b'{"documentation": "A fast database."}'))

    prune(tmp_path)

    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == set(kept)


def test_of_all_endpoints_those_that_we_call_stay_in_every_partition() -> None:
    partitions = [
        {"partition": name, "services": {"dynamodb": {"of": name}, "ec2": {}, "execute-api": {}}}
        for name in ("aws", "aws-cn")
    ]

    kept = json.loads(of_our_services(json.dumps({"version": 3, "partitions": partitions})))

    assert kept == {
        "version": 3,
        "partitions": [
            {"partition": name, "services": {"dynamodb": {"of": name}, "execute-api": {}}}
            for name in ("aws", "aws-cn")
        ],
    }


def test_a_service_is_described_without_prose() -> None:
    described = {
        "operations": {"PutItem": {"documentation": "Puts.", "name": "PutItem"}},
        "shapes": {"Doc": {"members": {"documentation": {"shape": "Text"}}}},
    }

    assert json.loads(without_prose(json.dumps(described))) == {
        "operations": {"PutItem": {"documentation": "", "name": "PutItem"}},
        "shapes": {"Doc": {"members": {"documentation": {"shape": "Text"}}}},
    }


def test_of_a_service_the_operations_that_we_call_stay_with_all_that_they_say() -> None:
    described = {
        "metadata": {"protocol": "json"},
        "operations": {
            "Get": {"input": {"shape": "Asked"}, "errors": [{"shape": "NotThere"}]},
            "Drop": {"input": {"shape": "Dropped"}},
        },
        "shapes": {
            "Asked": {"members": {"Names": {"shape": "Names"}}},
            "Names": {"type": "list", "member": {"shape": "Name"}},
            "Name": {"type": "string"},
            "NotThere": {"type": "structure", "members": {"Again": {"shape": "NotThere"}}},
            "Dropped": {"members": {"Name": {"shape": "Name"}}},
        },
    }

    kept = json.loads(of_operations(json.dumps(described), {"Get"}))

    assert set(kept["operations"]) == {"Get"}
    assert set(kept["shapes"]) == {"Asked", "Names", "Name", "NotThere"}
    assert kept["metadata"] == described["metadata"]


def test_every_operation_that_we_call_of_a_service_is_kept() -> None:
    """As boto3 spells them: `get_object` for GetObject; of pages, what is asked of the paginator;
    of presigned URLs, the word in quotes."""
    texts = [path.read_text() for path in (ROOT / "layers" / "aws").rglob("*.py")]
    called = {
        (service, name.replace("_", ""))
        for text in texts
        for service, name in re.findall(r"\b_?(s3|ssm)\.([a-z_0-9]+)\(", text)
        if name not in {"generate_presigned_url", "get_paginator"}
    }
    called |= {
        ("s3", name.replace("_", ""))
        for text in texts
        for name in re.findall(r'(?:_presigned|_signed|get_paginator)\(\s*"(\w+)"', text)
    }
    kept = {(service, name.lower()) for service, names in OPERATIONS.items() for name in names}

    assert called
    assert not called - kept


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    _file(tmp_path / "a" / "b", "12345")
    _file(tmp_path / "c", "678")

    assert folder_size(tmp_path) == 8


def _file(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _program(path: Path, text: str = "#!/bin/sh\n") -> str:
    _file(path, text)
    path.chmod(0o755)
    return str(path)


def _failing_uv(folder: Path) -> str:
    return _program(folder / "failing" / "uv", "#!/bin/sh\necho no network >&2\nexit 2\n")
