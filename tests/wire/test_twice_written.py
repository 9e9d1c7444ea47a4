"""What is written twice, because one of the two must not import the other, or is written in C."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from operators.backend_listener import observe
from operators.native import build as native
from operators.shared import files
from operators.task_runtime import __main__ as sidecar
from operators.task_runtime import api, build, data, logs, spool
from tests.builders_spec import a_plan, facts_of
from xylem.domain.tokens import OUTPUT_FOLDER
from xylem.manifests import pod as pods
from xylem.manifests import runtime as manifest
from xylem.protocol import runtime as words
from xylem.protocol import spool as format

ROOT = Path(__file__).parents[2]
EXEC = (ROOT / "operators/native/xylem-exec.c").read_text()


def defined(name: str) -> int:
    """The value of a `#define` of the wrapper."""
    found = re.search(rf"^#define {name} (.+)$", EXEC, re.MULTILINE)
    assert found is not None, name
    product = 1
    for factor in found[1].strip("()").split("*"):
        product *= int(factor)
    return product


# The Logger and the sidecar -----------------------------------------------------------------------


def test_a_batch_of_the_sidecar_is_a_batch_of_the_logger() -> None:
    assert logs.BATCH_BYTES == words.BATCH_BYTES
    assert words.BATCH_BYTES <= words.MAX_BATCH_BYTES
    assert format.HEADER.size + format.RECORD_BYTES <= words.BATCH_BYTES


def test_a_page_of_the_sidecar_is_a_page_of_the_logger() -> None:
    assert data.PAGE_FILES == words.PAGE_FILES


def test_a_path_that_the_sidecar_uploads_is_one_that_the_logger_takes() -> None:
    path = words.OutputFile.model_fields["path"]
    longest = [limit.max_length for limit in path.metadata if hasattr(limit, "max_length")]

    assert longest == [files.LONGEST_PATH]


def test_an_answer_that_is_held_is_waited_for() -> None:
    assert words.BARRIER_HOLD_SECONDS < api.HELD_TIMEOUT_SECONDS
    assert api.TIMEOUT_SECONDS < pods.GRACE_SECONDS


def test_the_sidecar_leaves_before_it_is_killed() -> None:
    assert sidecar.GRACE_SECONDS < pods.GRACE_SECONDS


# The wrapper and the sidecar ----------------------------------------------------------------------


def test_the_wrapper_writes_the_records_that_are_read() -> None:
    assert defined("HEADER_BYTES") == format.HEADER.size == 13
    assert defined("RECORD_BYTES") == format.RECORD_BYTES
    assert format.HEADER.format == ">BQI"
    [streams] = re.findall(r"^enum stream \{(.+)\};$", EXEC, re.MULTILINE)
    numbers = dict(re.findall(r"(\w+) = (\d+)", streams))
    assert numbers == {
        stream.name: str(stream.value) for stream in (format.Stream.STDOUT, format.Stream.STDERR)
    }


def test_the_wrappers_codes_are_those_that_the_sidecar_knows() -> None:
    assert defined("EXIT_SPOOL_FULL") == sidecar.SPOOL_FULL


def test_both_are_as_patient_with_a_full_disk() -> None:
    assert defined("FULL_DISK_PATIENCE_MS") == spool.FULL_DISK_PATIENCE_SECONDS * 1000
    assert defined("FULL_DISK_RETRY_MS") == spool.FULL_DISK_RETRY_SECONDS * 1000


def test_both_meet_in_the_same_files() -> None:
    named = set(re.findall(r'(?:path|put|number_in)\("(\w+)"', EXEC))

    assert named == {"alive", "exit", "go", "restart", "stop", "stopped", spool.FILE}


# The manifests and the sidecar --------------------------------------------------------------------


def test_the_sidecar_finds_what_the_manifests_mount() -> None:
    places = sidecar.places()

    assert places.run == manifest.RUN_OF_TASK
    assert places.token == f"{manifest.TOKEN}/{manifest.TOKEN_FILE}"
    assert places.config == f"{manifest.CONFIG}/{manifest.CONFIG_FILE}"


def test_the_sidecar_finds_in_its_orders_what_it_looks_for() -> None:
    plan = a_plan()
    orders = manifest.config(plan, plan.tasks[0], facts_of(plan))
    looked_for = re.findall(r'_config\["(\w+)"\]', Path(sidecar.__file__).read_text())

    assert looked_for
    assert set(looked_for) <= set(orders)


def test_the_wrapper_makes_the_folder_that_the_sidecar_uploads() -> None:
    [folder] = re.findall(r'const char \*output = "(.+)";', EXEC)

    assert folder == OUTPUT_FOLDER


def test_a_listener_knows_the_sidecar_by_its_name() -> None:
    plan = a_plan()
    pod = pods.pod(plan, plan.tasks[0], facts_of(plan))

    [ctrl] = [
        container["name"]
        for container in pod["spec"]["containers"]
        if container["command"] == [manifest.CTRL_IN_IMAGE]
    ]

    assert ctrl == observe.CTRL


# The image ----------------------------------------------------------------------------------------


def test_the_image_has_the_programs_that_the_manifests_start(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_bytes(b"")

    image = build.build(tmp_path / "image", interpreter=sys.executable, wrapper=wrapper)

    for program in (manifest.EXEC_IN_IMAGE, manifest.CTRL_IN_IMAGE):
        assert (image / program.lstrip("/")).stat().st_mode & 0o777 == 0o755
    assert native.program("xylem-exec").name == Path(manifest.EXEC).name


def test_the_image_has_every_module_that_the_sidecar_imports(tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_bytes(b"")
    image = build.build(tmp_path / "image", interpreter=sys.executable, wrapper=wrapper)

    started = subprocess.run(
        [image / "opt/xylem/bin/xylem-ctrl", tmp_path / "nowhere"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.stderr.startswith("osmo-ctrl: FileNotFoundError: "), started.stderr


@pytest.mark.parametrize(
    "heavy", ["pydantic", "http", "urllib", "dataclasses", "logging", "random"]
)
def test_the_sidecar_imports_nothing_that_costs_its_budget(heavy: str) -> None:
    script = "import sys, operators.task_runtime.__main__; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-IS", "-c", f"import sys; sys.path[:0] = {PATHS!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "operators.task_runtime.logs" in loaded
    assert heavy not in loaded


PATHS = [str(ROOT), str(ROOT / "layers/core/python")]
