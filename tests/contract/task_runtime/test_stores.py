"""Data at URLs: the real sidecar against an S3 over HTTP."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from clients.local.embedded_aws import install
from operators.shared import object_stores
from operators.shared.files import TransferFailed
from operators.task_runtime import stores
from operators.task_runtime.runtime import Code
from tests.contract.embedded_aws.server import EmbeddedAws, running
from tests.contract.task_runtime.object_store import KEY_ID, SECRET, ObjectStore, open_door
from tests.contract.task_runtime.pod import Pod, until
from tests.unit.operators.task_runtime.services import Services
from xylem.protocol.spool import Stream

pytestmark = pytest.mark.embedded
MB = 1024 * 1024
numbers = count(1)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    install.install()
    with running(EmbeddedAws(tmp_path_factory.mktemp("stores") / "state")) as server:
        yield server


@pytest.fixture
def store(aws: EmbeddedAws) -> Iterator[ObjectStore]:
    with open_door(ObjectStore(aws)) as store:
        yield store


@pytest.fixture
def bucket() -> str:
    return f"bucket-{next(numbers)}"


def said(services: Services) -> str:
    return services.logged(Stream.CONTROL).decode()


def an_input(url: str, regex: str = "", index: int = 0) -> dict[str, Any]:
    return {"index": index, "url": url, "regex": regex}


def download(
    store: ObjectStore, url: str, folder: Path, *, regex: str = "", **keys: str
) -> list[str]:
    """What the sidecar does with one input; what it says."""
    prefix = "/".join(url.split("/")[:3])
    spoken: list[str] = []
    stores.download(
        an_input(url, regex),
        str(folder),
        {prefix: store.keys(**keys)},
        say=spoken.append,
        stop=Event(),
    )
    return spoken


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_task_reads_from_one_url_and_writes_to_others(
    pod: Pod, services: Services, store: ObjectStore, bucket: str
) -> None:
    store.put(bucket, {"in/a.csv": b"a", "in/deep/b.csv": b"b", "in/c.txt": b"c", "inner/d": b""})
    store.put(f"{bucket}-out", {})
    pod.configure(
        inputs=[an_input(f"s3://{bucket}/in/", r".*\.csv$")],
        outputs=[
            {"url": f"s3://{bucket}-out/all", "regex": ""},
            {"url": f"s3://{bucket}-out/text", "regex": r"\.txt$"},
        ],
        kpis=[
            {"index": "perf", "path": f"{pod.output}/kpi.json"},
            {"index": "loss", "path": "loss.json"},
        ],
        stores={
            f"s3://{bucket}": store.keys(),
            f"s3://{bucket}-out": store.keys(),
        },
        wait=True,
    )
    script = (
        f"cd {pod.input}/0 && find . -type f | sort >{pod.output}/found.txt &&"
        f" echo 1 >{pod.output}/kpi.json; exit 3"
    )
    task = pod.shell(script, wait=True)

    assert pod.sidecar().end().code == Code.FINE, said(services)
    assert task.end().code == 3, "outputs are uploaded however it ended"
    found = b"./a.csv\n./deep/b.csv\n"
    assert store.content(f"{bucket}-out") == {
        "all/found.txt": found,
        "all/kpi.json": b"1\n",
        "text/found.txt": found,
        "text/kpi.json": b"1\n",
    }
    assert f"Downloading input 0 from s3://{bucket}/in/: 2 files, 2 bytes" in said(services)
    assert "KPI loss.json: there is no such file in the output." in said(services)
    assert SECRET not in said(services)
    assert KEY_ID not in said(services)


@pytest.mark.parametrize(
    ("keys", "missing", "says"),
    [
        ({"access_key_id": "another"}, False, "the store refuses access with the keys"),
        ({}, True, "there is no such bucket or object"),
    ],
)
def test_an_input_that_cannot_be_had_ends_the_task_before_it_begins(
    pod: Pod,
    services: Services,
    store: ObjectStore,
    bucket: str,
    keys: dict[str, str],
    missing: bool,
    says: str,
) -> None:
    if not missing:
        store.put(bucket, {"in/a": b"a"})
    pod.configure(
        inputs=[an_input(f"s3://{bucket}/in")],
        stores={f"s3://{bucket}": store.keys(**keys)},
        wait=True,
    )
    task = pod.shell("echo started", wait=True)

    assert pod.sidecar().end().code == Code.DOWNLOAD
    assert task.end().code == Code.DOWNLOAD
    assert services.logged(Stream.STDOUT) == b""
    assert f"Downloading inputs failed: s3://{bucket}/in: {says}" in said(services)
    assert SECRET not in said(services)


def test_an_output_that_cannot_be_written_fails_the_task(
    pod: Pod, services: Services, store: ObjectStore, bucket: str
) -> None:
    pod.configure(
        outputs=[{"url": f"s3://{bucket}/out", "regex": ""}],
        stores={f"s3://{bucket}": store.keys()},
    )

    task, sidecar = pod.live("/bin/sh", "-c", f"echo x >{pod.output}/x")

    assert (task.code, sidecar.code) == (0, Code.UPLOAD)
    assert f"Uploading outputs failed: x: s3://{bucket}/out" in said(services)
    assert services.outputs == {"x": b"x\n"}, "downstream tasks have theirs all the same"


def test_what_cannot_go_to_one_place_goes_to_the_others(
    pod: Pod, services: Services, store: ObjectStore, bucket: str
) -> None:
    store.put(bucket, {})
    pod.configure(
        outputs=[
            {"url": f"s3://{bucket}-no-such/out", "regex": ""},
            {"url": f"s3://{bucket}/out", "regex": ""},
        ],
        checkpoints=[
            {"path": str(pod.output), "url": f"s3://{bucket}/c", "frequency": 600, "regex": ""}
        ],
        stores={f"s3://{bucket}": store.keys(), f"s3://{bucket}-no-such": store.keys()},
    )

    _, sidecar = pod.live("/bin/sh", "-c", f"echo x >{pod.output}/x; exit 3")

    assert sidecar.code == Code.UPLOAD
    assert store.content(bucket) == {"out/x": b"x\n", "c/x": b"x\n"}
    assert services.outputs == {"x": b"x\n"}
    assert f"failed: x: s3://{bucket}-no-such/out: there is no such bucket" in said(services)


def test_a_checkpoint_is_copied_while_the_task_runs_and_once_at_its_end(
    pod: Pod, services: Services, store: ObjectStore, bucket: str
) -> None:
    store.put(bucket, {})
    models = pod.output / "models"
    pod.configure(
        checkpoints=[
            {"path": str(models), "url": f"s3://{bucket}/c", "frequency": 0.2, "regex": r"\.pt$"},
            {"path": "/tmp/models", "url": f"s3://{bucket}/t", "frequency": 0.2, "regex": ""},
        ],
        stores={f"s3://{bucket}": store.keys()},
    )
    script = (
        f"mkdir {models}; echo 1 >{models}/1.pt; echo x >{models}/x;"
        f" until [ -e {pod.root}/seen ]; do sleep 0.05; done; echo 2 >{models}/2.pt"
    )
    task, sidecar = pod.shell(script), pod.sidecar()
    until(lambda: "c/1.pt" in store.content(bucket), "the first copy")
    (pod.root / "seen").touch()

    assert (task.end().code, sidecar.end().code) == (0, Code.FINE), said(services)
    assert store.content(bucket) == {"c/1.pt": b"1\n", "c/2.pt": b"2\n"}
    assert "Checkpoint /tmp/models is not copied: only what lies below" in said(services)
    assert said(services).count(f"Uploading checkpoint to s3://{bucket}/c: 1 file") == 2


def test_a_checkpoint_cannot_lead_out_of_the_shared_folders(
    pod: Pod, services: Services, store: ObjectStore, bucket: str
) -> None:
    store.put(bucket, {})
    link = pod.output / "link"
    pod.configure(
        checkpoints=[
            {"path": str(link), "url": f"s3://{bucket}/c", "frequency": 60, "regex": ""},
        ],
        stores={f"s3://{bucket}": store.keys()},
    )

    _, sidecar = pod.live(
        "/bin/sh", "-c", f"ln -s {pod.root}/osmo/token {link}; rm -rf /nowhere; sleep 0.1"
    )

    assert sidecar.code == Code.UPLOAD
    assert store.content(bucket) == {}


def test_a_download_that_is_cut_goes_on_where_it_was(
    store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 4096 * 4
    store.put(bucket, {"in/big": content})
    store.cuts = 2

    download(store, f"s3://{bucket}/in", tmp_path)

    assert files(tmp_path) == {"0/big": content}
    ranges = [each for each in store.asked if each]
    assert ranges, store.asked
    assert all(not each.startswith("bytes=0-") for each in ranges)


def test_what_is_there_is_not_fetched_again(
    store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    store.put(bucket, {"in/a": b"aa", "in/b": b"bb"})
    (tmp_path / "0").mkdir()
    (tmp_path / "0/a").write_bytes(b"AA")

    download(store, f"s3://{bucket}/in", tmp_path)

    assert files(tmp_path) == {"0/a": b"AA", "0/b": b"bb"}
    assert len(store.asked) == 1


def test_many_files_are_moved_side_by_side(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    content = {f"in/{number:02}": bytes([number]) * MB for number in range(24)}
    store.put(bucket, content)

    download(store, f"s3://{bucket}/in", tmp_path)

    assert files(tmp_path) == {f"0/{key[3:]}": body for key, body in content.items()}
    assert store.most_together > 2


def test_a_large_file_is_sent_in_parts(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    store.put(bucket, {})
    content = bytes(range(256)) * 4096 * 20
    (tmp_path / "big").write_bytes(content)

    stores.upload(
        f"s3://{bucket}/out",
        "",
        str(tmp_path),
        {f"s3://{bucket}": store.keys()},
        what="outputs",
        say=lambda text: None,
        stop=Event(),
    )

    assert store.content(bucket) == {"out/big": content}


def test_a_url_may_be_that_of_one_object(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    store.put(bucket, {"in/a.csv": b"a", "in/a.csv.bak": b"b"})

    download(store, f"s3://{bucket}/in/a.csv", tmp_path)

    assert files(tmp_path) == {"0/a.csv": b"a"}


@pytest.mark.parametrize("key", ["in/../../../etc/escaped", "in/./x", "in//x"])
def test_no_key_leads_out_of_its_folder(
    store: ObjectStore, bucket: str, tmp_path: Path, key: str
) -> None:
    store.s3.create_bucket(Bucket=bucket)
    store.s3.put_object(Bucket=bucket, Key=key, Body=b"evil")

    with pytest.raises(TransferFailed, match=f"s3://{bucket}/in"):
        download(store, f"s3://{bucket}/in", tmp_path / "data")
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host/x", "known are s3"),
        ("s3://", "names no bucket"),
        ("azure://account", "names no bucket"),
        ("swift://host/AUTH_x/c/k", "its S3 endpoint alone: name that as override_url"),
        ("tos://host/bucket/k", "its S3 endpoint alone"),
    ],
)
def test_what_cannot_be_spoken_is_said(url: str, says: str) -> None:
    with pytest.raises(TransferFailed, match=says):
        object_stores.Remote(url, {})


@pytest.mark.parametrize("scheme", ["swift://host/AUTH_x", "tos://host"])
def test_swift_and_tos_are_spoken_through_their_s3(
    store: ObjectStore, bucket: str, tmp_path: Path, scheme: str
) -> None:
    store.put(bucket, {"in/a": b"a"})

    download(store, f"{scheme}/{bucket}/in", tmp_path)

    assert files(tmp_path) == {"0/a": b"a"}


def test_keys_are_those_of_the_longest_prefix() -> None:
    known = {"s3://b": {"x": "short"}, "s3://b/team": {"x": "long"}}

    assert object_stores.keys_for("s3://b/team/in", known) == {"x": "long"}
    assert object_stores.keys_for("s3://b/teamwork", known) == {"x": "short"}
    assert object_stores.keys_for("s3://bb/team", known) == {}


def test_the_library_is_quick_enough_to_import(pod: Pod, store: ObjectStore, bucket: str) -> None:
    """Beside the 100 ms of a task without URLs (`test_sidecar`)."""
    store.put(bucket, {"in/a": b"a"})
    pod.configure(
        inputs=[an_input(f"s3://{bucket}/in")],
        stores={f"s3://{bucket}": store.keys()},
        wait=True,
    )
    begun = time.monotonic()
    task = pod.shell("true", wait=True)
    sidecar = pod.sidecar().end()

    assert (task.end().code, sidecar.code) == (0, Code.FINE)
    assert sidecar.cpu < 0.5, f"{sidecar.cpu:.3f} s in {time.monotonic() - begun:.1f} s"


def test_an_object_that_was_replaced_in_the_middle_is_not_put_together_of_both(
    store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    store.put(bucket, {"in/a": b"1" * MB})
    remote = object_stores.Remote(f"s3://{bucket}/in", {f"s3://{bucket}": store.keys()})
    [found] = remote.listed()
    (tmp_path / "part").write_bytes(b"1" * 1000)
    store.put(bucket, {"in/a": b"2" * MB})

    with pytest.raises(TransferFailed, match="a was replaced while it was downloaded"):
        remote.fetch(found, str(tmp_path / "part"), Event())


@contextmanager
def a_disk_of(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("who may mount nothing has no small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_what_does_not_fit_into_the_pod_is_not_begun(
    store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    store.put(bucket, {"in/small": b"small", "in/large": b"x" * 2 * MB})

    with a_disk_of(tmp_path / "pod", "1m"):
        with pytest.raises(TransferFailed, match="has room for .*, and 2.1 MB are to come"):
            download(store, f"s3://{bucket}/in", tmp_path / "pod")
        assert files(tmp_path / "pod") == {}


def test_a_disk_that_fills_up_on_the_way_is_told_of_and_no_half_of_a_file_has_its_name(
    store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    store.put(bucket, {"in/large": b"x" * 2 * MB})
    remote = object_stores.Remote(f"s3://{bucket}/in", {f"s3://{bucket}": store.keys()})
    [one] = remote.listed()

    with a_disk_of(tmp_path / "pod", "1m"):
        with pytest.raises(OSError, match="No space left on device"):
            remote.fetch(one, str(tmp_path / "pod/part"), Event())
        assert set(files(tmp_path / "pod")) == {"part"}


def test_a_disk_that_is_full_fails_the_task_with_its_reason(pod: Pod, services: Services) -> None:
    services.inputs = [[("small", b"small"), ("large", b"x" * 2 * MB)]]
    pod.configure(inputs=[{"index": 0, "task": "before", "regex": ""}], wait=True)

    with a_disk_of(pod.input, "1m"):
        task = pod.shell("echo started", wait=True)
        code = pod.sidecar().end().code
        left = files(pod.input)

    assert (code, task.end().code) == (Code.DOWNLOAD, Code.DOWNLOAD)
    assert "No space left on device" in said(services)
    assert "0/large" not in left
    assert services.logged(Stream.STDOUT) == b""
