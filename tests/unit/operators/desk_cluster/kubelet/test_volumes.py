"""Volumes as folders (concepts/storage: volumes, projected-volumes)."""

import base64
import stat
from pathlib import Path
from typing import Any

import pytest

from operators.desk_cluster.kubelet.environment import ConfigError
from operators.desk_cluster.kubelet.root import Mount
from operators.desk_cluster.kubelet.volumes import NotMountable, Volumes
from operators.desk_cluster.objects import Json
from tests.unit.operators.desk_cluster.builders import UID, a_container, a_pod

OBJECTS: dict[tuple[str, str], Json] = {
    ("configmaps", "settings"): {
        "data": {"color": "blue", "size": "7"},
        "binaryData": {"raw": base64.b64encode(b"\xff\x00").decode()},
    },
    ("secrets", "keys"): {"data": {"token": base64.b64encode(b"s3cret").decode()}},
    ("persistentvolumeclaims", "data"): {},
}


def volumes(folder: Path) -> Volumes:
    return Volumes.of(UID, folder / UID, folder / "claims", ip="127.0.0.1", node={"cpu": "8"})


def make(folder: Path, **source: Json) -> Path:
    """The folder of a pod's only volume."""
    volume: Json = {"name": "v", **source}
    found = volumes(folder)
    found.make(a_pod(volumes=[volume]), lambda kind, name: OBJECTS.get((kind, name)))
    return found.path(volume)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_empty_folder_is_for_everybody_in_the_pod(tmp_path: Path) -> None:
    made = make(tmp_path, emptyDir={})

    assert files(made) == {}
    assert mode(made) == 0o777


def test_an_empty_folder_in_memory_is_in_memory_and_is_the_same_each_time(tmp_path: Path) -> None:
    volume: Json = {"name": "v", "emptyDir": {"medium": "Memory"}}
    here, elsewhere = volumes(tmp_path), volumes(tmp_path / "other")
    claimless = Volumes.of(UID, tmp_path / UID, tmp_path, ip="", node={})

    assert here.path(volume).is_relative_to("/dev/shm")
    assert here.path(volume) == claimless.path(volume) == claimless.memory / "v"
    assert here.path(volume) != elsewhere.path(volume), "two clusters of one machine"


def test_a_secrets_keys_are_files(tmp_path: Path) -> None:
    assert files(make(tmp_path, secret={"secretName": "keys"})) == {"token": b"s3cret"}


def test_a_config_maps_keys_are_files_whatever_they_hold(tmp_path: Path) -> None:
    assert files(make(tmp_path, configMap={"name": "settings"})) == {
        "color": b"blue",
        "size": b"7",
        "raw": b"\xff\x00",
    }


def test_chosen_keys_get_a_path_and_a_mode(tmp_path: Path) -> None:
    items = [{"key": "color", "path": "a/b", "mode": 0o400}, {"key": "size", "path": "c"}]

    made = make(tmp_path, configMap={"name": "settings", "items": items, "defaultMode": 0o640})

    assert files(made) == {"a/b": b"blue", "c": b"7"}
    assert (mode(made / "a/b"), mode(made / "c")) == (0o400, 0o640)


def test_making_a_volume_again_brings_it_up_to_date(tmp_path: Path) -> None:
    make(tmp_path, secret={"secretName": "keys", "defaultMode": 0o400})

    assert files(make(tmp_path, secret={"secretName": "keys"})) == {"token": b"s3cret"}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "k", "path": "p"}]}},
            "references non-existent configMap key: k",
        ),
        ({"persistentVolumeClaim": {"claimName": "none"}}, 'claim "none" not found'),
        ({"hostPath": {"path": "/nowhere"}}, "/nowhere"),
        ({"nfs": {"server": "a"}}, '"nfs" are not supported'),
        ({"projected": {"sources": [{"serviceAccountToken": {}}]}}, "serviceAccountToken"),
    ],
)
def test_a_volume_that_cannot_be_made_says_why(tmp_path: Path, source: Json, why: str) -> None:
    with pytest.raises(NotMountable, match=why):
        make(tmp_path, **source)


@pytest.mark.parametrize(
    "source",
    [
        {"secret": {"secretName": "none", "optional": True}},
        {"configMap": {"name": "settings", "optional": True, "items": [{"key": "k", "path": "p"}]}},
    ],
)
def test_what_is_optional_may_be_missing(tmp_path: Path, source: Json) -> None:
    assert files(make(tmp_path, **source)) == {}


def test_several_sources_can_be_one_volume(tmp_path: Path) -> None:
    field = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    limit = {"containerName": "main", "resource": "limits.cpu"}
    sources = [
        {"secret": {"name": "keys"}},
        {"configMap": {"name": "settings", "items": [{"key": "color", "path": "color"}]}},
        {"downwardAPI": {"items": [field, {"path": "cpu", "resourceFieldRef": limit}]}},
    ]

    assert files(make(tmp_path, projected={"sources": sources})) == {
        "token": b"s3cret",
        "color": b"blue",
        "name": b"a",
        "cpu": b"8",
    }


def test_a_field_that_a_pod_has_not_is_a_mistake_of_its_author(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        make(tmp_path, downwardAPI={"items": [{"path": "x", "fieldRef": {"fieldPath": "spec.x"}}]})


def test_a_claims_folder_is_shared_by_pods_and_outlives_them(tmp_path: Path) -> None:
    made = make(tmp_path, persistentVolumeClaim={"claimName": "data"})
    (made / "kept").touch()

    assert files(make(tmp_path, persistentVolumeClaim={"claimName": "data"})) == {"kept": b""}
    assert not made.is_relative_to(tmp_path / UID)


@pytest.mark.parametrize(
    ("kind", "there", "fits"),
    [
        ("", "folder", True),
        ("", "nothing", False),
        ("Directory", "folder", True),
        ("Directory", "file", False),
        ("DirectoryOrCreate", "nothing", True),
        ("File", "file", True),
        ("File", "folder", False),
        ("FileOrCreate", "nothing", True),
    ],
)
def test_a_host_path_is_checked_for_its_type(
    tmp_path: Path, kind: str, there: str, fits: bool
) -> None:
    path = tmp_path / "there"
    if there == "folder":
        path.mkdir()
    elif there == "file":
        path.touch()
    source: Json = {"path": str(path), "type": kind}

    if fits:
        assert make(tmp_path, hostPath=source) == path
        assert path.exists()
    else:
        with pytest.raises(NotMountable):
            make(tmp_path, hostPath=source)


def mounts(folder: Path, volume: Json, **mount: Any) -> list[Mount]:
    container = a_container(volumeMounts=[{"name": "v", "mountPath": "/v", **mount}])
    pod = a_pod(container, volumes=[{"name": "v", **volume}])
    found = volumes(folder)
    found.make(pod, lambda kind, name: OBJECTS.get((kind, name)))
    return found.mounts(pod, container, {"NAME": "mine"})


def test_a_volume_is_mounted_where_the_container_wants_it(tmp_path: Path) -> None:
    (mount,) = mounts(tmp_path, {"emptyDir": {}})

    assert (mount.target, mount.read_only) == ("/v", False)
    assert mounts(tmp_path, {"emptyDir": {}}, readOnly=True)[0].read_only


def test_volumes_of_files_are_read_only(tmp_path: Path) -> None:
    assert mounts(tmp_path, {"secret": {"secretName": "keys"}})[0].read_only


def test_a_part_of_a_volume_can_be_mounted(tmp_path: Path) -> None:
    (folder,) = mounts(tmp_path, {"emptyDir": {}}, subPath="a/b")
    (named,) = mounts(tmp_path, {"emptyDir": {}}, subPathExpr="$(NAME)")
    (file,) = mounts(tmp_path, {"secret": {"secretName": "keys"}}, subPath="token")

    assert folder.source.endswith("/a/b")
    assert Path(folder.source).is_dir()
    assert named.source.endswith("/mine")
    assert Path(file.source).read_bytes() == b"s3cret"


def test_a_part_does_not_lead_out_of_its_volume(tmp_path: Path) -> None:
    (whole,) = mounts(tmp_path, {"emptyDir": {}})
    Path(whole.source, "out").symlink_to("/etc")

    for part in ("out", "out/passwd", "../../x"):
        with pytest.raises(NotMountable, match="leaves volume"):
            mounts(tmp_path, {"emptyDir": {}}, subPath=part)
