import io
import sys
import zipfile
from pathlib import Path

from clients.local.embedded_aws.lambda_files import LambdaFiles, layer_paths


def a_zip(name: str, text: str, *, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, text)
    return buffer.getvalue()


def test_the_same_content_is_unpacked_once(tmp_path: Path) -> None:
    files = LambdaFiles(tmp_path)
    one, again = a_zip("a.py", "A = 1"), a_zip("a.py", "A = 1")

    assert files.unpack(one) == files.unpack(again) == LambdaFiles(tmp_path).unpack(again)
    assert (files.unpack(one) / "a.py").read_text() == "A = 1"


def test_programs_stay_executable(tmp_path: Path) -> None:
    folder = LambdaFiles(tmp_path).unpack(a_zip("run", "#!/bin/sh", mode=0o755))

    assert (folder / "run").stat().st_mode & 0o111


def test_what_belongs_to_no_function_is_removed(tmp_path: Path) -> None:
    kept, dropped = a_zip("a.py", "kept"), a_zip("a.py", "dropped")
    files = LambdaFiles(tmp_path)
    files.unpack(kept)
    files.unpack(dropped)
    (tmp_path / "half.part").mkdir()

    LambdaFiles(tmp_path).keep_only([kept])

    assert list(tmp_path.iterdir()) == [files.unpack(kept)]


def test_a_layer_is_searched_where_aws_searches_it(tmp_path: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = tmp_path / "python" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)

    assert layer_paths(tmp_path) == [packages, tmp_path / "python"]
    assert layer_paths(packages) == []
