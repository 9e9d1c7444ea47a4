"""What `status` says of parts that no supervisord looks after."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from clients.local.parts import HOME_VARIABLE, PartName
from clients.local.processes import find_orphans
from clients.local.settings import find_settings
from clients.local.status import status


@contextmanager
def a_desk_cluster_of(home: Path) -> Iterator[psutil.Process]:
    """A process with its mark and its words, which does nothing."""
    words = ("-m", "operators.desk_cluster", "--port", "1")
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()", *words],
        env={HOME_VARIABLE: str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is what it will be
        yield psutil.Process(process.pid)
        process.kill()


def test_a_part_whose_supervisor_was_killed_is_named_with_its_process(tmp_path: Path) -> None:
    settings = find_settings({"XYLEM_HOME": str(tmp_path)})

    with a_desk_cluster_of(tmp_path) as process:
        told = {part.name: part for part in status(settings)}
        orphans = find_orphans(tmp_path)

    assert orphans == {PartName.CLUSTER: process.pid}
    cluster = told[PartName.CLUSTER]
    assert (cluster.up, cluster.pid) == (False, process.pid)
    assert "left of an earlier start" in cluster.detail
    assert (told[PartName.AWS].pid, told[PartName.AWS].detail) == (None, "")
