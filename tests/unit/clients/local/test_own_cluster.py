"""`xylem local up --kubeconfig FILE`: the same stack with a cluster of the user's own."""

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from clients.local.checks import check_ports
from clients.local.errors import LocalError
from clients.local.parts import PartName, parts_of
from clients.local.settings import DESK_BACKEND, Settings, find_settings


def settings(home: Path, kubeconfig: Path | None = None) -> Settings:
    return find_settings({"XYLEM_HOME": str(home)}, None, kubeconfig)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "kind.yaml"
    file.write_text("apiVersion: v1\n")
    return file


def test_the_operator_is_told_the_file_and_no_desk_cluster_is_started(
    tmp_path: Path, kubeconfig: Path
) -> None:
    desk, own = (
        {part.name: part for part in parts_of(settings(tmp_path, file))}
        for file in (None, kubeconfig)
    )

    assert set(desk) - set(own) == {PartName.CLUSTER}
    assert own[PartName.AWS] == desk[PartName.AWS]
    told, before = own[PartName.OPERATOR].environment, desk[PartName.OPERATOR].environment
    changed = {name for name, value in told.items() if before[name] != value}
    assert (changed, told["KUBECONFIG"]) == ({"KUBECONFIG", "XYLEM_BACKEND"}, str(kubeconfig))


def test_each_cluster_has_a_backend_of_its_own(tmp_path: Path, kubeconfig: Path) -> None:
    other = tmp_path / "k3s.yaml"
    other.write_text("apiVersion: v1\n")

    names = [settings(tmp_path, file).backend for file in (None, kubeconfig, other)]

    assert names[0] == DESK_BACKEND
    assert len(set(names)) == 3
    assert settings(tmp_path, kubeconfig).backend == names[1]


def test_a_file_that_is_not_there_is_refused_with_where_one_comes_from(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="is no file") as refused:
        settings(tmp_path, tmp_path / "nothing")

    assert "kind get kubeconfig" in refused.value.way_out


def test_a_relative_path_means_the_same_wherever_the_operator_starts(
    tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert settings(tmp_path, Path("kind.yaml")).own_kubeconfig == kubeconfig


def test_what_runs_is_found_with_its_cluster_without_saying_it_again(
    tmp_path: Path, kubeconfig: Path
) -> None:
    started = settings(tmp_path, kubeconfig)
    started.remembered_kubeconfig.write_text(str(kubeconfig))

    assert settings(tmp_path).as_started().own_kubeconfig == kubeconfig

    started.remembered_kubeconfig.write_text("")
    assert settings(tmp_path).as_started().own_kubeconfig is None


def test_the_desks_port_is_free_for_others(tmp_path: Path, kubeconfig: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        mine = settings(tmp_path, kubeconfig)
        ports = {**mine.ports, "cluster": taken.getsockname()[1]}

        check_ports(replace(mine, ports=ports), running=[PartName.AWS])
