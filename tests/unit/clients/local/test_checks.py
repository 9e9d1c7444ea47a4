"""What stops `up` before it begins: a sentence, and a way out."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clients.local.checks import check_machine, check_ports, missing_build
from clients.local.errors import LocalError
from clients.local.parts import PartName
from clients.local.settings import Settings, find_settings


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def on_port(port: int, home: Path) -> Settings:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        other = free.getsockname()[1]
    return find_settings({"XYLEM_HOME": str(home)}, {"aws": port, "cluster": other})


def test_a_taken_port_names_who_has_it_and_how_to_choose_another(
    taken: int, tmp_path: Path
) -> None:
    with pytest.raises(LocalError) as refused:
        check_ports(on_port(taken, tmp_path), running=[])

    assert f"127.0.0.1:{taken}" in refused.value.problem
    assert "(pid " in refused.value.problem
    assert "--port-aws" in refused.value.way_out


def test_a_port_that_our_own_part_holds_is_not_taken(taken: int, tmp_path: Path) -> None:
    check_ports(on_port(taken, tmp_path), running=[PartName.AWS])


def test_one_port_for_both_is_refused_before_anything_starts(tmp_path: Path) -> None:
    one = find_settings({"XYLEM_HOME": str(tmp_path)}, {"aws": 4566, "cluster": 4566})

    with pytest.raises(LocalError, match="both listen on 4566"):
        check_machine(one, steps=[])


def test_what_was_not_built_yet_is_named(tmp_path: Path) -> None:
    assert missing_build(tmp_path) == "build/embedded-aws/venv/bin/python"
