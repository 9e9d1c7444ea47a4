"""Where the local stack lives and listens."""

import json
from pathlib import Path

import pytest

from clients.local.errors import LocalError
from clients.local.settings import DEFAULT_PORTS, find_settings


def environ(home: Path, **more: str) -> dict[str, str]:
    return {"XYLEM_HOME": str(home), **more}


def test_a_port_is_said_or_set_or_remembered_or_the_default(tmp_path: Path) -> None:
    assert find_settings(environ(tmp_path)).ports == DEFAULT_PORTS

    (tmp_path / "ports.json").write_text(json.dumps({"aws": 1111}))
    assert find_settings(environ(tmp_path)).ports["aws"] == 1111

    set_ = environ(tmp_path, XYLEM_PORT_AWS="2222")
    assert find_settings(set_).ports["aws"] == 2222

    assert find_settings(set_, {"aws": 3333}).ports["aws"] == 3333
    assert find_settings(set_, {"aws": None}).ports["cluster"] == DEFAULT_PORTS["cluster"]


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "²", "9" * 5000])
def test_what_is_no_port_is_refused_by_the_name_of_its_variable(tmp_path: Path, port: str) -> None:
    with pytest.raises(LocalError, match="XYLEM_PORT_AWS"):
        find_settings(environ(tmp_path, XYLEM_PORT_AWS=port))


@pytest.mark.parametrize("text", ["{", "[1]", "7", "null"])
def test_remembered_ports_that_nobody_can_read_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)

    assert find_settings(environ(tmp_path)).ports == DEFAULT_PORTS


def test_what_runs_is_found_on_its_ports_whatever_the_environment_says_by_now(
    tmp_path: Path,
) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"aws": 1111}))

    asked = find_settings(environ(tmp_path, XYLEM_PORT_AWS="2222", XYLEM_PORT_CLUSTER="3333"))

    assert asked.as_started().ports == {"aws": 1111, "cluster": 3333}


def test_the_state_is_in_the_repository_unless_said_otherwise() -> None:
    settings = find_settings({})

    assert settings.home == settings.root / ".xylem"
    assert (settings.root / "pyproject.toml").is_file()


def test_a_socket_in_a_deep_folder_gets_a_name_that_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)

    shallow = find_settings(environ(Path("/x"))).supervisor_socket
    socket = find_settings(environ(deep)).supervisor_socket

    assert shallow == Path("/x/supervisor.sock")
    assert len(str(socket)) < 100
    assert socket == find_settings(environ(deep)).supervisor_socket
    assert socket != find_settings(environ(tmp_path / ("e" * 100))).supervisor_socket


@pytest.mark.parametrize("name", ["100%", 'a "quoted" one', "a ; b", "a #b", "a\nb", "a\\\\b"])
def test_a_folder_that_supervisord_cannot_be_told_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalError, match="supervisord"):
        find_settings(environ(tmp_path / name))
